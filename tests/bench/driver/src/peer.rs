//! A queue, as its users see it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Payload, Seen, Stop};

/// How work is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As many jobs a second as can be.
    Batches {
        /// How many jobs are claimed, and finished, together.
        batch: usize,
        /// How many workers there are.
        workers: usize,
    },
    /// Each job claimed and finished by itself.
    OneByOne {
        /// How many at a time.
        at_once: usize,
    },
    /// Each job started as soon as it can be.
    Prompt,
}

/// A queue that is measured, by its public interface and in the fastest form that its documentation gives.
#[async_trait]
pub trait Peer: Send + Sync + 'static {
    /// Makes what the queue needs in an empty database.
    async fn set_up(&self) -> anyhow::Result<()>;

    /// Submits one job; it is durable when this returns.
    async fn submit(&self, payload: Payload) -> anyhow::Result<()>;

    /// Submits jobs by one call; all are durable when this returns.
    async fn submit_many(&self, payloads: Vec<Payload>) -> anyhow::Result<()>;

    /// Works until it is stopped, and tells `seen` of each job as it begins. Returns once everything begun is finished.
    async fn work(&self, way: Way, seen: Arc<Seen>, stop: Stop) -> anyhow::Result<()>;

    /// Whether any job is not finished: asked after the last one began.
    async fn any_unfinished(&self) -> anyhow::Result<bool>;

    /// How long one claim of one job takes; the job is finished afterwards, unmeasured. None if no public call claims a
    /// job by itself.
    async fn timed_claim(&self) -> anyhow::Result<Option<Duration>>;

    /// How often an idle worker asks; nothing when it is woken.
    fn poll(&self) -> Duration {
        Duration::ZERO
    }

    /// Why this is not measured; none when it is.
    fn skips(&self, _way: Way) -> Option<String> {
        None
    }

    /// What this way means here, for a reader of the report.
    fn does(&self, way: Way) -> String;
}
