//! What people ask about jobs: one, many, and how one came to where it is.

use std::collections::BTreeMap;

use domain::{
    Job, JobId, LabelName, QueueName, RobotId, TenantName, WorkflowName,
    job::{StateName, Transition},
};

use crate::{
    codec::{self, Stored, job_key},
    engine::{Engine, Refusal},
    store::{BlobKey, Key, Kind, Position, Record, StoreError},
    transition::HISTORY_PREFIX,
};

/// How many records one list call looks at before it gives what it has and a cursor to go on from.
const SCAN_MAX: usize = 10_000;

/// How many records a list reads at a time.
const SCAN_PAGE: usize = 500;

/// How many bytes of payloads and results one page of a list may carry; a page that would hold more is cut short.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// How many pages of history are read at once.
const HISTORY_PAGES_MAX: usize = 1_000;

/// A job with what lies beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// How often it was written.
    pub version: u64,
    /// Its payload as compact JSON; `None` is `null`.
    pub payload: Option<String>,
    /// Its result as compact JSON; `None` while there is none.
    pub result: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it, newest first.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Position>,
}

/// Which jobs a list shows: those that meet everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<StateName>,
    /// In this queue.
    pub queue: Option<QueueName>,
    /// Of this workflow.
    pub workflow: Option<WorkflowName>,
    /// Last handed to this robot.
    pub robot: Option<RobotId>,
    /// With these labels.
    pub labels: BTreeMap<LabelName, String>,
}

impl JobFilter {
    /// Whether it names nothing, so that every job meets it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether `job` meets it.
    pub fn meets(&self, job: &Job) -> bool {
        self.state.is_none_or(|state| job.state.name() == state)
            && self.queue.as_ref().is_none_or(|queue| job.spec.queue == *queue)
            && self
                .workflow
                .as_ref()
                .is_none_or(|workflow| job.spec.workflow == *workflow)
            && self
                .robot
                .as_ref()
                .is_none_or(|robot| job.state.last_hold().is_some_and(|hold| hold.robot == *robot))
            && self
                .labels
                .iter()
                .all(|(name, value)| job.spec.labels.get(name) == Some(value))
    }
}

impl Engine {
    /// The job `id` of `tenant`.
    pub async fn job(&self, tenant: &TenantName, id: JobId) -> Result<JobView, Refusal> {
        let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?;
        Ok(self.view(job).await?)
    }

    /// One page of the jobs of `tenant` that meet `filter`, at most `limit`.
    pub async fn jobs(
        &self,
        tenant: &TenantName,
        filter: &JobFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<JobView>, Refusal> {
        let page = self
            .find_jobs(tenant, &codec::shelves(filter.state), filter, after, limit)
            .await?;
        Ok(self.view_page(page).await?)
    }

    /// Every transition of the job, oldest first.
    pub async fn history(&self, tenant: &TenantName, id: JobId) -> Result<Vec<Transition>, Refusal> {
        let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?;
        let owner = job_key(tenant, id);
        let pages = match job.value.history.first() {
            Some(first) if first.seq == 1 => Vec::new(),
            _ => {
                self.store
                    .blob_names(&owner, HISTORY_PREFIX, None, HISTORY_PAGES_MAX)
                    .await?
            }
        };
        let keys: Vec<BlobKey> = pages
            .into_iter()
            .map(|name| BlobKey {
                owner: owner.clone(),
                name,
            })
            .collect();
        let first_kept = job.value.history.first().map_or(1, |first| first.seq);
        let mut history = Vec::new();
        for (key, page) in keys.iter().zip(self.store.blobs(&keys).await?) {
            let page: Vec<Transition> =
                serde_json::from_slice(&page.unwrap_or_default()).map_err(|source| StoreError::Corrupt {
                    what: key.name.clone(),
                    source: source.into(),
                })?;
            // A page whose record was not written after all holds what the record still has.
            history.extend(page.into_iter().filter(|step| step.seq < first_kept));
        }
        history.extend(job.value.history);
        Ok(history)
    }

    /// The jobs on `shelves` that meet `filter`, newest first: at most `limit`, and a place to go on from.
    pub(crate) async fn find_jobs(
        &self,
        tenant: &TenantName,
        shelves: &[&str],
        filter: &JobFilter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<Stored<Job>>, StoreError> {
        let mut items: Vec<Stored<Job>> = Vec::new();
        let mut last_item = None;
        let mut at = after;
        // Every job on the shelves of a state is in it.
        let picks = !JobFilter {
            state: None,
            ..filter.clone()
        }
        .is_empty();
        for _ in 0..SCAN_MAX / SCAN_PAGE {
            let wanted = if picks { SCAN_PAGE } else { limit + 1 };
            let records = self
                .store
                .list(Kind::Job, tenant.as_str(), shelves, at.as_ref(), wanted)
                .await?;
            let exhausted = records.len() < wanted;
            for record in records {
                let job: Stored<Job> = codec::read(&record)?;
                at = Some(record.position());
                if !filter.meets(&job.value) {
                    continue;
                }
                if items.len() == limit {
                    return Ok(Page { items, next: last_item });
                }
                items.push(job);
                last_item.clone_from(&at);
            }
            if exhausted {
                return Ok(Page { items, next: None });
            }
        }
        Ok(Page { items, next: at })
    }

    /// One page of records of `kind` as values.
    pub(crate) async fn page<T: serde::de::DeserializeOwned>(
        &self,
        kind: Kind,
        partition: &str,
        shelf: &str,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        let mut records = self
            .store
            .list(kind, partition, &[shelf], after.as_ref(), limit + 1)
            .await?;
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(Record::position);
        let items = records
            .iter()
            .map(|record| codec::read(record).map(|stored| stored.value));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next,
        })
    }

