// A real OpenID Connect provider beside the server, with a door that lets anybody in by the name they type.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

/** What the server is at the provider. */
export const CLIENT = { id: 'marque', secret: randomBytes(32).toString('hex') };

/** A provider on a free port whose people are `people`: by the name they type, what it says of them. */
export async function startProvider(people, redirectUris) {
  let provider;
  const server = createServer((asked, answer) => {
    const route = asked.url.startsWith('/door/') ? door(provider, asked, answer) : provider.callback()(asked, answer);
    Promise.resolve(route).catch((error) => {
      answer.statusCode = 500;
      answer.end(String(error));
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: redirectUris }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    features: { devInteractions: { enabled: false } },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' }] },
    pkce: { required: () => true },
    interactions: { url: (_, { uid }) => `/door/${uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    // Consent is not what is tested.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { issuer, stop };
}

/** The provider's sign-in page: a name and a button. */
async function door(provider, asked, answer) {
  if (asked.method === 'POST') {
    let body = '';
    for await (const piece of asked) body += piece;
    const accountId = new URLSearchParams(body).get('name');
    const result = accountId ? { login: { accountId } } : { error: 'access_denied' };
    return provider.interactionFinished(asked, answer, result, { mergeWithLastSubmission: false });
  }
  await provider.interactionDetails(asked, answer);
  answer.setHeader('content-type', 'text/html; charset=utf-8');
  answer.end(
    '<!doctype html><html lang="en"><title>Provider</title><h1>The provider</h1>' +
      '<form method="post"><label>Name <input name="name"></label> <button>Enter</button></form></html>',
  );
}
