//! The part of a step that tells how deployments run.

use crate::{
    codec,
    entity::{TenantEntity, deployment_shadows, deployment_switches, deployment_usage, shadow_differences},
    error::StoreError,
    record::{MeteredHour, RunningBatch, ShadowStep},
    scope::{Preparation, PreparedRows, TenantTx},
};
use marque_domain::{
    id::DeploymentId,
    succession::{Difference, Shadow, ShadowEnd, Switch},
    time::Millis,
    usage::Usage,
};
use sea_orm::{
    ColumnTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Alias, CaseStatement, Expr, OnConflict, SimpleExpr},
};
use std::collections::BTreeMap;

/// Changes of release that are kept of each deployment; older ones are deleted.
pub const SWITCHES_KEPT: i64 = 100;
/// Differing decisions that are kept of a shadow; older ones are deleted, and counted on.
pub const DIFFERENCES_KEPT: i64 = 1_000;

/// Writes it in `tx`, except what was used up ([`usage`]). Differences come first: they are of the shadow that ran before.
pub(super) async fn write(tx: &TenantTx, batch: &RunningBatch) -> Result<(), StoreError> {
    write_switches(tx, &batch.switches).await?;
    write_comparisons(tx, &batch.compared, &batch.differences).await?;
    for step in &batch.shadows {
        match step {
            ShadowStep::Started(deployment, shadow) => start_shadow(tx, *deployment, shadow).await?,
            ShadowStep::Ended(deployment, end, at) => end_shadow(tx, *deployment, end, *at).await?,
        }
    }
    Ok(())
}

async fn write_switches(tx: &TenantTx, switches: &[Switch]) -> Result<(), StoreError> {
    use deployment_switches::{Column as C, Entity};
    for switch in switches {
        let mine = C::DeploymentId.eq(switch.deployment.0);
        let seq = last_number::<Entity>(tx, mine.clone(), C::Seq).await? + 1;
        tx.insert::<Entity>(vec![codec::switch_row(tx.tenant_id(), seq, switch)], None).await?;
        tx.run_delete(tx.delete::<Entity>().filter(mine).filter(C::Seq.lte(seq - SWITCHES_KEPT))).await?;
    }
    Ok(())
}

/// The greatest number among a deployment's rows.
async fn last_number<E: TenantEntity>(tx: &TenantTx, mine: SimpleExpr, number: E::Column) -> Result<i64, StoreError> {
    let last = tx.find::<E>().filter(mine).select_only().column_as(number.max(), "last");
    Ok(tx.tuples::<_, (Option<i64>,)>(last).await?.first().and_then(|row| row.0).unwrap_or(0))
}

/// What a step adds to the counts of one shadow.
#[derive(Default)]
struct Counted {
    compared: u64,
    differing: u64,
    failed: u64,
}

async fn write_comparisons(
    tx: &TenantTx,
    compared: &[(DeploymentId, u64)],
    differences: &[Difference],
) -> Result<(), StoreError> {
    use deployment_shadows::{Column as C, Entity};
    let mut counted: BTreeMap<DeploymentId, Counted> = BTreeMap::new();
    let mut listed: BTreeMap<DeploymentId, Vec<&Difference>> = BTreeMap::new();
    for (deployment, decisions) in compared {
        counted.entry(*deployment).or_default().compared += decisions;
    }
    for difference in differences {
        let counts = counted.entry(difference.deployment).or_default();
        counts.differing += 1;
        counts.failed += u64::from(difference.failed);
        listed.entry(difference.deployment).or_default().push(difference);
    }
    for (deployment, counts) in counted {
        let add = |column: C, more: u64| Expr::col(column).add(codec::amount(more));
        let update = tx
            .update::<Entity>()
            .filter(C::DeploymentId.eq(deployment.0))
            .col_expr(C::Compared, add(C::Compared, counts.compared))
            .col_expr(C::Differing, add(C::Differing, counts.differing))
            .col_expr(C::Failed, add(C::Failed, counts.failed));
        tx.run_update(update).await?;
    }
    for (deployment, differences) in listed {
        list_differences(tx, deployment, &differences).await?;
    }
    Ok(())
}

/// Numbers them after the last and drops what is too old to keep.
async fn list_differences(
    tx: &TenantTx,
    deployment: DeploymentId,
    differences: &[&Difference],
) -> Result<(), StoreError> {
    use shadow_differences::{Column as C, Entity};
    let mine = C::DeploymentId.eq(deployment.0);
    let last = last_number::<Entity>(tx, mine.clone(), C::Seq).await?;
    let numbered = (last + 1..).zip(differences);
    let rows: Vec<_> = numbered.map(|(seq, d)| codec::difference_row(tx.tenant_id(), seq, d)).collect();
    let newest = rows.last().map_or(last, |row| row.seq);
    tx.insert::<Entity>(rows, None).await?;
    tx.run_delete(tx.delete::<Entity>().filter(mine).filter(C::Seq.lte(newest - DIFFERENCES_KEPT))).await?;
    Ok(())
}

/// A new report takes the place of the last shadow's.
async fn start_shadow(tx: &TenantTx, deployment: DeploymentId, shadow: &Shadow) -> Result<(), StoreError> {
    use deployment_shadows::{Column as C, Entity};
    tx.run_delete(
        tx.delete::<shadow_differences::Entity>().filter(shadow_differences::Column::DeploymentId.eq(deployment.0)),
    )
    .await?;
    tx.run_delete(tx.delete::<Entity>().filter(C::DeploymentId.eq(deployment.0))).await?;
    tx.insert::<Entity>(vec![codec::shadow_row(tx.tenant_id(), deployment, shadow)], None).await?;
    Ok(())
}

async fn end_shadow(tx: &TenantTx, deployment: DeploymentId, end: &ShadowEnd, at: Millis) -> Result<(), StoreError> {
    use deployment_shadows::{Column as C, Entity};
    let update = tx
        .update::<Entity>()
        .filter(C::DeploymentId.eq(deployment.0))
        .col_expr(C::EndedAt, Expr::val(at.0))
        .col_expr(C::EndedHow, Expr::val(end.name()))
        .col_expr(C::EndedReason, Expr::val(end.reason().map(str::to_owned)));
    tx.run_update(update).await?;
    Ok(())
}

/// What was used up, to be added to what is stored of the hour.
pub(super) fn usage(to: &Preparation, hours: &[MeteredHour]) -> Result<PreparedRows, StoreError> {
    use deployment_usage::{Column as C, Entity};
    let mut sums: BTreeMap<(DeploymentId, Millis), MeteredHour> = BTreeMap::new();
    for hour in hours {
        let key = (hour.deployment, hour.hour);
        sums.entry(key).or_insert(MeteredHour { usage: Usage::default(), ..*hour }).usage += hour.usage;
    }
    let rows = sums.values().map(|hour| codec::usage_row(to.tenant_id(), hour)).collect();
    let stored = |column: C| Expr::col((Entity, column));
    let added = |column: C| Expr::col((Alias::new("excluded"), column));
    let sum = |column: C| stored(column).add(added(column));
    let peak = C::MemoryBytesPeak;
    let higher = CaseStatement::new().case(added(peak).gt(stored(peak)), added(peak)).finally(stored(peak));
    let add = OnConflict::columns([C::TenantId, C::DeploymentId, C::Hour])
        .values([
            (C::Calls, sum(C::Calls)),
            (C::Fuel, sum(C::Fuel)),
            (C::TimeNs, sum(C::TimeNs)),
            (peak, higher.into()),
        ])
        .to_owned();
    to.insert::<Entity>(rows, Some(add))
}
