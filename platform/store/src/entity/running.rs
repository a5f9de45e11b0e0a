//! How deployments run.

use super::TenantEntity;

entity!(deployment_switches, "deployment_switches", key { tenant_id: i64, deployment_id: i64, seq: i64 }, {
    at: i64, way: String, state: String, plugin_name: String, from_digest: Vec<u8>, from_settings: String,
    to_digest: Vec<u8>, to_settings: String,
});
entity!(deployment_shadows, "deployment_shadows", key { tenant_id: i64, deployment_id: i64 }, {
    plugin_name: String, digest: Vec<u8>, settings: String, since: i64, compared: i64, differing: i64, failed: i64,
    ended_at: Option<i64>, ended_how: Option<String>, ended_reason: Option<String>,
});
entity!(shadow_differences, "shadow_differences", key { tenant_id: i64, deployment_id: i64, seq: i64 }, {
    at: i64, moment: String, live: String, shadow: String, failed: bool,
});
entity!(deployment_usage, "deployment_usage", key { tenant_id: i64, deployment_id: i64, hour: i64 }, {
    account_id: i64, user_id: i64, calls: i64, fuel: i64, time_ns: i64, memory_bytes_peak: i64,
});

of_tenant!(deployment_switches, deployment_shadows, shadow_differences, deployment_usage);
