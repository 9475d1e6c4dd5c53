//! Load, decide, commit; on a conflict, again from the start.

use domain::{Event, Job, JobId, Rejection, TenantName, Timestamp, job::Transition};

use crate::{
    codec::{self, Stored, job_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    store::{Blob, BlobKey, Change, Committed, Key, Record, StoreError, Write},
};

/// How many transitions go into one page beside the record.
const HISTORY_PAGE: usize = 16;

/// How many transitions a record may hold before the oldest become a page.
const HISTORY_TAIL_MAX: usize = 2 * HISTORY_PAGE;

/// What the names of history pages begin with.
pub(crate) const HISTORY_PREFIX: &str = "history/";

impl Engine {
    /// The job `id` of `tenant`; `None` when there is none.
    pub(crate) async fn load_job(&self, tenant: &TenantName, id: JobId) -> Result<Option<Stored<Job>>, StoreError> {
        let found = self.store.load(&[job_key(tenant, id)]).await?;
        found
            .into_iter()
            .flatten()
            .next()
            .map(|record| codec::read(&record))
            .transpose()
    }

    /// The jobs of `keys`, in their order.
    pub(crate) async fn load_jobs(&self, keys: &[Key]) -> Result<Vec<Option<Stored<Job>>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.store.load(keys).await?;
        found
            .into_iter()
            .map(|record| record.map(|record| codec::read(&record)).transpose())
            .collect()
    }

    /// The change that writes `job`, with a page of its history where the record would hold too much of it.
    pub(crate) fn job_change(&self, job: &Stored<Job>, now: Timestamp) -> Change {
        if job.value.history.len() <= HISTORY_TAIL_MAX {
            return self.job_record(job, now).into();
        }
        let mut job = job.clone();
        let page = spill(&mut job.value);
        Change {
            writes: vec![Write::Put(self.job_record(&job, now))],
            blobs: vec![page],
        }
    }

    /// The change that makes the new `job` with its payload.
    pub(crate) fn new_job_change(&self, job: &Stored<Job>, payload: Option<&str>, now: Timestamp) -> Change {
        let mut change: Change = self.job_record(job, now).into();
        if let (Some(name), Some(payload)) = (&job.value.payload, payload) {
            change
                .blobs
                .push(job_blob(&job.value, name.clone(), payload.as_bytes().to_vec()));
        }
        change
    }

    /// The record of `job` as it would be written now.
    pub(crate) fn job_record(&self, job: &Stored<Job>, now: Timestamp) -> Record {
        codec::job_record(job, now, self.settings.retention)
    }

    /// Applies what `event` makes of the job and gives the job as it was written.
    pub(crate) async fn transition(
        &self,
        tenant: &TenantName,
        id: JobId,
        mut event: impl FnMut(&Job) -> Result<Event, Refusal> + Send,
    ) -> Result<Stored<Job>, Refusal> {
        for _ in 0..TRIES_MAX {
            let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?;
            let now = self.now();
            let next = job.value.apply(&event(&job.value)?, now)?;
            if let Some(written) = self.write_job(&job, next, now).await? {
                return Ok(written);
            }
        }
        Err(too_busy().into())
    }

    /// Like [`Engine::transition`], but an event that was applied before answers with the job as it is.
    pub(crate) async fn transition_once(
        &self,
        tenant: &TenantName,
        id: JobId,
        event: impl FnMut(&Job) -> Result<Event, Refusal> + Send,
    ) -> Result<Stored<Job>, Refusal> {
        match self.transition(tenant, id, event).await {
            Err(Refusal::Job(Rejection::Repeated(_))) => self.load_job(tenant, id).await?.ok_or(Refusal::NotFound),
            other => other,
        }
    }

    /// Writes `next` over `job`; `None` on a conflict.
    async fn write_job(&self, job: &Stored<Job>, next: Job, now: Timestamp) -> Result<Option<Stored<Job>>, StoreError> {
        let next = job.with(next);
        let outcome = self.commit_jobs(vec![self.job_change(&next, now)]).await?;
        Ok((outcome == [Committed::Done]).then(|| next.written(None)))
    }
}

/// Takes the oldest transitions off a record that holds too many. They were written with it before, so whoever writes
/// this page writes the same.
fn spill(job: &mut Job) -> Blob {
    let page: Vec<Transition> = job.history.drain(..HISTORY_PAGE).collect();
    let name = format!("{HISTORY_PREFIX}{:06}", page[0].seq);
    let body = serde_json::to_vec(&page).expect("transitions are plain values");
    job_blob(job, name, body)
}

/// What lies beside `job` under `name`.
pub(crate) fn job_blob(job: &Job, name: String, body: Vec<u8>) -> Blob {
    let owner = job_key(&job.tenant, job.id);
    Blob {
        key: BlobKey { owner, name },
        body,
    }
}
