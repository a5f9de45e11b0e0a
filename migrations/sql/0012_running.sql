-- How deployments run: which releases followed each other, what ran beside them, and what they used up.

CREATE TABLE deployment_switches (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    deployment_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- upgrade, rollback, promotion.
    way TEXT NOT NULL,
    -- carried, own, fresh.
    state TEXT NOT NULL,
    plugin_name TEXT NOT NULL,
    from_digest BYTEA NOT NULL,
    from_settings TEXT NOT NULL,
    to_digest BYTEA NOT NULL,
    to_settings TEXT NOT NULL,
    PRIMARY KEY (tenant_id, deployment_id, seq),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
);

-- The last shadow of each deployment.
CREATE TABLE deployment_shadows (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    deployment_id BIGINT NOT NULL,
    plugin_name TEXT NOT NULL,
    digest BYTEA NOT NULL,
    settings TEXT NOT NULL,
    since BIGINT NOT NULL,
    -- Decisions that were compared, those that differed, and those that failed.
    compared BIGINT NOT NULL,
    differing BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    ended_at BIGINT,
    -- dropped, promoted, overtaken, stopped, failed.
    ended_how TEXT,
    ended_reason TEXT,
    PRIMARY KEY (tenant_id, deployment_id),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
);

CREATE TABLE shadow_differences (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    deployment_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- tick, bar, order_update, timer, refusal.
    moment TEXT NOT NULL,
    live TEXT NOT NULL,
    shadow TEXT NOT NULL,
    failed BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, deployment_id, seq),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
);

-- By hours of the server's clock: the sum of each, and of memory the most.
CREATE TABLE deployment_usage (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    deployment_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    fuel BIGINT NOT NULL,
    time_ns BIGINT NOT NULL,
    memory_bytes_peak BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, deployment_id, hour),
    FOREIGN KEY (tenant_id, deployment_id) REFERENCES deployments (tenant_id, id)
);
CREATE INDEX deployment_usage_by_user ON deployment_usage (tenant_id, user_id, hour);
CREATE INDEX deployment_usage_by_hour ON deployment_usage (tenant_id, hour);
CREATE INDEX decisions_by_deployment ON decisions (tenant_id, deployment_id, id);
