//! Backtests and signing keys.

use super::TenantEntity;

entity!(backtests, "backtests", key { tenant_id: i64, id: i64 }, {
    user_id: i64, kind: String, spec: String, status: String, done: i64, runs: i64, cancel_asked: i64,
    fault: Option<String>, summary: Option<String>, created_at: i64, started_at: Option<i64>, heard_at: Option<i64>,
    finished_at: Option<i64>, attempts: i64,
});
entity!(backtest_reports, "backtest_reports", key { tenant_id: i64, id: i64 }, {
    report: Vec<u8>, certificate: Option<String>,
});
entity!(backtest_usage, "backtest_usage", key { tenant_id: i64, user_id: i64, hour: i64 }, { fuel: i64 });
entity!(signing_keys, "signing_keys", key { tenant_id: i64, id: i64 }, {
    public_key: Vec<u8>, secret: Vec<u8>, created_at: i64, retired_at: Option<i64>,
});

of_tenant!(backtests, backtest_reports, backtest_usage, signing_keys);
