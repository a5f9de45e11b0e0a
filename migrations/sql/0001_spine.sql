-- The first schema, in PostgreSQL's words. SQLite reads the same text with a few words exchanged (see
-- `dialect.rs`). Ids, times (milliseconds since 1970) and amounts (units of 1e-8) are BIGINT. A tenant's
-- table has (tenant_id, id) as its key, and every reference between tenant tables carries tenant_id, so a
-- row cannot point at another tenant's row whatever the code does.

-- System tables: known before a tenant is.

CREATE TABLE tenants (
    id BIGINT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    theme TEXT NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE tenant_hosts (
    host TEXT NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL REFERENCES tenants (id)
);
CREATE INDEX tenant_hosts_by_tenant ON tenant_hosts (tenant_id);

-- Content addressed: the key is the SHA-256 of the bytes.
CREATE TABLE plugin_artifacts (
    digest BYTEA NOT NULL PRIMARY KEY,
    bytes BYTEA NOT NULL
);

-- People.

CREATE TABLE users (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    email TEXT NOT NULL,
    display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);

CREATE TABLE sessions (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    token_hash BYTEA NOT NULL,
    user_id BIGINT NOT NULL,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);
CREATE INDEX sessions_by_expiry ON sessions (tenant_id, expires_at);

CREATE TABLE idempotency (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    user_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status BIGINT,
    body BYTEA,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, key),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX idempotency_by_age ON idempotency (tenant_id, created_at);

-- Plugins that a tenant offers.

CREATE TABLE plugins (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL REFERENCES plugin_artifacts (digest),
    size BIGINT NOT NULL,
    description TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest)
);
CREATE INDEX plugins_by_name ON plugins (tenant_id, name);

-- Trading. These rows are projections of the journal, kept for queries.

CREATE TABLE accounts (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    initial_balance BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    leverage BIGINT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    terms TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX accounts_by_user ON accounts (tenant_id, user_id, id);

CREATE TABLE deployments (
    tenant_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    plugin_name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    settings TEXT NOT NULL,
    instrument_id BIGINT NOT NULL,
    timeframe TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id)
);
CREATE INDEX deployments_by_account ON deployments (tenant_id, account_id, id);

CREATE TABLE positions (
    tenant_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    deployment_id BIGINT,
    instrument_id BIGINT NOT NULL,
    side TEXT NOT NULL,
    lots BIGINT NOT NULL,
    open_price BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    stop_loss BIGINT,
    take_profit BIGINT,
    closed_at BIGINT,
    close_price BIGINT,
    profit BIGINT,
    close_origin TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX positions_by_account ON positions (tenant_id, account_id, id);

CREATE TABLE orders (
    tenant_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    deployment_id BIGINT,
    instrument_id BIGINT NOT NULL,
    side TEXT NOT NULL,
    lots BIGINT NOT NULL,
    closes_position_id BIGINT,
    origin TEXT NOT NULL,
    stop_loss BIGINT,
    take_profit BIGINT,
    state TEXT NOT NULL,
    fill_price BIGINT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id),
    FOREIGN KEY (tenant_id, closes_position_id) REFERENCES positions (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX orders_by_account ON orders (tenant_id, account_id, id);

CREATE TABLE decisions (
    tenant_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    deployment_id BIGINT,
    origin TEXT NOT NULL,
    at BIGINT NOT NULL,
    order_id BIGINT,
    denial TEXT,
    intent TEXT NOT NULL,
    answers TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
CREATE INDEX decisions_by_account ON decisions (tenant_id, account_id, id);

CREATE TABLE equity_points (
    tenant_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    equity BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, account_id, at),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id)
) WITHOUT ROWID;

CREATE TABLE deployment_logs (
    tenant_id BIGINT NOT NULL,
    deployment_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (tenant_id, deployment_id, seq),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
);

-- The books: written once, never changed.

CREATE TABLE ledger_transactions (
    tenant_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    reference BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, account_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id)
) WITHOUT ROWID;

CREATE TABLE ledger_postings (
    tenant_id BIGINT NOT NULL,
    transaction_id BIGINT NOT NULL,
    line BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    book TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, transaction_id, line),
    FOREIGN KEY (tenant_id, account_id, transaction_id)
        REFERENCES ledger_transactions (tenant_id, account_id, id)
) WITHOUT ROWID;
CREATE INDEX ledger_postings_by_account ON ledger_postings (tenant_id, account_id, book);

-- Shards: what the engine recovers from.

CREATE TABLE journal (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    shard BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, shard, seq)
);

CREATE TABLE shard_marks (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    shard BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    mark BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, shard)
) WITHOUT ROWID;

CREATE TABLE shard_checkpoints (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    shard BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    state BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, shard)
);
