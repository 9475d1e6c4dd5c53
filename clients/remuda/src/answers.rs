//! What the API answers, as far as this command reads it.
//!
//! Fields that are not named here are left alone, so a newer server does not break an older command; `--json` prints
//! them all, for it prints the answer itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins; none on the last.
    pub(crate) next_cursor: Option<String>,
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) workflow: String,
    pub(crate) workflow_version: Option<String>,
    pub(crate) payload: Option<Box<RawValue>>,
    pub(crate) queue: String,
    pub(crate) priority: u8,
    pub(crate) run_at: Option<Timestamp>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) timeouts: Option<Timeouts>,
    pub(crate) retry: Option<Retry>,
    pub(crate) requires: Option<Requirements>,
    pub(crate) on_lost: Option<String>,
    pub(crate) dedup: Option<Dedup>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) attempt: u32,
    pub(crate) attempts_left: Option<u32>,
    pub(crate) robot: Option<String>,
    pub(crate) progress: Option<Progress>,
    pub(crate) result: Option<Box<RawValue>>,
    pub(crate) error: Option<JobError>,
    pub(crate) created_at: Timestamp,
    pub(crate) ready_at: Option<Timestamp>,
    pub(crate) leased_at: Option<Timestamp>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) cancel_requested_at: Option<Timestamp>,
    pub(crate) retry_of: Option<String>,
    pub(crate) version: Option<u64>,
}

impl Job {
    /// Whether the job has ended, one way or another.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "timed_out" | "cancelled")
    }

    /// Whether the job ended well.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.state == "succeeded"
    }
}

/// How long a job may wait and run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Timeouts {
    pub(crate) queue_seconds: Option<i64>,
    pub(crate) run_seconds: Option<i64>,
}

/// How often a job is tried.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Retry {
    pub(crate) max_attempts: u32,
}

/// What a robot must have to run a job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Requirements {
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    pub(crate) environment: Option<String>,
    pub(crate) robot: Option<String>,
}

/// The key of which only one unfinished job exists in a queue.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dedup {
    pub(crate) key: String,
}

/// How far a robot says that it has come.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Progress {
    pub(crate) percent: Option<f64>,
    pub(crate) message: Option<String>,
}

/// Why an attempt failed, in the robot's words.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct JobError {
    pub(crate) kind: String,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
}

/// Every transition of a job, oldest first.
#[derive(Debug, Deserialize)]
pub(crate) struct History {
    pub(crate) items: Vec<Transition>,
}

/// One transition of a job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Transition {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    #[serde(default)]
    pub(crate) attempt: u32,
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
}

/// Why a job is where it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Explanation {
    pub(crate) state: String,
    pub(crate) reasons: Vec<Cause>,
    #[serde(default)]
    pub(crate) nearest_robots: Vec<NearestRobot>,
}

/// One cause.
#[derive(Debug, Deserialize)]
pub(crate) struct Cause {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A robot that could almost run a job.
#[derive(Debug, Deserialize)]
pub(crate) struct NearestRobot {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) missing: Vec<serde_json::Value>,
}

/// What became of each job of a bulk.
#[derive(Debug, Deserialize)]
pub(crate) struct BulkAnswer {
    pub(crate) results: Vec<BulkResult>,
}

/// What became of one job of a bulk.
#[derive(Debug, Deserialize)]
pub(crate) struct BulkResult {
    pub(crate) index: usize,
    pub(crate) status: u16,
    pub(crate) id: Option<String>,
    pub(crate) error: Option<Box<RawValue>>,
}

/// How many jobs a bulk change met and changed.
#[derive(Debug, Deserialize)]
pub(crate) struct BulkChange {
    pub(crate) matched: u64,
    pub(crate) changed: u64,
}

/// A robot.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Robot {
    #[serde(alias = "robot_id")]
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) queues: Vec<String>,
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    pub(crate) environment: Option<String>,
    pub(crate) max_jobs: Option<u32>,
    pub(crate) version: Option<String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(alias = "last_sync_at")]
    pub(crate) last_seen_at: Option<Timestamp>,
}

/// A queue's settings.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Queue {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) paused: bool,
    pub(crate) strategy: Option<String>,
    pub(crate) lease_seconds: Option<i64>,
}

/// A key, without its secret.
#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    pub(crate) robot: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// A key just made.
#[derive(Debug, Deserialize)]
pub(crate) struct NewKey {
    pub(crate) id: String,
    /// The secret; the server does not show it again.
    pub(crate) key: String,
}

/// The tenant at a glance.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) store: StoreHealth,
    pub(crate) queues: Vec<QueueStats>,
    pub(crate) robots: RobotStats,
}

/// Which store there is, and how it does.
#[derive(Debug, Deserialize)]
pub(crate) struct StoreHealth {
    pub(crate) kind: String,
    pub(crate) status: String,
}

/// One queue at a glance.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct QueueStats {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) paused: bool,
    pub(crate) scheduled: u64,
    pub(crate) ready: u64,
    pub(crate) leased: u64,
    pub(crate) running: u64,
    pub(crate) oldest_ready_seconds: Option<f64>,
}

/// How many robots do what.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct RobotStats {
    pub(crate) idle: u64,
    pub(crate) busy: u64,
    pub(crate) draining: u64,
    pub(crate) offline: u64,
}

impl RobotStats {
    /// How many robots are heard of.
    pub(crate) fn online(self) -> u64 {
        self.idle + self.busy + self.draining
    }
}

/// How the server says that it does.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) status: String,
    pub(crate) store: Option<StoreHealth>,
}
