//! How the whole does: true and not constant.
//!
//! A reading is used for at most [`FRESH`]; one that fails is `unknown`, and unknown is not healthy.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use domain::Timestamp;
use queue::StoreError;
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use crate::{
    problem::{Code, Problem, chain},
    state::App,
};

/// How long a reading is used.
pub const FRESH: Duration = Duration::from_secs(5);

/// How long the store may take to answer before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(3);

/// From how many ready jobs on a tier begins.
const WARNING_FROM: u64 = 1_000;
const CRITICAL_FROM: u64 = 5_000;
const OVERFLOW_FROM: u64 = 10_000;

/// When to ask again whether the store is back, in seconds.
const READY_RETRY_SECONDS: u32 = 5;

/// How the whole does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`, or `degraded`: the store is out of reach, a reading failed, or far too many jobs wait.
    pub status: HealthStatus,
    /// The store.
    pub store: StoreHealth,
    /// What waits, over all tenants.
    pub queue: QueueHealth,
    /// Robots heard of in the last two minutes, over all tenants; `null` when that cannot be read.
    pub robots_online: Option<u64>,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    Healthy,
    /// Something is not.
    Degraded,
}

/// Which store there is, and whether it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreHealth {
    /// `sqlite`, `postgres`, …
    #[schema(example = "sqlite")]
    pub kind: String,
    /// Whether it answers.
    pub status: StoreStatus,
}

/// Whether a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreStatus {
    /// It does.
    Healthy,
    /// It does not.
    Unreachable,
}

/// What waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueueHealth {
    /// The tier of `ready`.
    pub status: Tier,
    /// Ready jobs, counted up to 10,000; `null` when they cannot be counted.
    pub ready: Option<u64>,
}

/// How much waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Fewer than 1,000 ready jobs.
    Normal,
    /// 1,000 or more.
    Warning,
    /// 5,000 or more.
    Critical,
    /// 10,000 or more.
    Overflow,
    /// They cannot be counted.
    Unknown,
}

impl Tier {
    fn of(ready: Option<u64>) -> Self {
        match ready {
            None => Self::Unknown,
            Some(OVERFLOW_FROM..) => Self::Overflow,
            Some(CRITICAL_FROM..) => Self::Critical,
            Some(WARNING_FROM..) => Self::Warning,
            Some(_) => Self::Normal,
        }
    }
}

/// The latest reading and when it was taken.
pub(crate) type HealthCache = Mutex<Option<(Timestamp, Health)>>;

/// How the whole does, read at most [`FRESH`] ago.
pub async fn health(app: &App) -> Health {
    let now = app.engine.now();
    let kept = app.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, health)) = kept.filter(|(at, _)| *at <= now && now.since(*at) < FRESH) {
        return health;
    }
    let health = look(app).await;
    *app.health.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, health.clone()));
    health
}

async fn look(app: &App) -> Health {
    let engine = &app.engine;
    let (store, ready, robots_online) = futures::join!(
        answered(engine.ping()),
        answered(engine.depth(OVERFLOW_FROM)),
        answered(engine.robots_online()),
    );
    let tier = Tier::of(ready);
    let reached = store.is_some();
    let well = reached && robots_online.is_some() && matches!(tier, Tier::Normal | Tier::Warning);
    if tier == Tier::Warning {
        warn!("{WARNING_FROM} jobs or more are ready and wait for robots");
    }
    Health {
        status: if well {
            HealthStatus::Healthy
        } else {
            HealthStatus::Degraded
        },
        store: store_health(app, reached),
        queue: QueueHealth { status: tier, ready },
        robots_online,
    }
}

/// Whether the store can be reached now, or the problem that it cannot.
pub async fn ready(app: &App) -> Result<StoreHealth, Problem> {
    if answered(app.engine.ping()).await.is_some() {
        return Ok(store_health(app, true));
    }
    Err(Problem::new(Code::StoreUnavailable, "The store is out of reach.").retry_after(READY_RETRY_SECONDS))
}

/// The kind of store, and whether it was `reached`.
pub fn store_health(app: &App, reached: bool) -> StoreHealth {
    StoreHealth {
        kind: app.engine.store().name().to_owned(),
        status: if reached {
            StoreStatus::Healthy
        } else {
            StoreStatus::Unreachable
        },
    }
}

/// The answer, unless it is an error or takes too long.
async fn answered<T>(call: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            warn!("Cannot read the store's health: {}", chain(&error));
            None
        }
        Err(_) => {
            warn!("The store did not answer within {} s", PATIENCE.as_secs());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_begin_where_they_are_said_to() {
        for (ready, tier) in [
            (Some(0), Tier::Normal),
            (Some(999), Tier::Normal),
            (Some(1_000), Tier::Warning),
            (Some(5_000), Tier::Critical),
            (Some(10_000), Tier::Overflow),
            (None, Tier::Unknown),
        ] {
            assert_eq!(Tier::of(ready), tier, "{ready:?}");
        }
    }
}
