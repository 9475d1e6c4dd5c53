//! Why a job is where it is.

use domain::{
    JobId, Queue, Robot, TenantName,
    explain::{Explanation, explain},
};

use crate::{
    codec::{self, ROBOTS, queue_key},
    engine::{Engine, Refusal},
    store::{Kind, StoreError},
};

/// How many robots an explanation looks at.
const ROBOTS_LOOK_MAX: usize = 1_000;

impl Engine {
    /// Why the job is where it is, computed from what is stored now.
    pub async fn explain(&self, tenant: &TenantName, id: JobId) -> Result<Explanation, Refusal> {
        let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?.value;
        let queue = self.load_queue(tenant, &job.spec.queue).await?;
        let robots: Vec<Robot> = self
            .page(Kind::Robot, tenant.as_str(), ROBOTS, None, ROBOTS_LOOK_MAX)
            .await?
            .items;
        Ok(explain(&job, queue.as_ref(), &robots, self.now()))
    }

    pub(crate) async fn load_queue(
        &self,
        tenant: &TenantName,
        name: &domain::QueueName,
    ) -> Result<Option<Queue>, StoreError> {
        let found = self.store.load(&[queue_key(tenant, name)]).await?;
        let stored = found
            .into_iter()
            .flatten()
            .next()
            .map(|record| codec::read::<Queue>(&record))
            .transpose()?;
        Ok(stored.map(|stored| stored.value))
    }
}
