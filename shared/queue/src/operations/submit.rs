//! Taking jobs in: durable when answered, once per idempotency key, one unfinished per dedup key.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{
    Event, Job, JobId, JobSpec, Queue, QueueName, TenantName, Timestamp,
    job::{Actor, OnConflict},
};
use sha2::{Digest, Sha256};
use tracing::info;

use super::jobs::JobView;
use crate::{
    codec::{self, DedupHolder, Stored, Tenant, job_key, queue_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    store::{Change, Committed, Key, Kind, Record, StoreError, Write},
};

/// When to come back after a refusal for load, in seconds.
const OVERLOADED_RETRY_SECONDS: u32 = 30;

/// A job to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What is asked.
    pub spec: JobSpec,
    /// When it is to become ready, if not at once.
    pub run_at: Option<Timestamp>,
    /// The payload as compact JSON; `None` is `null`.
    pub payload: Option<String>,
    /// What makes the request recognisable when it is sent again.
    pub idempotency: Option<Idempotency>,
}

/// What makes a request recognisable when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key, unique within the tenant.
    pub key: String,
    /// The digest of the request by its meaning.
    pub digest: String,
}

/// A job that was taken in, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The job as it is now.
    pub job: JobView,
    /// How it came to be the answer.
    pub how: SubmittedHow,
}

/// How a job came to be the answer to a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmittedHow {
    /// It is new.
    Created,
    /// The same request made it before.
    Replayed,
    /// It holds the dedup key.
    Returned,
}

/// Why one job of a submit was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The idempotency key came before with another request.
    #[error("the idempotency key was used for another request, which made job {job}")]
    IdempotencyConflict {
        /// The job of that request.
        job: JobId,
    },
    /// Another unfinished job holds the dedup key.
    #[error("job {job} holds the dedup key")]
    Duplicate {
        /// The job that holds it.
        job: JobId,
    },
}

/// A submission on its way.
struct Draft {
    job: Stored<Job>,
    payload: Option<String>,
    idempotent: bool,
    dedup_key: Option<Key>,
    outcome: Option<Result<Answer, SubmitError>>,
}

/// Which job answers for a draft that was not refused.
enum Answer {
    /// Its own, which is written.
    Created,
    /// The one that the same request made before.
    Replayed(Box<Stored<Job>>),
    /// The one that holds its dedup key.
    Returned(Box<Stored<Job>>),
}

impl Draft {
    /// What no other draft of a round may bear on. The job that makes way for this one bears the same dedup key.
    fn keys(&self) -> Vec<Key> {
        let job = job_key(&self.job.value.tenant, self.job.value.id);
        self.dedup_key.iter().cloned().chain([job]).collect()
    }
}

