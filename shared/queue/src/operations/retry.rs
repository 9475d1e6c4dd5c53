//! Trying a finished job again, as a new job.

use std::collections::HashSet;

use domain::{
    Event, Job, JobId, JobSpec, Rejection, TenantName, Timestamp,
    job::{Actor, Settlement, StateName},
};

use super::{
    cancel::{BULK_PAGE, BulkDone},
    jobs::{JobFilter, JobView},
    submit::payload_name,
};
use crate::{
    codec::{self, Stored, job_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    store::{Committed, Write},
};

impl Engine {
    /// Makes a new job like `id`, which must be over and not have succeeded. A dead letter is dealt with by it.
    pub async fn retry(&self, tenant: &TenantName, id: JobId, by: &Actor) -> Result<JobView, Refusal> {
        self.retry_with(tenant, id, by, None, false).await
    }

    /// Makes a new job for every job of `tenant` that meets `filter`, is over, and was neither a success nor dealt with.
    pub async fn bulk_retry(
        &self,
        tenant: &TenantName,
        filter: &JobFilter,
        by: &Actor,
        dry_run: bool,
    ) -> Result<BulkDone, Refusal> {
        let mut done = BulkDone::default();
        let mut made: HashSet<JobId> = HashSet::new();
        let mut after = None;
        loop {
            let page = self
                .find_jobs(tenant, &codec::shelves(filter.state), filter, after, BULK_PAGE)
                .await?;
            for job in page.items {
                // The clock of another server may be ahead, so that what this call made is listed below its cursor.
                if made.contains(&job.value.id) {
                    continue;
                }
                done.matched += 1;
                if !dry_run && may_be_retried(&job.value) && job.value.settled.is_none() {
                    match self.retry(tenant, job.value.id, by).await {
                        Ok(new) => {
                            made.insert(new.job.id);
                            done.changed += 1;
                        }
                        Err(Refusal::Store(error)) => return Err(error.into()),
                        Err(_) => {}
                    }
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Makes the new job and settles the old one in one change, so that no crash can leave one without the other.
    pub(crate) async fn retry_with(
        &self,
        tenant: &TenantName,
        id: JobId,
        by: &Actor,
        note: Option<String>,
        must_be_dead: bool,
    ) -> Result<JobView, Refusal> {
        for _ in 0..TRIES_MAX {
            let old = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?;
            if must_be_dead && !old.value.is_dead_letter() {
                return Err(Rejection::NoDeadLetter.into());
            }
            if !may_be_retried(&old.value) {
                return Err(Rejection::NotReady.into());
            }
            let now = self.now();
            let payload = self.view(old.clone()).await?.payload;
            let job = Stored::new(self.again(&old.value, payload.as_deref(), by, now));
            let mut change = self.new_job_change(&job, payload.as_deref(), now);
            let settle = Event::Settle {
                as_: Settlement::Requeued,
                note: note.clone(),
            };
            match old.value.apply(&settle, now) {
                Ok(settled) => {
                    let settled = self.job_change(&old.with(settled), now);
                    change.writes.extend(settled.writes);
                    change.blobs.extend(settled.blobs);
                }
                // Only what is still there can have its payload taken over.
                Err(_) => change.writes.push(Write::Check(job_key(tenant, id), old.version)),
            }
            self.make_queues(tenant, std::iter::once(&job.value.spec.queue), now)
                .await?;
            if self.store.commit(vec![change]).await? == [Committed::Done] {
                if let Some(hint) = Hint::of(&job.value) {
                    self.hints.wake(&[hint]).await;
                }
                return Ok(JobView {
                    version: job.version.next().0,
                    job: job.value,
                    payload,
                    result: None,
                });
            }
        }
        Err(too_busy().into())
    }

    /// A new job that asks what `old` asked. Times that are past are left out, and so is the dedup key: the new job is
    /// wanted beside whatever holds it by now.
    fn again(&self, old: &Job, payload: Option<&str>, by: &Actor, now: Timestamp) -> Job {
        let spec = JobSpec {
            deadline: old.spec.deadline.filter(|deadline| *deadline > now),
            dedup: None,
            retry_of: Some(old.id),
            ..old.spec.clone()
        };
        let mut job = Job::new(self.new_job_id(now), old.tenant.clone(), spec, None, by.clone(), now);
        job.payload = payload.map(payload_name);
        job
    }
}

fn may_be_retried(job: &Job) -> bool {
    let state = job.state.name();
    state.is_terminal() && state != StateName::Succeeded
}