    /// The job with what lies beside it.
    pub(crate) async fn view(&self, job: Stored<Job>) -> Result<JobView, StoreError> {
        let names: Vec<BlobKey> = beside(&job.value).collect();
        let blobs = self.texts(&names).await?;
        Ok(with_blobs(job, &names, &blobs))
    }

    pub(crate) async fn view_page(&self, page: Page<Stored<Job>>) -> Result<Page<JobView>, StoreError> {
        let mut views: Vec<JobView> = Vec::new();
        let mut bytes = 0;
        for jobs in page.items.chunks(16) {
            let names: Vec<BlobKey> = jobs.iter().flat_map(|job| beside(&job.value)).collect();
            let blobs = self.texts(&names).await?;
            for job in jobs {
                let view = with_blobs(job.clone(), &names, &blobs);
                bytes += view.payload.as_ref().map_or(0, String::len) + view.result.as_ref().map_or(0, String::len);
                if bytes > PAGE_BYTES_MAX && !views.is_empty() {
                    let next = views.last().map(place);
                    return Ok(Page { items: views, next });
                }
                views.push(view);
            }
        }
        Ok(Page {
            items: views,
            next: page.next,
        })
    }

    /// The blobs of `keys` as text, in their order.
    pub(crate) async fn texts(&self, keys: &[BlobKey]) -> Result<Vec<Option<String>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let blobs = self.store.blobs(keys).await?;
        let text = |(key, blob): (&BlobKey, Option<Vec<u8>>)| {
            blob.map(String::from_utf8)
                .transpose()
                .map_err(|source| StoreError::Corrupt {
                    what: key.name.clone(),
                    source: source.into(),
                })
        };
        keys.iter().zip(blobs).map(text).collect()
    }
}

/// Where a job stands in lists.
fn place(view: &JobView) -> Position {
    Position {
        listed_at: view.job.created_at,
        id: view.job.id.to_text(),
    }
}

/// The names of what lies beside `job` and belongs to it as clients see it.
fn beside(job: &Job) -> impl Iterator<Item = BlobKey> {
    let owner: Key = job_key(&job.tenant, job.id);
    let names: Vec<String> = job.payload.iter().chain(&job.result).cloned().collect();
    names.into_iter().map(move |name| BlobKey {
        owner: owner.clone(),
        name,
    })
}

fn with_blobs(job: Stored<Job>, names: &[BlobKey], blobs: &[Option<String>]) -> JobView {
    let owner = job_key(&job.value.tenant, job.value.id);
    let find = |name: &Option<String>| {
        let name = name.as_ref()?;
        let place = names.iter().position(|key| key.owner == owner && key.name == *name)?;
        blobs[place].clone()
    };
    let (payload, result) = (find(&job.value.payload), find(&job.value.result));
    JobView {
        version: job.version.0,
        payload,
        result,
        job: job.value,
    }
}
