//! Trying a finished job again, as a new job.

use domain::{
    Event, Job, JobId, JobSpec, Rejection, TenantName, Timestamp,
    job::{Actor, Settlement, StateName},
};

use super::{
    cancel::{BULK_PAGE, BulkDone},
    jobs::{JobFilter, JobView},
    submit::digest,
};
use crate::{
    codec::{self, Stored, job_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    store::{Blob, BlobKey, Change, Committed, Version},
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
        let begun = self.now();
        let mut done = BulkDone::default();
        let mut after = None;
        loop {
            let page = self
                .find_jobs(tenant, &codec::shelves(filter.state), filter, after, BULK_PAGE)
                .await?;
            // Jobs that this very call made are not met again.
            let met = page.items.iter().filter(|job| job.value.created_at <= begun);
            for job in met {
                done.matched += 1;
                if !dry_run && may_be_retried(&job.value) && job.value.settled.is_none() {
                    match self.retry(tenant, job.value.id, by).await {
                        Ok(_) => done.changed += 1,
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
            let job = self.again(&old.value, payload.as_ref(), by, now);
            let mut change = self.new_job_change(&job, payload.as_ref(), now);
            let settle = Event::Settle {
                as_: Settlement::Requeued,
                note: note.clone(),
            };
            if let Ok(settled) = old.value.apply(&settle, now) {
                let settled = self.job_change(old.with(settled), now);
                change.writes.extend(settled.writes);
                change.blobs.extend(settled.blobs);
            }
            self.make_queues(tenant, std::iter::once(&job.spec.queue), now).await?;
            if self.store.commit(vec![change]).await? == [Committed::Done] {
                let hint = Hint {
                    tenant: tenant.clone(),
                    queue: job.spec.queue.clone(),
                    not_before: None,
                };
                self.hints.wake(&[hint]).await;
                return Ok(JobView {
                    job,
                    version: Version(1).0,
                    payload,
                    result: None,
                });
            }
        }
        Err(too_busy().into())
    }

    /// A new job that asks what `old` asked. Times that are past are left out, and so is the dedup key: the new job is
    /// wanted beside whatever holds it by now.
    fn again(&self, old: &Job, payload: Option<&String>, by: &Actor, now: Timestamp) -> Job {
        let spec = JobSpec {
            deadline: old.spec.deadline.filter(|deadline| *deadline > now),
            dedup: None,
            retry_of: Some(old.id),
            ..old.spec.clone()
        };
        let mut job = Job::new(self.new_job_id(now), old.tenant.clone(), spec, None, by.clone(), now);
        job.payload = payload.map(|text| format!("payload/{}", digest(&[text.as_bytes()])));
        job
    }

    fn new_job_change(&self, job: &Job, payload: Option<&String>, now: Timestamp) -> Change {
        let mut change: Change = self.job_record(&Stored::new(job.clone()), now).into();
        if let (Some(name), Some(payload)) = (&job.payload, payload) {
            let key = BlobKey {
                owner: job_key(&job.tenant, job.id),
                name: name.clone(),
            };
            change.blobs.push(Blob {
                key,
                body: payload.clone().into_bytes(),
            });
        }
        change
    }
}

fn may_be_retried(job: &Job) -> bool {
    let state = job.state.name();
    state.is_terminal() && state != StateName::Succeeded
}
