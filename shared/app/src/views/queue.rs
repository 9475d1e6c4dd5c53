//! A queue.

use domain::Queue;
use serde::Serialize;
use utoipa::ToSchema;

use super::moment;

/// A queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// While it is paused, none of its jobs is handed out.
    pub paused: bool,
    /// `least_loaded`, `round_robin`, `random` or `affinity`.
    #[schema(example = "least_loaded")]
    pub strategy: &'static str,
    /// How long a lease of its jobs is, in seconds.
    pub lease_seconds: u32,
    /// Since when it is there.
    #[schema(format = "date-time")]
    pub created_at: String,
}

impl From<Queue> for QueueView {
    fn from(queue: Queue) -> Self {
        Self {
            name: queue.name.into(),
            paused: queue.paused,
            strategy: queue.strategy.as_str(),
            lease_seconds: queue.lease_seconds,
            created_at: moment(queue.created_at),
        }
    }
}