impl Engine {
    /// Takes in `submissions`, each for itself; the outcomes come in their order.
    ///
    /// Refused as a whole with [`Refusal::Overloaded`] while too many jobs wait.
    pub async fn submit(
        &self,
        tenant: &TenantName,
        by: &Actor,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Submitted, SubmitError>>, Refusal> {
        self.admit().await?;
        let now = self.now();
        self.make_queues(tenant, submissions.iter().map(|submission| &submission.spec.queue), now)
            .await?;
        let mut drafts: Vec<Draft> = submissions
            .into_iter()
            .zip(0_u64..)
            // Jobs of one request keep their order in lanes and lists.
            .map(|(submission, place)| {
                self.draft(tenant, by, submission, now + std::time::Duration::from_micros(place))
            })
            .collect();
        let rounds_max = drafts.len() + TRIES_MAX;
        for round in 0..rounds_max {
            if drafts.iter().all(|draft| draft.outcome.is_some()) {
                break;
            }
            self.submit_round(tenant, by, &mut drafts, round > 0, now).await?;
        }
        self.wake_for(tenant, &drafts).await;
        self.answers(drafts).await
    }

    /// Refuses while more jobs wait than the operator allows.
    async fn admit(&self) -> Result<(), Refusal> {
        let limit = self.settings.backlog_max;
        let ready = self.cached_depth(limit).await?;
        if ready < limit {
            return Ok(());
        }
        Err(Refusal::Overloaded {
            ready,
            retry_after_seconds: OVERLOADED_RETRY_SECONDS,
        })
    }

    fn draft(&self, tenant: &TenantName, by: &Actor, submission: Submission, now: Timestamp) -> Draft {
        let Submission {
            spec,
            run_at,
            payload,
            idempotency,
        } = submission;
        let id = idempotency
            .as_ref()
            .map_or_else(|| self.new_job_id(now), |given| derived_id(tenant, &given.key));
        let dedup_key = spec
            .dedup
            .as_ref()
            .map(|dedup| dedup_key(tenant, &spec.queue, &dedup.key));
        let mut job = Job::new(id, tenant.clone(), spec, run_at, by.clone(), now);
        job.payload = payload.as_deref().map(payload_name);
        let idempotent = idempotency.is_some();
        job.request_digest = idempotency.map(|given| given.digest);
        Draft {
            job: Stored::new(job),
            payload,
            idempotent,
            dedup_key,
            outcome: None,
        }
    }

    /// Settles what it can of the open drafts, as if one came after the other: a draft that bears on the same job or dedup
    /// key as an earlier one that is still open has to wait for the next round.
    async fn submit_round(
        &self,
        tenant: &TenantName,
        by: &Actor,
        drafts: &mut [Draft],
        again: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.look_up(tenant, drafts, again).await?;
        let mut touched: HashSet<Key> = HashSet::new();
        let (mut changes, mut writers) = (Vec::new(), Vec::new());
        for (place, draft) in drafts
            .iter_mut()
            .enumerate()
            .filter(|(_, draft)| draft.outcome.is_none())
        {
            let keys = draft.keys();
            let waits = keys.iter().any(|key| touched.contains(key));
            let decision = if waits {
                None
            } else {
                Some(known.decide(draft, by, now))
            };
            if let Some(Decision::Settled(outcome)) = decision {
                draft.outcome = Some(outcome);
                continue;
            }
            touched.extend(keys);
            if let Some(Decision::Write(cancelled)) = decision {
                changes.push(self.submit_change(draft, &known, cancelled.as_deref(), now));
                writers.push(place);
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        for (place, outcome) in writers.into_iter().zip(self.store.commit(changes).await?) {
            if outcome == Committed::Done {
                drafts[place].outcome = Some(Ok(Answer::Created));
            }
        }
        Ok(())
    }

    /// What is in the store that bears on the open drafts.
    async fn look_up(&self, tenant: &TenantName, drafts: &[Draft], again: bool) -> Result<Known, StoreError> {
        let open = || drafts.iter().filter(|draft| draft.outcome.is_none());
        // A first look at the job itself is the write, which fails when it is there.
        let jobs = open().filter(|draft| draft.idempotent && (again || draft.dedup_key.is_some()));
        let keys: BTreeSet<Key> = jobs
            .map(|draft| job_key(tenant, draft.job.value.id))
            .chain(open().filter_map(|draft| draft.dedup_key.clone()))
            .collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        let mut known = Known::default();
        if keys.is_empty() {
            return Ok(known);
        }
        for record in self.store.load(&keys).await?.into_iter().flatten() {
            known.add(&record)?;
        }
        let holders: Vec<Key> = known
            .holders
            .values()
            .map(|holder| job_key(tenant, holder.value.job))
            .collect();
        if !holders.is_empty() {
            for record in self.store.load(&holders).await?.into_iter().flatten() {
                known.add(&record)?;
            }
        }
        Ok(known)
    }

    fn submit_change(&self, draft: &Draft, known: &Known, cancelled: Option<&Stored<Job>>, now: Timestamp) -> Change {
        let mut change = self.new_job_change(&draft.job, draft.payload.as_deref(), now);
        if let Some(key) = &draft.dedup_key {
            let holder = DedupHolder {
                tenant: draft.job.value.tenant.clone(),
                job: draft.job.value.id,
            };
            let stored = known
                .holders
                .get(key)
                .map_or_else(|| Stored::new(holder.clone()), |old| old.with(holder.clone()));
            change
                .writes
                .push(Write::Put(codec::dedup_record(key.clone(), &stored, now)));
        }
        if let Some(old) = cancelled {
            let old = self.job_change(old, now);
            change.writes.extend(old.writes);
            change.blobs.extend(old.blobs);
        }
        change
    }

    /// Makes the records of queues, and of the tenant, that are not there yet.
    pub(crate) async fn make_queues(
        &self,
        tenant: &TenantName,
        names: impl Iterator<Item = &QueueName>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let names: BTreeSet<&QueueName> = names.collect();
        let keys = names.into_iter().map(|name| (queue_key(tenant, name), name.clone()));
        let keys: BTreeMap<Key, QueueName> = keys.filter(|(key, _)| !self.knows(key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.make_tenant(tenant, now).await?;
        let wanted: Vec<Key> = keys.keys().cloned().collect();
        let found = self.store.load(&wanted).await?;
        let missing = keys.into_iter().zip(found).filter(|(_, record)| record.is_none());
        let new = missing.map(|((_, name), _)| Stored::new(Queue::new(name, tenant.clone(), now)));
        let changes: Vec<Change> = new.map(|queue| codec::queue_record(&queue).into()).collect();
        if !changes.is_empty() {
            // A conflict means that somebody else made it just now.
            self.store.commit(changes).await?;
        }
        wanted.into_iter().for_each(|key| self.now_knows(key));
        Ok(())
    }

    /// Makes the record of the tenant if it is not there yet.
    pub(crate) async fn make_tenant(&self, tenant: &TenantName, now: Timestamp) -> Result<(), StoreError> {
        let record = codec::tenant_record(&Stored::new(Tenant { name: tenant.clone() }), now);
        if self.store.load(std::slice::from_ref(&record.key)).await? == [None] {
            self.store.commit(vec![record.into()]).await?;
        }
        Ok(())
    }

    async fn wake_for(&self, tenant: &TenantName, drafts: &[Draft]) {
        let created = drafts
            .iter()
            .filter(|draft| matches!(draft.outcome, Some(Ok(Answer::Created))));
        let mut hints: Vec<Hint> = Vec::new();
        for draft in created {
            let job = &draft.job.value;
            info!(job.id = %job.id, "Took in job {} of tenant {tenant} for queue {}", job.id, job.spec.queue);
            hints.extend(Hint::of(job).filter(|hint| !hints.contains(hint)));
        }
        if !hints.is_empty() {
            self.hints.wake(&hints).await;
        }
    }

    async fn answers(&self, drafts: Vec<Draft>) -> Result<Vec<Result<Submitted, SubmitError>>, Refusal> {
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (job, how) = match draft.outcome.ok_or_else(too_busy)? {
                Err(error) => {
                    answers.push(Err(error));
                    continue;
                }
                Ok(Answer::Created) => {
                    let view = JobView {
                        version: draft.job.version.next().0,
                        payload: draft.payload,
                        result: None,
                        job: draft.job.value,
                    };
                    (view, SubmittedHow::Created)
                }
                Ok(Answer::Replayed(job)) => (self.view(*job).await?, SubmittedHow::Replayed),
                Ok(Answer::Returned(job)) => (self.view(*job).await?, SubmittedHow::Returned),
            };
            answers.push(Ok(Submitted { job, how }));
        }
        Ok(answers)
    }
}

/// What the store holds that bears on the open drafts.
#[derive(Default)]
struct Known {
    jobs: BTreeMap<JobId, Stored<Job>>,
    holders: BTreeMap<Key, Stored<DedupHolder>>,
}

/// What becomes of a draft.
enum Decision {
    Settled(Result<Answer, SubmitError>),
    /// It is written, and with it the job that makes way for it.
    Write(Option<Box<Stored<Job>>>),
}

impl Known {
    fn add(&mut self, record: &Record) -> Result<(), StoreError> {
        if record.key.kind == Kind::Dedup {
            self.holders.insert(record.key.clone(), codec::read(record)?);
        } else {
            let job: Stored<Job> = codec::read(record)?;
            self.jobs.insert(job.value.id, job);
        }
        Ok(())
    }

    fn decide(&self, draft: &Draft, by: &Actor, now: Timestamp) -> Decision {
        if let Some(job) = self.jobs.get(&draft.job.value.id).filter(|_| draft.idempotent) {
            let same = job.value.request_digest == draft.job.value.request_digest;
            return Decision::Settled(if same {
                Ok(Answer::Replayed(Box::new(job.clone())))
            } else {
                Err(SubmitError::IdempotencyConflict { job: job.value.id })
            });
        }
        let Some(holder) = self.holder_of(draft) else {
            return Decision::Write(None);
        };
        let id = holder.value.id;
        let returned = || Answer::Returned(Box::new(holder.clone()));
        match draft.job.value.spec.dedup.as_ref().map(|dedup| dedup.on_conflict) {
            Some(OnConflict::Reject) => Decision::Settled(Err(SubmitError::Duplicate { job: id })),
            Some(OnConflict::Replace) => match holder.value.apply(&Event::Replace { by: by.clone() }, now) {
                Ok(cancelled) => Decision::Write(Some(Box::new(holder.with(cancelled)))),
                Err(_) => Decision::Settled(Ok(returned())),
            },
            Some(OnConflict::Return) | None => Decision::Settled(Ok(returned())),
        }
    }

    /// The unfinished job that holds the draft's dedup key.
    fn holder_of(&self, draft: &Draft) -> Option<&Stored<Job>> {
        let holder = self.holders.get(draft.dedup_key.as_ref()?)?;
        self.jobs
            .get(&holder.value.job)
            .filter(|job| !job.value.state.name().is_terminal())
    }
}

/// The id of the job that a request with this key makes: the same for the same tenant and key, a version 8 UUID.
fn derived_id(tenant: &TenantName, key: &str) -> JobId {
    let hash = Sha256::new()
        .chain_update(tenant.as_str())
        .chain_update([0])
        .chain_update(key)
        .finalize();
    JobId(uuid::Builder::from_custom_bytes(first_half(hash)).into_uuid())
}

fn dedup_key(tenant: &TenantName, queue: &QueueName, key: &str) -> Key {
    Key::new(
        Kind::Dedup,
        tenant,
        digest(&[queue.as_str().as_bytes(), &[0], key.as_bytes()]),
    )
}

/// Where a job's payload lies: another one has another name.
pub(super) fn payload_name(payload: &str) -> String {
    format!("payload/{}", digest(&[payload.as_bytes()]))
}

/// The first 128 bits of the SHA-256 of `parts`, in hexadecimal digits.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    format!("{:032x}", u128::from_be_bytes(first_half(hash.finalize())))
}

fn first_half(hash: impl Into<[u8; 32]>) -> [u8; 16] {
    let hash: [u8; 32] = hash.into();
    std::array::from_fn(|place| hash[place])
}
