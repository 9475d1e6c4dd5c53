//! Cancelling jobs, one or all that meet a filter.

use domain::{Event, Job, JobId, TenantName, job::Actor};
use tracing::info;

use super::jobs::{JobFilter, JobView};
use crate::{
    codec::{self, Stored},
    engine::{Engine, Refusal},
    store::{Change, Committed, StoreError},
};

/// How many jobs one step of a bulk operation reads.
pub(crate) const BULK_PAGE: usize = 200;

/// What a bulk operation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkDone {
    /// How many jobs met the filter.
    pub matched: u64,
    /// How many of them were changed; none in a dry run.
    pub changed: u64,
}

impl Engine {
    /// Cancels a job at once, or asks the robot that runs it to stop. Asked again of a cancelled job, it answers the same.
    pub async fn cancel(
        &self,
        tenant: &TenantName,
        id: JobId,
        by: &Actor,
        note: Option<String>,
    ) -> Result<JobView, Refusal> {
        let event = Event::Cancel { by: by.clone(), note };
        let job = self.transition_once(tenant, id, |_| Ok(event.clone())).await?;
        info!(job.id = %id, "Cancel of job {id} was asked for; it is {}", job.value.state.name());
        Ok(self.view(job).await?)
    }

    /// Cancels every job of `tenant` that meets `filter` and can be cancelled.
    pub async fn bulk_cancel(
        &self,
        tenant: &TenantName,
        filter: &JobFilter,
        by: &Actor,
        dry_run: bool,
    ) -> Result<BulkDone, Refusal> {
        let event = Event::Cancel {
            by: by.clone(),
            note: None,
        };
        let mut done = BulkDone::default();
        let mut after = None;
        loop {
            let page = self
                .find_jobs(tenant, &codec::shelves(filter.state), filter, after, BULK_PAGE)
                .await?;
            done.matched += page.items.len() as u64;
            if !dry_run {
                done.changed += self.apply_to_each(&page.items, &event).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Applies `event` to each of `jobs` that takes it; those that meet a conflict are taken one by one.
    async fn apply_to_each(&self, jobs: &[Stored<Job>], event: &Event) -> Result<u64, Refusal> {
        let now = self.now();
        let next: Vec<Stored<Job>> = jobs
            .iter()
            .filter_map(|job| Some(job.with(job.value.apply(event, now).ok()?)))
            .collect();
        if next.is_empty() {
            return Ok(0);
        }
        let changes: Vec<Change> = next.iter().map(|job| self.job_change(job, now)).collect();
        let mut changed = 0;
        for (job, outcome) in next.iter().zip(self.commit_jobs(changes).await?) {
            let alone = match outcome {
                Committed::Done => Ok(()),
                Committed::Conflict => self
                    .transition(&job.value.tenant, job.value.id, |_| Ok(event.clone()))
                    .await
                    .map(|_| ()),
            };
            match alone {
                Ok(()) => changed += 1,
                Err(Refusal::Store(error @ StoreError::Unavailable(_))) => return Err(error.into()),
                // It ended, or went, in the meantime.
                Err(_) => {}
            }
        }
        Ok(changed)
    }
}
