//! What the servers answer, as far as this program reads it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) attempt: u32,
    pub(crate) result: Option<Value>,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Every step of a job.
#[derive(Debug, Deserialize)]
pub(crate) struct History {
    pub(crate) items: Vec<Transition>,
}

/// One step of a job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Transition {
    pub(crate) seq: u64,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    pub(crate) attempt: u32,
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
}

/// A job's id and state, which is all that a submitter reads.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) state: String,
}

/// The answer to a bulk.
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
    pub(crate) error: Option<Value>,
}

/// A robot.
#[derive(Debug, Deserialize)]
pub(crate) struct Robot {
    pub(crate) state: String,
}

/// A key that was made.
#[derive(Debug, Deserialize)]
pub(crate) struct NewKey {
    pub(crate) key: String,
}

/// How much is unfinished.
#[derive(Debug, Deserialize)]
pub(crate) struct Stats {
    queues: Vec<Queue>,
}

#[derive(Debug, Deserialize)]
struct Queue {
    scheduled: u64,
    ready: u64,
    leased: u64,
    running: u64,
}

impl Stats {
    /// How many jobs are unfinished.
    pub(crate) fn unfinished(&self) -> u64 {
        let of_queue = |queue: &Queue| queue.scheduled + queue.ready + queue.leased + queue.running;
        self.queues.iter().map(of_queue).sum()
    }
}
