-- Fuel that backtests of a person used, by hours of the server's clock.
CREATE TABLE backtest_usage (
    tenant_id BIGINT NOT NULL REFERENCES tenants (id),
    user_id BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    fuel BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, user_id, hour),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX backtest_usage_by_hour ON backtest_usage (tenant_id, hour);
