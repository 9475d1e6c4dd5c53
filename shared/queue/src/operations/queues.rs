//! Queues: listing and changing their settings.

use domain::{Queue, QueueName, Strategy, TenantName};
use tracing::info;

use super::jobs::Page;
use crate::{
    codec::{self, QUEUES, Stored, queue_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    store::{Committed, Kind, Position},
};

/// What to change of a queue; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueChange {
    /// Whether none of its jobs is handed out.
    pub paused: Option<bool>,
    /// How a robot is chosen.
    pub strategy: Option<Strategy>,
    /// How long a lease is, 10 to 3600 seconds.
    pub lease_seconds: Option<u32>,
}

impl Engine {
    /// One page of the queues of `tenant`.
    pub async fn queues(
        &self,
        tenant: &TenantName,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<Queue>, Refusal> {
        Ok(self.page(Kind::Queue, tenant.as_str(), QUEUES, after, limit).await?)
    }

    /// Changes a queue, which comes into being if it is not there.
    pub async fn set_queue(
        &self,
        tenant: &TenantName,
        name: &QueueName,
        change: QueueChange,
    ) -> Result<Queue, Refusal> {
        let now = self.now();
        self.make_queues(tenant, std::iter::once(name), now).await?;
        for _ in 0..TRIES_MAX {
            let found = self
                .store
                .load(&[queue_key(tenant, name)])
                .await?
                .into_iter()
                .flatten()
                .next();
            let stored: Stored<Queue> = codec::read(&found.ok_or(Refusal::NotFound)?)?;
            let old = &stored.value;
            let queue = Queue {
                paused: change.paused.unwrap_or(old.paused),
                strategy: change.strategy.unwrap_or(old.strategy),
                lease_seconds: change.lease_seconds.unwrap_or(old.lease_seconds),
                ..old.clone()
            };
            let record = codec::queue_record(&stored.with(queue.clone()));
            if self.store.commit(vec![record.into()]).await? == [Committed::Done] {
                info!("Queue {name} of tenant {tenant} is now {queue:?}");
                self.hints
                    .wake(&[Hint {
                        tenant: tenant.clone(),
                        queue: name.clone(),
                        not_before: None,
                        traceparent: None,
                    }])
                    .await;
                return Ok(queue);
            }
        }
        Err(too_busy().into())
    }
}
