//! How deployments run.

use super::{Decoded, digest, named};
use crate::{
    entity::{deployment_shadows, deployment_switches, deployment_usage, shadow_differences},
    error::StoreError,
    record::{MeteredHour, NumberedDifference, ShadowReport},
};
use marque_domain::{
    id::DeploymentId,
    plugin::PluginRef,
    succession::{Difference, Moment, Shadow, ShadowEnd, StateKept, Switch, Way},
    time::Millis,
};

pub(crate) fn switch(row: deployment_switches::Model) -> Decoded<Switch> {
    let name = row.plugin_name;
    Ok(Switch {
        deployment: DeploymentId(row.deployment_id),
        at: Millis(row.at),
        way: named("switch", &Way::ALL, Way::name, &row.way)?,
        state: named("switch", &StateKept::ALL, StateKept::name, &row.state)?,
        from: PluginRef {
            digest: digest("switch", &row.from_digest)?,
            name: name.clone(),
            settings: row.from_settings,
        },
        to: PluginRef { digest: digest("switch", &row.to_digest)?, name, settings: row.to_settings },
    })
}

pub(crate) fn switch_row(tenant_id: i64, seq: i64, switch: &Switch) -> deployment_switches::Model {
    deployment_switches::Model {
        tenant_id,
        deployment_id: switch.deployment.0,
        seq,
        at: switch.at.0,
        way: switch.way.name().to_owned(),
        state: switch.state.name().to_owned(),
        plugin_name: switch.to.name.clone(),
        from_digest: switch.from.digest.0.to_vec(),
        from_settings: switch.from.settings.clone(),
        to_digest: switch.to.digest.0.to_vec(),
        to_settings: switch.to.settings.clone(),
    }
}

pub(crate) fn shadow(row: deployment_shadows::Model) -> Decoded<ShadowReport> {
    let ended = match (row.ended_at, row.ended_how.as_deref()) {
        (None, None) => None,
        (Some(at), Some(how)) => Some((Millis(at), shadow_end(how, row.ended_reason)?)),
        _ => return Err(StoreError::corrupt("shadow", "half an end")),
    };
    Ok(ShadowReport {
        shadow: Shadow {
            plugin: PluginRef { digest: digest("shadow", &row.digest)?, name: row.plugin_name, settings: row.settings },
            since: Millis(row.since),
        },
        compared: count(row.compared),
        differing: count(row.differing),
        failed: count(row.failed),
        ended,
    })
}

fn shadow_end(how: &str, reason: Option<String>) -> Decoded<ShadowEnd> {
    match how {
        "dropped" => Ok(ShadowEnd::Dropped),
        "promoted" => Ok(ShadowEnd::Promoted),
        "overtaken" => Ok(ShadowEnd::Overtaken),
        "stopped" => Ok(ShadowEnd::Stopped),
        "failed" => Ok(ShadowEnd::Failed(reason.unwrap_or_default())),
        other => Err(StoreError::corrupt("shadow", format!("end {other}"))),
    }
}

pub(crate) fn shadow_row(tenant_id: i64, deployment: DeploymentId, shadow: &Shadow) -> deployment_shadows::Model {
    deployment_shadows::Model {
        tenant_id,
        deployment_id: deployment.0,
        plugin_name: shadow.plugin.name.clone(),
        digest: shadow.plugin.digest.0.to_vec(),
        settings: shadow.plugin.settings.clone(),
        since: shadow.since.0,
        compared: 0,
        differing: 0,
        failed: 0,
        ended_at: None,
        ended_how: None,
        ended_reason: None,
    }
}

pub(crate) fn difference(row: shadow_differences::Model) -> Decoded<NumberedDifference> {
    let difference = Difference {
        deployment: DeploymentId(row.deployment_id),
        at: Millis(row.at),
        moment: named("difference", &Moment::ALL, Moment::name, &row.moment)?,
        live: row.live,
        shadow: row.shadow,
        failed: row.failed,
    };
    Ok(NumberedDifference { seq: row.seq, difference })
}

pub(crate) fn difference_row(tenant_id: i64, seq: i64, difference: &Difference) -> shadow_differences::Model {
    shadow_differences::Model {
        tenant_id,
        deployment_id: difference.deployment.0,
        seq,
        at: difference.at.0,
        moment: difference.moment.name().to_owned(),
        live: difference.live.clone(),
        shadow: difference.shadow.clone(),
        failed: difference.failed,
    }
}

pub(crate) fn usage_row(tenant_id: i64, metered: &MeteredHour) -> deployment_usage::Model {
    let usage = &metered.usage;
    deployment_usage::Model {
        tenant_id,
        deployment_id: metered.deployment.0,
        hour: metered.hour.0,
        account_id: metered.account.0,
        user_id: metered.user.0,
        calls: amount(usage.calls),
        fuel: amount(usage.fuel),
        time_ns: amount(usage.time_ns),
        memory_bytes_peak: amount(usage.memory_bytes_peak),
    }
}

/// A count as a column holds it.
pub(crate) fn amount(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What a column of counts says.
pub(crate) fn count(amount: i64) -> u64 {
    u64::try_from(amount).unwrap_or_default()
}
