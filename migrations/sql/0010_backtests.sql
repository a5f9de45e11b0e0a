-- Backtests that people started, what came of them, and the keys that sign what a brand vouches for.

CREATE TABLE backtests (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    -- single, sweep or walk_forward.
    kind TEXT NOT NULL,
    -- What is tested, as JSON.
    spec TEXT NOT NULL,
    -- queued, running, done, failed or cancelled.
    status TEXT NOT NULL,
    -- Thousandths of all runs that are done, and how many runs there are.
    done BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    -- Somebody does not want it any more.
    cancel_asked BIGINT NOT NULL,
    -- Why it failed.
    fault TEXT,
    -- The figures of a finished one, as JSON, for lists.
    summary TEXT,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    -- When who runs it was last heard of.
    heard_at BIGINT,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX backtests_by_user ON backtests (tenant_id, user_id, id);
CREATE INDEX backtests_by_status ON backtests (tenant_id, status, id);

CREATE TABLE backtest_reports (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    -- Trades, equity, figures: postcard.
    report BYTEA NOT NULL,
    -- The signed certificate, as text; of a walk-forward there is none.
    certificate TEXT,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, id) REFERENCES backtests (tenant_id, id)
);

CREATE TABLE signing_keys (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    id BIGINT NOT NULL,
    -- Ed25519, 32 bytes. Anybody may have it.
    public_key BYTEA NOT NULL,
    -- Sealed.
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    -- From when on nothing is signed with it; what it signed stays good.
    retired_at BIGINT,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, public_key)
);
