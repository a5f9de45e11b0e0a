-- What authors publish, before and after a brand lets it in.

-- stable, beta.
ALTER TABLE plugins ADD COLUMN channel TEXT NOT NULL DEFAULT 'stable';
-- Whether an author published it and the brand let it in; else the operator added it.
ALTER TABLE plugins ADD COLUMN published BOOLEAN NOT NULL DEFAULT FALSE;

-- Public keys (Ed25519) that authors sign with. A revoked key stays: what it signed is still told apart.
CREATE TABLE author_keys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, public_key),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX author_keys_by_user ON author_keys (tenant_id, user_id, id);

CREATE TABLE plugin_releases (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    key_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    contract TEXT NOT NULL,
    digest BYTEA NOT NULL REFERENCES plugin_artifacts (digest),
    size BIGINT NOT NULL,
    description TEXT NOT NULL,
    signature BYTEA NOT NULL,
    changelog TEXT NOT NULL,
    -- The gate's, as JSON.
    report TEXT NOT NULL,
    -- pending, approved, refused, yanked.
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name, version),
    UNIQUE (tenant_id, digest),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, key_id) REFERENCES author_keys (tenant_id, id)
);
CREATE INDEX plugin_releases_by_user ON plugin_releases (tenant_id, user_id, id);
