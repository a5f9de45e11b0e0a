// Checks the golden vectors with nothing but node: node ea/vectors/check.mjs
//
// It shares no line with the generator, the client or the server: what it says is protocol.md read a second time.

import { createHash, createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GRACE_S_MAX = 31 * 86400;

const hmac = (key, message) => createHmac("sha256", key).update(message).digest();
const expand = (secret, info) => hmac(secret, Buffer.concat([Buffer.from(info), Buffer.from([1])]));

function licenceSecret(typed) {
  const key = typed.trim().toUpperCase().replace(/[- ]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  const symbols = [...key].map((character) => ALPHABET.indexOf(character));
  if (key.length !== 25 || symbols.includes(-1)) return null;
  // Luhn over the whole key comes to nothing, counting the check character once.
  const sum = symbols.reverse().reduce((total, symbol, at) => {
    const product = at % 2 ? symbol * 2 : symbol;
    return total + Math.floor(product / 32) + (product % 32);
  }, 0);
  return sum % 32 === 0 ? hmac("marque-ea-1 licence", key) : null;
}

const keyId = (secret) => expand(secret, "key-id").toString("hex").slice(0, 32);
const activationKey = (secret, v) => expand(secret, `activation-mac\n${v.activation}\n${v.generation}\n${v.salt}\n`);
const signedBytes = (kind, operation, kid, payload) =>
  Buffer.concat([Buffer.from(`marque-ea-1\n${kind}\n${operation}\n${kid}\n`), Buffer.from(payload)]);

function readHeader(header, algorithm) {
  const found = /^kid=([^,]*), ([a-z0-9-]+)=([0-9a-f]+)$/.exec(header);
  return found && found[2] === algorithm ? { kid: found[1], signature: Buffer.from(found[3], "hex") } : null;
}

function derive(vector) {
  const secret = licenceSecret(vector.licence_key);
  if (!secret) return "mistyped";
  if (vector.derive === "key-id") return keyId(secret);
  if (vector.derive === "licence") return expand(secret, "licence-mac").toString("hex");
  if (vector.derive === "state") return expand(secret, `state-mac\n${vector.machine}\n`).toString("hex");
  return activationKey(secret, vector).toString("hex");
}

// Who signed: `licence`, `activation`, or nobody that counts.
function signer(vector, secret, operation, header, body) {
  const read = readHeader(header, "hmac-sha256");
  if (!read || read.signature.length !== 32) return null;
  const keys = {
    [`l.${keyId(secret)}`]: ["licence", expand(secret, "licence-mac")],
    [`a.${vector.activation}.${vector.generation}`]: ["activation", activationKey(secret, vector)],
  };
  const [who, key] = keys[read.kid] ?? [];
  return key && timingSafeEqual(hmac(key, signedBytes("answer", operation, read.kid, body)), read.signature) ? who : null;
}

// Flat JSON, strictly; null for anything else. JSON.parse forgives names that come twice, so they are looked for in the text.
function flat(text) {
  let fields;
  try {
    fields = JSON.parse(text);
  } catch {
    return null;
  }
  const names = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map((found) => found[1]);
  const whole = (value) => Number.isInteger(value) && !/[.eE]/.test(String(value)) && String(Math.abs(value)).length <= 18;
  const good =
    fields !== null &&
    typeof fields === "object" &&
    !Array.isArray(fields) &&
    new Set(names).size === names.length &&
    Object.values(fields).every((v) => (typeof v === "string" ? !v.includes("\0") : typeof v === "boolean" || whole(v))) &&
    !/[:,]\s*-?\d+[.eE]/.test(text.replace(/"(?:[^"\\]|\\.)*"/g, '""'));
  return good ? fields : null;
}

function judge(vector) {
  const secret = licenceSecret(vector.licence_key);
  const who = signer(vector, secret, vector.operation, vector.signature, vector.body);
  if (!who) return "unsigned";
  const answer = flat(vector.body);
  if (!answer) return "unreadable";
  const same = { protocol: 1, operation: vector.operation, key_id: keyId(secret), product: vector.product };
  Object.assign(same, { account: vector.account, machine: vector.machine, nonce: vector.nonce });
  if (Object.entries(same).some(([name, value]) => answer[name] !== value) || !(answer.server_time > 0)) return "elsewhere";
  if (answer.valid !== true) return answer.code && answer.code !== "VALID" ? `refused ${answer.code}` : "elsewhere";
  const { server_time: now, lease_until: lease, grace_until: grace } = answer;
  const fits = lease >= now && grace >= lease && grace <= now + GRACE_S_MAX;
  return who === "activation" && answer.activation === vector.activation && fits ? "valid" : "elsewhere";
}

function ed25519(vector) {
  const read = readHeader(vector.signature, "ed25519");
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(vector.public_key, "hex")]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  const message = signedBytes("answer", vector.operation, read.kid, vector.body);
  return read.kid === vector.kid && verify(null, message, key, read.signature) ? "good" : "bad";
}

function plain(vector) {
  const [key, message, signature] = ["public_key", "message_hex", "signature_hex"].map((name) => Buffer.from(vector[name], "hex"));
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]);
  return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), signature) ? "good" : "bad";
}

function lease(vector) {
  const text = Buffer.from(vector.file_hex, "hex").toString("utf8");
  const found = /^marque-lease-1\n([a-z]+)\n([^\n]+)\n([^]*)$/.exec(text);
  if (!found) return "bad";
  const secret = licenceSecret(vector.licence_key);
  return signer(vector, secret, found[1], found[2], found[3]) === "activation" && flat(found[3])?.valid === true ? "good" : "bad";
}

const quoted = (text) =>
  `"${[...text].map((c) => (c === '"' || c === "\\" ? `\\${c}` : c < " " ? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}` : c)).join("")}"`;

const CHECKS = {
  hash(vector) {
    const bytes = (name) => Buffer.from(vector[`${name}_hex`] ?? vector[name] ?? "", vector[`${name}_hex`] === undefined ? "utf8" : "hex");
    const keyed = vector.key_hex !== undefined;
    return (keyed ? hmac(bytes("key"), bytes("message")) : createHash("sha256").update(bytes("message")).digest()).toString("hex");
  },
  derive,
  sign(vector) {
    const bytes = signedBytes(vector.kind, vector.operation, vector.kid, vector.payload);
    if (bytes.toString("hex") !== vector.signed_hex) return "other bytes";
    return `kid=${vector.kid}, hmac-sha256=${hmac(Buffer.from(vector.mac_key_hex, "hex"), bytes).toString("hex")}`;
  },
  judge,
  ed25519,
  verify: plain,
  lease,
  json(vector) {
    const fields = flat(vector.text);
    if (!fields) return "unreadable";
    return `{${Object.entries(fields).map(([name, v]) => `${quoted(name)}:${typeof v === "string" ? quoted(v) : v}`).join(",")}}`;
  },
  query(vector) {
    const encode = (v) => encodeURIComponent(v).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    return Object.entries(flat(vector.text)).map(([name, v]) => `${name}=${encode(v)}`).join("&");
  },
};

const here = dirname(fileURLToPath(import.meta.url));
let passed = 0;
const failed = [];
for (const file of readdirSync(here).filter((name) => name.endsWith(".json")).sort()) {
  for (const vector of JSON.parse(readFileSync(join(here, file), "utf8")).vectors) {
    const found = CHECKS[vector.test]?.(vector);
    if (found === vector.want) passed += 1;
    else failed.push(`${file} ${vector.name}: found ${found}, wanted ${vector.want}`);
  }
}
for (const line of failed) console.log(line);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length ? 1 : 0;
