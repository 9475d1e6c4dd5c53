//! Hints: messages that something may be worth a look. A lost one costs time, never a job.

use async_trait::async_trait;
use domain::{Job, QueueName, TenantName, job::StateName, time::Timestamp};
use serde::{Deserialize, Serialize};

/// What a hint says on the wire: where to look, and nothing about a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintMessage {
    /// Whose queue.
    pub tenant: TenantName,
    /// Which queue.
    pub queue: QueueName,
    /// Whether a timer is due when it comes, so that the sweep has to look before there is anything to dispatch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timer: bool,
}

/// Says that `queue` may have work, from `not_before` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Whose queue.
    pub tenant: TenantName,
    /// Which queue.
    pub queue: QueueName,
    /// Not before this moment; `None` is at once.
    pub not_before: Option<Timestamp>,
    /// The W3C trace context of the job that it is about.
    pub traceparent: Option<String>,
}

impl Hint {
    /// What to look at for `job`: its queue now when it is ready, or when its next timer falls due; nothing once it is over.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        let not_before = match job.state.name() {
            StateName::Ready => None,
            name if name.is_terminal() => return None,
            _ => Some(job.next_timer()?),
        };
        Some(Self {
            tenant: job.tenant.clone(),
            queue: job.spec.queue.clone(),
            not_before,
            traceparent: job.spec.traceparent.clone(),
        })
    }
}

impl From<&Hint> for HintMessage {
    fn from(hint: &Hint) -> Self {
        Self {
            tenant: hint.tenant.clone(),
            queue: hint.queue.clone(),
            timer: hint.not_before.is_some(),
        }
    }
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
