//! What is kept of how deployments run.

use marque_domain::{
    id::{AccountId, DeploymentId, UserId},
    succession::{Difference, Shadow, ShadowEnd, Switch},
    time::Millis,
    usage::Usage,
};

/// A shadow began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShadowStep {
    /// It began.
    Started(DeploymentId, Shadow),
    /// It ended.
    Ended(DeploymentId, ShadowEnd, Millis),
}

/// What a deployment used up within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeteredHour {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Its account.
    pub account: AccountId,
    /// Whose that is.
    pub user: UserId,
    /// The beginning of the hour, by the server's clock.
    pub hour: Millis,
    /// What was used, beside what is stored of that hour.
    pub usage: Usage,
}

/// What a step leaves behind of how deployments run. Comparisons belong to the shadows from before `shadows`.
#[derive(Debug, Clone, Default)]
pub struct RunningBatch {
    /// Releases that followed others.
    pub switches: Vec<Switch>,
    /// How many decisions of each shadow were compared.
    pub compared: Vec<(DeploymentId, u64)>,
    /// Those that differed.
    pub differences: Vec<Difference>,
    /// Shadows that began or ended, in their order.
    pub shadows: Vec<ShadowStep>,
    /// What was used up.
    pub usage: Vec<MeteredHour>,
}

/// The last shadow of a deployment and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowReport {
    /// What ran, and since when.
    pub shadow: Shadow,
    /// Decisions that were compared.
    pub compared: u64,
    /// Those that differed, failures included.
    pub differing: u64,
    /// Those that the shadow failed at.
    pub failed: u64,
    /// When and how it ended; none while it runs.
    pub ended: Option<(Millis, ShadowEnd)>,
}

/// A differing decision with its number within the shadow's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedDifference {
    /// Counts up from 1.
    pub seq: i64,
    /// What differed.
    pub difference: Difference,
}

/// What a deployment used up over some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeploymentUsage {
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Its account.
    pub account: AccountId,
    /// Whose that is.
    pub user: UserId,
    /// What was used.
    pub usage: Usage,
}

/// What the people on one plan used up together over some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanUsage {
    /// The plan's code; none for those who were put on no plan, and have the brand's first.
    pub plan: Option<String>,
    /// How many people used something.
    pub people: u64,
    /// What was used.
    pub usage: Usage,
}
