//! What a robot and the server say to each other in a sync.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Job, JobId, LeaseToken, Timestamp,
    job::{Fence, Progress},
    robot::Mode,
};

/// What a robot says in a sync.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncRequest {
    /// Its session.
    pub epoch: u64,
    /// The number of this sync within the session.
    pub seq: u64,
    /// What it says of itself.
    pub mode: Mode,
    /// How many more jobs it could take.
    pub free_slots: u32,
    /// What it works on.
    pub running: Vec<Listed>,
}

/// A job that a robot says it works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The job.
    pub job: JobId,
    /// The lease it works under.
    pub fence: Fence,
    /// How far it is, if it says.
    pub progress: Option<Progress>,
}

/// What a robot is told.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncAnswer {
    /// The server's time.
    pub server_time: Timestamp,
    /// When to sync next.
    pub next_sync: Duration,
    /// What became of each job it listed, in their order.
    pub leases: Vec<LeaseAnswer>,
    /// The jobs it is given.
    pub assign: Vec<Assignment>,
    /// Whether it is to take nothing new.
    pub drain: bool,
}

/// What became of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseAnswer {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub attempt: u32,
    /// What became of it.
    pub status: LeaseStatus,
    /// How long the lease is from now on; `None` when it is lost.
    pub ttl: Option<Duration>,
    /// How long the robot has to stop; `None` unless it is to.
    pub grace: Option<Duration>,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// The robot has it on.
    Renewed,
    /// It is over: the robot must stop.
    Lost,
    /// The robot has it, and is asked to stop.
    Cancel,
}

/// A job that a robot is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The job.
    pub job: Job,
    /// The attempt.
    pub attempt: u32,
    /// What to show with each report.
    pub token: LeaseToken,
    /// How long the lease is from now on.
    pub lease_ttl: Duration,
    /// The payload as compact JSON; `None` is `null`.
    pub payload: Option<String>,
    /// What earlier attempts kept, as JSON, by name.
    pub checkpoints: BTreeMap<String, String>,
}
