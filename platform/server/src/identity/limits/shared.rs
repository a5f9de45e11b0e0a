//! Counters in Redis, shared by all nodes: one script decides and counts, so that no two nodes let the same last try
//! through.

use super::{
    Unreachable,
    policy::{Counter, Stand, Tally},
};
use crate::secrets::{self, Secret};
use marque_domain::time::Millis;
use redis::{
    Client, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// Longer than a healthy Redis ever takes; a person waits for it at sign-in.
const ANSWER: Duration = Duration::from_millis(500);
/// After it did not answer it is left alone for this long, so that not every request waits for it.
const PAUSE_MS: i64 = 1_000;

/// Redis cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("`redis_url` cannot be used: {0}. Write it like redis://:password@127.0.0.1:6379/0, or leave it empty")]
pub struct LimitsError(redis::RedisError);

pub(super) struct Shared {
    connection: ConnectionManager,
    script: Script,
    paused_until: AtomicI64,
}

impl Shared {
    pub(super) fn new(url: &Secret) -> Result<Self, LimitsError> {
        let client = Client::open(url.expose()).map_err(LimitsError)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(LimitsError)?;
        Ok(Self { connection, script: Script::new(include_str!("take.lua")), paused_until: AtomicI64::new(i64::MIN) })
    }

    pub(super) async fn take(&self, counters: &[Counter], now: Millis) -> Result<Tally, Unreachable> {
        let paused = self.paused_until.load(Ordering::Relaxed);
        // A clock set back must not prolong the pause.
        if (now.0..=now.0.saturating_add(PAUSE_MS)).contains(&paused) {
            return Err(Unreachable);
        }
        let name = secrets::random_bytes::<16>().map_err(|_| Unreachable)?;
        let mut call = self.script.prepare_invoke();
        call.arg(now.0).arg(name.as_slice());
        for Counter { key, policy } in counters {
            call.key(key).arg(policy.quota).arg(policy.window_ms());
        }
        let mut connection = self.connection.clone();
        let answer = tokio::time::timeout(ANSWER * 2, call.invoke_async::<Vec<i64>>(&mut connection)).await;
        let fault = match answer {
            Ok(Ok(numbers)) => return read(&numbers, counters.len()).ok_or(Unreachable),
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        tracing::error!(fault, "Redis cannot be asked for limits: signing in is closed, the rest is counted here");
        self.paused_until.store(now.0.saturating_add(PAUSE_MS), Ordering::Relaxed);
        Err(Unreachable)
    }

    pub(super) async fn forget(&self, key: &str) {
        let mut connection = self.connection.clone();
        let mut command = redis::cmd("DEL");
        let gone = command.arg(key).query_async::<()>(&mut connection);
        if let Ok(Err(fault)) = tokio::time::timeout(ANSWER, gone).await {
            tracing::warn!(%fault, "tries could not be forgotten after a success");
        }
    }
}

/// What the script answered.
fn read(numbers: &[i64], counters: usize) -> Option<Tally> {
    let (allowed, rest) = numbers.split_first()?;
    let stands: Vec<Stand> = rest
        .chunks_exact(2)
        .filter_map(|pair| match pair {
            [used, oldest] => Some(Stand { used: u32::try_from(*used).ok()?, oldest: Millis(*oldest) }),
            _ => None,
        })
        .collect();
    (stands.len() == counters).then_some(Tally { allowed: *allowed == 1, stands })
}
