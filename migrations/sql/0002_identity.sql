-- Identity: proofs of who somebody is, what they did, the mail that tells them, the keys that seal it.
-- PostgreSQL's words, as in 0001. Digests are SHA-256 of random tokens, or a MAC under the tenant's key where a
-- person types the secret. What is sealed is AES-256-GCM under the tenant's data key, bound to its row and column.

ALTER TABLE users ADD COLUMN email_verified_at BIGINT;
ALTER TABLE users ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
-- The plan of tenant.toml that this person is on, by name; none is the tenant's first.
ALTER TABLE users ADD COLUMN plan TEXT;
-- Failed sign-ins since the last one that succeeded.
ALTER TABLE users ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN failed_at BIGINT;
-- Second proofs tried since the last right one, and when the first of them was: a limit that no restart forgets.
ALTER TABLE users ADD COLUMN proof_tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN proof_tries_since BIGINT NOT NULL DEFAULT 0;

-- How this session was opened: password, passkey, sso.
ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
-- When the person last proved themselves in this session, for sensitive acts.
ALTER TABLE sessions ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN country TEXT;
ALTER TABLE sessions ADD COLUMN device_id BIGINT;

-- Browsers that a person has signed in with.
CREATE TABLE devices (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    agent TEXT NOT NULL,
    address TEXT NOT NULL,
    country TEXT,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

-- Links in mails, and sign-ins that wait for a second proof. Used at most once.
CREATE TABLE one_time_tokens (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    -- What the token is about, as JSON of its kind. Never a secret.
    data TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX one_time_tokens_by_user ON one_time_tokens (tenant_id, user_id, kind);
CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (tenant_id, expires_at);

-- Second factors.

CREATE TABLE authenticators (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    user_id BIGINT NOT NULL,
    -- Sealed.
    secret BYTEA NOT NULL,
    -- Empty until the person has shown a first code.
    confirmed_at BIGINT,
    -- The last time step whose code was accepted: it and earlier ones are used up.
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE backup_codes (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);

CREATE TABLE passkeys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    credential BYTEA NOT NULL,
    name TEXT NOT NULL,
    -- The public key and its counter, as JSON.
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, credential),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX passkeys_by_user ON passkeys (tenant_id, user_id);

-- Access for programs.

-- One sign-in of a program: a family of refresh tokens that rotate.
CREATE TABLE api_grants (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX api_grants_by_user ON api_grants (tenant_id, user_id);

CREATE TABLE api_tokens (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    grant_id BIGINT NOT NULL,
    -- access or refresh.
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, grant_id) REFERENCES api_grants (tenant_id, id)
);
CREATE INDEX api_tokens_by_grant ON api_tokens (tenant_id, grant_id);
CREATE INDEX api_tokens_by_expiry ON api_tokens (tenant_id, expires_at);

CREATE TABLE personal_tokens (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    -- Names of scopes with single spaces between them.
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX personal_tokens_by_user ON personal_tokens (tenant_id, user_id);

-- Single sign-on.

CREATE TABLE sso_connections (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    preset TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    -- Sealed: a client secret, or the key that signs one.
    secret BYTEA NOT NULL,
    -- What the preset needs besides, as JSON. Never a secret.
    settings TEXT NOT NULL,
    -- Mail domains whose people must come this way, with single spaces between them.
    domains TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, slug)
);

-- Who somebody is at an issuer. Never found by e-mail.
CREATE TABLE sso_identities (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    connection_id BIGINT NOT NULL,
    email TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, issuer, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES sso_connections (tenant_id, id)
);
CREATE INDEX sso_identities_by_user ON sso_identities (tenant_id, user_id);

-- Somebody who was sent to an issuer and has not come back.
CREATE TABLE sso_attempts (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    -- Of the state parameter.
    digest BYTEA NOT NULL,
    connection_id BIGINT NOT NULL,
    -- Of the cookie of the browser that began.
    browser BYTEA NOT NULL,
    -- Sealed: nonce and PKCE verifier.
    secrets BYTEA NOT NULL,
    next TEXT NOT NULL,
    -- Who is linking, when it is not a sign-in.
    user_id BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES sso_connections (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sso_attempts_by_expiry ON sso_attempts (tenant_id, expires_at);

-- What was done. Each row's MAC covers the one before; the head says how many there are.

CREATE TABLE audit_entries (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BIGINT,
    actor_name TEXT NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    details TEXT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_entries_by_act ON audit_entries (tenant_id, act, seq);
CREATE INDEX audit_entries_by_actor ON audit_entries (tenant_id, actor_id, seq);
CREATE INDEX audit_entries_by_name ON audit_entries (tenant_id, actor_name, seq);
CREATE INDEX audit_entries_by_time ON audit_entries (tenant_id, at);

CREATE TABLE audit_heads (
    tenant_id BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    seq BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    -- Covers seq and mac: rows cut off at the end leave a head that no longer fits.
    head_mac BYTEA NOT NULL
);

-- Mail that is to be sent, was sent, or cannot be.

CREATE TABLE mails (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    -- Sealed: subject, text and HTML, which may carry a link with a token. Emptied once it was sent.
    content BYTEA NOT NULL,
    -- queued, sent or dead.
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX mails_by_status ON mails (tenant_id, status, next_attempt_at);

-- The tenant's data keys, wrapped by the platform's key. Version 0 makes MACs and stays; from 1 on they seal, and old
-- ones stay until nothing is sealed under them.
CREATE TABLE data_keys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    version BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    -- When everything was sealed under this one; empty while a rotation to it is under way.
    completed_at BIGINT,
    PRIMARY KEY (tenant_id, version)
);
