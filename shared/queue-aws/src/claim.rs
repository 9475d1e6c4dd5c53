//! Claims: the heads of lanes are offered, and each grant is decided by the condition of its write.

use queue::store::{Lane, Record, StoreError};

use crate::AwsStore;

/// From how many times as many heads a claim takes its offer while claims are in each other's way.
const SPREAD: usize = 8;

impl AwsStore {
    /// What a claim is offered: the best of `lanes`, or, while claims meet each other there, some from near the head.
    pub(crate) async fn offer(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        let spread = if self.gate.is_crowded() { SPREAD } else { 1 };
        self.ready_beyond(lanes, limit, spread).await
    }
}
