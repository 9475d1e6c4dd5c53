//! Dead letters: jobs that failed or ran out of time and that nobody has dealt with.

use domain::{
    Event, JobId, TenantName,
    job::{Actor, Settlement},
};
use tracing::info;

use super::jobs::{JobFilter, JobView, Page};
use crate::{
    codec::{DEAD_FAILED, DEAD_TIMED_OUT},
    engine::{Engine, Refusal},
    store::Position,
};

impl Engine {
    /// One page of the dead letters of `tenant`.
    pub async fn dead_letters(
        &self,
        tenant: &TenantName,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<JobView>, Refusal> {
        let shelves = [DEAD_FAILED, DEAD_TIMED_OUT];
        let page = self
            .find_jobs(tenant, &shelves, &JobFilter::default(), after, limit)
            .await?;
        Ok(self.view_page(page).await?)
    }

    /// Tries a dead letter again as a new job, which is the answer.
    pub async fn requeue_dead_letter(
        &self,
        tenant: &TenantName,
        id: JobId,
        by: &Actor,
        note: Option<String>,
    ) -> Result<JobView, Refusal> {
        self.retry_with(tenant, id, by, note, true).await
    }

    /// Takes a dead letter off the list.
    pub async fn settle_dead_letter(
        &self,
        tenant: &TenantName,
        id: JobId,
        settlement: Settlement,
        by: &Actor,
        note: Option<String>,
    ) -> Result<JobView, Refusal> {
        let event = Event::Settle { as_: settlement, note };
        let job = self.transition(tenant, id, |_| Ok(event.clone())).await?;
        info!(job.id = %id, "Dead letter {id} was settled as {settlement:?} by {}", String::from(by.clone()));
        Ok(self.view(job).await?)
    }
}
