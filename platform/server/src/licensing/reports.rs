//! Reports on their way to the database: those that wait together are made durable together.
//!
//! A report alone costs a transaction, and on SQLite writers follow one another. While one group is written the next gathers, so
//! groups grow with the load and nobody waits for a clock. Nothing is answered before it lasts.

use crate::problem::{Problem, ProblemCode};
use marque_domain::id::TenantId;
use marque_store::{SeatReport, SystemDb};
use std::sync::{Arc, Mutex as Plain, MutexGuard, PoisonError};
use tokio::sync::{Mutex, oneshot};

/// Reports of one transaction.
const GROUP_MAX: usize = 256;

type Outcome = Result<bool, Problem>;
type Waiting = (TenantId, SeatReport, oneshot::Sender<Outcome>);

/// Where reports wait. Cloning shares it.
#[derive(Clone)]
pub(super) struct Reports(Arc<Parts>);

struct Parts {
    system: SystemDb,
    waiting: Plain<Vec<Waiting>>,
    /// Whose turn it is to write.
    turn: Arc<Mutex<()>>,
}

impl Reports {
    pub fn new(system: SystemDb) -> Self {
        Self(Arc::new(Parts { system, waiting: Plain::default(), turn: Arc::default() }))
    }

    /// Takes a report. Answers whether it was taken, once that lasts.
    ///
    /// # Errors
    /// [`crate::problem::ProblemCode::Unavailable`]; it may have lasted then.
    pub async fn take(&self, tenant: TenantId, report: SeatReport) -> Outcome {
        let (tell, mut told) = oneshot::channel();
        self.0.waiting().push((tenant, report, tell));
        loop {
            tokio::select! {
                biased;
                outcome = &mut told => return outcome.unwrap_or_else(|_| Err(lost())),
                turn = Arc::clone(&self.0.turn).lock_owned() => {
                    let parts = Arc::clone(&self.0);
                    // Whoever asked may go away in the middle; the others of the group must not be left in doubt by that.
                    tokio::spawn(async move {
                        parts.write_some().await;
                        drop(turn);
                    });
                }
            }
        }
    }
}

impl Parts {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes those that have waited longest, and tells each what came of it.
    async fn write_some(&self) {
        let group: Vec<Waiting> = {
            let mut waiting = self.waiting();
            let some = waiting.len().min(GROUP_MAX);
            waiting.drain(..some).collect()
        };
        let (reports, tells): (Vec<_>, Vec<_>) =
            group.into_iter().map(|(tenant, report, tell)| ((tenant, report), tell)).unzip();
        let outcomes: Vec<Outcome> = match self.system.report_usages(&reports).await {
            Ok(taken) => taken.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(Problem::from(error)); tells.len()],
        };
        for (tell, outcome) in tells.into_iter().zip(outcomes) {
            // Who went away need not be told.
            let _ = tell.send(outcome);
        }
    }
}

/// What was written nobody knows: the server is going down.
fn lost() -> Problem {
    Problem::new(ProblemCode::Unavailable, "Report again in a moment; what was taken is not taken twice.")
        .retry_after_s(1)
}
