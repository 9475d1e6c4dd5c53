//! Hints: messages that something may be worth a look. A lost one costs time, never a job.

use async_trait::async_trait;
use domain::{QueueName, TenantName, time::Timestamp};

/// Says that `queue` may have work, from `not_before` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Whose queue.
    pub tenant: TenantName,
    /// Which queue.
    pub queue: QueueName,
    /// Not before this moment; `None` is at once.
    pub not_before: Option<Timestamp>,
}

/// Carries hints to whoever dispatches and sweeps.
#[async_trait]
pub trait Hints: Send + Sync + 'static {
    /// Sends what it can and swallows what it cannot: state is truth, and the schedule looks anyway.
    async fn wake(&self, hints: &[Hint]);
}

/// For stores whose functions look often enough by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHints;

#[async_trait]
impl Hints for NoHints {
    async fn wake(&self, _hints: &[Hint]) {}
}
