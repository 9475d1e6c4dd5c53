//! Stands between the faults and the store below, sees each write the moment it is done, and holds it against the rules.
//!
//! It takes no part: what it is asked it asks the store below, and answers what that answers. What it sees that must not be
//! ends the run.

mod jobs;
mod robots;

pub(crate) use self::jobs::is_an_edge;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Job, JobId, LeaseToken, Robot, RobotId, TenantName, Timestamp};
use queue::store::{
    Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
    Store, StoreError, Write,
};

use crate::scheduler::Handle;

/// How far the clocks of two servers may be apart.
pub(crate) const SKEW_MAX: Duration = Duration::from_secs(5);

/// Sees every write.
pub(crate) struct Witness {
    below: Arc<dyn Store>,
    handle: Handle,
    seen: Mutex<Seen>,
}

/// What was written so far.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) jobs: BTreeMap<Key, Job>,
    pub(crate) robots: BTreeMap<RobotId, Robot>,
    /// Who was given which attempt with which token.
    pub(crate) claims: BTreeMap<(JobId, u32), (LeaseToken, RobotId)>,
    pub(crate) tokens: BTreeSet<LeaseToken>,
    /// Which attempts were running at some time.
    pub(crate) started: BTreeSet<(JobId, u32)>,
    /// What each robot holds by the jobs' own records.
    pub(crate) held: BTreeMap<RobotId, BTreeSet<JobId>>,
    /// When each job that was removed had ended.
    pub(crate) removed: BTreeMap<JobId, Timestamp>,
    /// How many steps from one state to another there were.
    pub(crate) steps: BTreeMap<(Option<domain::job::StateName>, domain::job::StateName), u64>,
    /// From when on no lease may be noticed late.
    pub(crate) calm_since: Option<Timestamp>,
    /// The longest that a robot's loss went unnoticed after its lease was over, in calm.
    pub(crate) latest_notice: Duration,
}

impl Witness {
    /// A witness of all that `below` does.
    pub(crate) fn new(below: Arc<dyn Store>, handle: Handle) -> Self {
        Self {
            below,
            handle,
            seen: Mutex::default(),
        }
    }

    /// What was written so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store below, for looks that are no part of what is tried.
    pub(crate) fn below(&self) -> &Arc<dyn Store> {
        &self.below
    }

    /// Whether that robot was given that attempt with that token.
    pub(crate) fn was_given(&self, robot: &RobotId, job: JobId, attempt: u32, token: &LeaseToken) -> bool {
        let claims = &self.seen().claims;
        claims
            .get(&(job, attempt))
            .is_some_and(|(given, to)| given == token && to == robot)
    }

    /// Whether the attempt was running at some time.
    pub(crate) fn has_run(&self, job: JobId, attempt: u32) -> bool {
        self.seen().started.contains(&(job, attempt))
    }

    /// From now on a lost robot has to be noticed in time.
    pub(crate) fn calm_begins(&self) {
        self.seen().calm_since = Some(self.handle.now());
    }

    /// Holds a write that was done against the rules.
    fn look_at(&self, write: &Write, robots: &BTreeMap<Key, Record>) {
        let now = self.handle.now();
        let mut seen = self.seen();
        let faults = match write {
            Write::Put(record) if record.key.kind == Kind::Job => match queue::job_in(record) {
                Ok(job) => {
                    self.tell(&seen, &job, record);
                    seen.job_was_put(job, record, now, robots)
                }
                Err(error) => vec![format!("{}: {error}", record.key)],
            },
            Write::Put(record) if record.key.kind == Kind::Robot => match queue::robot_in(record) {
                Ok(robot) => seen.robot_was_put(robot),
                Err(error) => vec![format!("{}: {error}", record.key)],
            },
            Write::Delete(key, _) if key.kind == Kind::Job => seen.job_was_removed(key, now),
            Write::Delete(key, _) if key.kind == Kind::Robot => {
                seen.robots.retain(|id, _| id.as_str() != key.id);
                Vec::new()
            }
            Write::Put(_) | Write::Delete(..) | Write::Check(..) => Vec::new(),
        };
        drop(seen);
        faults.into_iter().for_each(|fault| self.handle.violated(fault));
    }

    fn tell(&self, seen: &Seen, job: &Job, record: &Record) {
        self.handle.say(|| {
            let before = seen.jobs.get(&record.key);
            let from = before.map_or("-", |job| job.state.name().as_str());
            let last = job.history.last().and_then(|step| step.reason);
            let reason = last.map_or(String::new(), |reason| format!(" ({reason:?})"));
            format!(
                "job {} v{}: {from} → {}{reason}, attempt {}, due {:?}",
                &record.key.id[record.key.id.len() - 12..],
                record.version.next().0,
                job.state.name(),
                job.attempts.given,
                record.due_at.map(|at| at.to_string())
            )
        });
    }

    /// The records of the robots to whom jobs go by `writes`, as they are now.
    async fn robots_of(&self, writes: &[Write]) -> BTreeMap<Key, Record> {
        let keys: Vec<Key> = writes.iter().filter_map(jobs::holder).collect();
        if keys.is_empty() {
            return BTreeMap::new();
        }
        let found = self.below.load(&keys).await.unwrap_or_default();
        keys.into_iter()
            .zip(found)
            .filter_map(|(key, record)| Some((key, record?)))
            .collect()
    }
}

#[async_trait]
impl Store for Witness {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.below.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.below.load(keys).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let writes: Vec<Vec<Write>> = changes.iter().map(|change| change.writes.clone()).collect();
        let outcomes = self.below.commit(changes).await?;
        for (writes, outcome) in writes.iter().zip(&outcomes) {
            if *outcome == Committed::Done {
                let robots = self.robots_of(writes).await;
                writes.iter().for_each(|write| self.look_at(write, &robots));
            }
        }
        Ok(outcomes)
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        // The faults above claim in two steps, by `ready` and `commit`, so that others come between.
        self.below.claim(lanes, limit, decide).await
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.below.lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.below.ready(lanes, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.below.due(now, limit).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.below.list(kind, partition, shelves, after, limit).await
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.below.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.below.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.below.blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.below.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.below.put_blob(blob).await
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.below.put_new_blob(blob).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let purged = self.below.purge(now, limit).await?;
        if purged > 0 {
            let keys: Vec<Key> = self.seen().jobs.keys().cloned().collect();
            let left = self.below.load(&keys).await?;
            let gone = keys.iter().zip(&left).filter(|(_, record)| record.is_none());
            for (key, _) in gone {
                let faults = self.seen().job_was_removed(key, self.handle.now());
                faults.into_iter().for_each(|fault| self.handle.violated(fault));
            }
        }
        Ok(purged)
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.below.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.below.restore(records).await
    }
}
