-- Expert Advisors that a brand offers, who may run them, and where they run.

-- A system table: how far each tenant's licensing has moved. Whoever changes a licence moves `revision` on in the same
-- transaction, which also puts those changes in an order; servers read it to learn what they have to forget. `epoch` moves
-- when all licences of a tenant may be meant: a product, a policy, a signing key.
CREATE TABLE licensing_revisions (
    of_tenant BIGINT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    revision BIGINT NOT NULL,
    epoch BIGINT NOT NULL
);

CREATE TABLE ea_products (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    -- What the EA calls itself when it asks.
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    -- Codes of the plans that grant it, as JSON; an empty list: every plan does.
    plans TEXT NOT NULL,
    -- JSON Schema of its settings, and the number of that form.
    settings_schema TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code)
);

CREATE TABLE ea_versions (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    version TEXT NOT NULL,
    -- stable, beta.
    channel TEXT NOT NULL,
    changelog TEXT NOT NULL,
    -- The file, when there is one: what it is called, bytes, SHA-256.
    file_name TEXT,
    file_size BIGINT,
    file_digest BYTEA,
    created_at BIGINT NOT NULL,
    yanked_at BIGINT,
    yank_reason TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, product_id, version),
    FOREIGN KEY (tenant_id, product_id) REFERENCES ea_products (tenant_id, id)
);

CREATE TABLE licence_policies (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    -- What it allows, as JSON.
    terms TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, product_id, name),
    FOREIGN KEY (tenant_id, product_id) REFERENCES ea_products (tenant_id, id)
);

CREATE TABLE licences (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    policy_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    -- active, suspended, revoked.
    state TEXT NOT NULL,
    -- Why it is suspended or revoked.
    reason TEXT NOT NULL,
    -- The end of a licence that is renewed; the policy's own term when there is none.
    ends_at BIGINT,
    created_at BIGINT NOT NULL,
    first_used_at BIGINT,
    first_activated_at BIGINT,
    -- When a seat was last taken by somebody new.
    moved_at BIGINT,
    -- The tenant's revision at its last change; heartbeats do not count.
    revision BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, product_id) REFERENCES ea_products (tenant_id, id),
    FOREIGN KEY (tenant_id, policy_id) REFERENCES licence_policies (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX licences_by_user ON licences (tenant_id, user_id, id);
CREATE INDEX licences_by_product ON licences (tenant_id, product_id, id);
CREATE INDEX licences_by_revision ON licences (tenant_id, revision);

-- A licence has one key that is good, and those that were replaced, which are told so.
CREATE TABLE licence_keys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    licence_id BIGINT NOT NULL,
    -- What requests name it by: derived from the key, and says nothing of it.
    key_id BYTEA NOT NULL,
    -- The key itself, sealed.
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    replaced_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, key_id),
    FOREIGN KEY (tenant_id, licence_id) REFERENCES licences (tenant_id, id)
);
CREATE INDEX licence_keys_by_licence ON licence_keys (tenant_id, licence_id);

CREATE TABLE licence_activations (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    licence_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    server TEXT NOT NULL,
    machine TEXT NOT NULL,
    -- demo, contest, live.
    kind TEXT NOT NULL,
    platform TEXT NOT NULL,
    version TEXT NOT NULL,
    -- From where it was last heard.
    address TEXT NOT NULL,
    -- The nonce of the request that took it: asked again, it is the same seat.
    nonce TEXT NOT NULL,
    -- The key that signs now.
    generation BIGINT NOT NULL,
    taken_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    -- Given back by the EA or by a person.
    released_at BIGINT,
    -- Not heard from in time, and given to another.
    lapsed_at BIGINT,
    -- Usage: totals since it was first taken.
    sequence BIGINT NOT NULL,
    orders BIGINT NOT NULL,
    lots BIGINT NOT NULL,
    runtime_s BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, licence_id) REFERENCES licences (tenant_id, id)
);
CREATE INDEX licence_activations_by_licence ON licence_activations (tenant_id, licence_id, id);

-- Of each generation of an activation's key, the half that the server gave.
CREATE TABLE licence_salts (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    licence_id BIGINT NOT NULL,
    activation_id BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- Sealed.
    salt BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    -- From when on it signs nothing any more.
    retires_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, activation_id, generation),
    FOREIGN KEY (tenant_id, activation_id) REFERENCES licence_activations (tenant_id, id)
);
CREATE INDEX licence_salts_by_licence ON licence_salts (tenant_id, licence_id);

-- What happened to a licence's seats, for who looks at it later.
CREATE TABLE licence_events (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    licence_id BIGINT NOT NULL,
    activation_id BIGINT,
    at BIGINT NOT NULL,
    -- activated, taken_up, released, lapsed, moved.
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    machine TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, licence_id) REFERENCES licences (tenant_id, id)
);
CREATE INDEX licence_events_by_licence ON licence_events (tenant_id, licence_id, id);

CREATE TABLE licence_settings (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    licence_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    -- A flat JSON object.
    settings TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, licence_id),
    FOREIGN KEY (tenant_id, licence_id) REFERENCES licences (tenant_id, id)
);

-- Keys (Ed25519) with which a brand signs answers for servers and tools.
CREATE TABLE ea_keys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    -- Sealed.
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
