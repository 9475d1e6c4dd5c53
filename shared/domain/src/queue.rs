//! A queue's settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    names::{QueueName, TenantName},
    time::Timestamp,
};

/// A queue. It comes into being with its first job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Whose it is.
    pub tenant: TenantName,
    /// While it is paused, none of its jobs is handed out.
    pub paused: bool,
    /// How a robot is chosen among those that fit.
    pub strategy: Strategy,
    /// How long a lease of its jobs is, 10 to 3600.
    pub lease_seconds: u32,
    /// Since when it is there.
    pub created_at: Timestamp,
}

impl Queue {
    /// The shortest lease, in seconds.
    pub const LEASE_SECONDS_MIN: u32 = 10;
    /// The longest lease, in seconds.
    pub const LEASE_SECONDS_MAX: u32 = 3_600;
    /// The lease of a queue nobody has set one for, in seconds.
    pub const LEASE_SECONDS: u32 = 60;

    /// A queue as it is before anybody changes it.
    pub fn new(name: QueueName, tenant: TenantName, now: Timestamp) -> Self {
        Self {
            name,
            tenant,
            paused: false,
            strategy: Strategy::default(),
            lease_seconds: Self::LEASE_SECONDS,
            created_at: now,
        }
    }

    /// How long a lease of its jobs is.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(u64::from(self.lease_seconds))
    }
}

/// How a robot is chosen among those that fit a job, after the job's own preferences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The one that uses the smallest share of its slots.
    #[default]
    LeastLoaded,
    /// The one that was given nothing for the longest time.
    RoundRobin,
    /// Any.
    Random,
    /// One that had this workflow lately, then the least loaded.
    Affinity,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 4] = [Self::LeastLoaded, Self::RoundRobin, Self::Random, Self::Affinity];

    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastLoaded => "least_loaded",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Affinity => "affinity",
        }
    }

    /// The strategy of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == word)
    }
}
