//! A store that behaves as badly as the seam allows, by a seed: it fails before or after it has done what it was asked,
//! sees conflicts where there are none, writes a claim in two steps with a gap, and gives indexes as they were a while ago.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::store::{
    Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
    Store, StoreError,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How often each fault comes, of a hundred calls that it could come to.
const FAULTS_IN_HUNDRED: u32 = 6;

/// How often an index is given as it was before, of a hundred times.
const STALE_IN_HUNDRED: u32 = 25;

/// A store with faults put in. While it is switched off it does as the store below.
pub struct FaultyStore {
    below: Arc<dyn Store>,
    on: AtomicBool,
    chance: Mutex<StdRng>,
    /// What each question to an index was answered with before.
    earlier: Mutex<HashMap<String, Vec<Record>>>,
    put_in: AtomicU64,
    /// How many calls it still answers.
    left: AtomicU64,
}

impl FaultyStore {
    /// Puts the faults of `seed` into `below`.
    pub fn new(below: Arc<dyn Store>, seed: u64) -> Self {
        Self {
            below,
            on: AtomicBool::new(true),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
            earlier: Mutex::default(),
            put_in: AtomicU64::new(0),
            left: AtomicU64::new(u64::MAX),
        }
    }

    /// Does as `below` for so many calls and nothing after them, as if whoever calls were killed there. Each record of a
    /// restore counts as a call.
    pub fn stopping_after(below: Arc<dyn Store>, calls: u64) -> Self {
        Self {
            on: AtomicBool::new(false),
            left: AtomicU64::new(calls),
            ..Self::new(below, 0)
        }
    }

    /// From now on it does as the store below.
    pub fn switch_off(&self) {
        self.on.store(false, Ordering::SeqCst);
    }

    /// How many faults it has put in.
    pub fn put_in(&self) -> u64 {
        self.put_in.load(Ordering::SeqCst)
    }

    fn strikes(&self, in_hundred: u32) -> bool {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let strikes = self.on.load(Ordering::SeqCst) && chance.random_ratio(in_hundred, 100);
        self.put_in.fetch_add(u64::from(strikes), Ordering::SeqCst);
        strikes
    }

    /// Fails once it has stopped.
    fn answers(&self) -> Result<(), StoreError> {
        let count_down = |left: u64| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down) {
            Ok(_) => Ok(()),
            Err(_) => Err(unavailable("it has stopped")),
        }
    }

    /// An error before anything was done.
    fn before(&self) -> Result<(), StoreError> {
        self.answers()?;
        if self.strikes(FAULTS_IN_HUNDRED) {
            Err(unavailable("nothing was done"))
        } else {
            Ok(())
        }
    }

    /// What was done, or an error though it was.
    fn after<T>(&self, done: T) -> Result<T, StoreError> {
        if self.strikes(FAULTS_IN_HUNDRED) {
            Err(unavailable("it was done"))
        } else {
            Ok(done)
        }
    }

    /// `now`, or what the same question was answered with before.
    fn perhaps_stale(&self, question: String, now: Vec<Record>) -> Vec<Record> {
        let stale = self.strikes(STALE_IN_HUNDRED);
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if stale {
            earlier.get(&question).cloned().unwrap_or(now)
        } else {
            earlier.entry(question).insert_entry(now).get().clone()
        }
    }

    /// Commits changes one by one, some of them refused without a look.
    async fn commit_some(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(if self.strikes(FAULTS_IN_HUNDRED) {
                Committed::Conflict
            } else {
                self.below.commit(vec![change]).await?[0]
            });
            // What came before stays done.
            if self.strikes(1) {
                return Err(unavailable("it was done in part"));
            }
        }
        Ok(outcomes)
    }
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(format!("a fault was put in: {what}").into())
}

#[async_trait]
impl Store for FaultyStore {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.before()?;
        self.below.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.before()?;
        self.below.load(keys).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.before()?;
        let outcomes = self.commit_some(changes).await?;
        self.after(outcomes)
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide<'_>) -> Result<Vec<Granted>, StoreError> {
        self.before()?;
        let offered = self.ready(lanes, limit).await?;
        let mut granted = Vec::new();
        for grant in decide(offered) {
            let holder = self.commit_some(vec![grant.holder.into()]).await?[0];
            // Whoever claims may be gone between the holder and its jobs.
            self.before()?;
            let jobs = match holder {
                Committed::Done => {
                    self.commit_some(grant.jobs.into_iter().map(Change::from).collect())
                        .await?
                }
                Committed::Conflict => vec![Committed::Conflict; grant.jobs.len()],
            };
            granted.push(Granted { holder, jobs });
        }
        self.after(granted)
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.before()?;
        self.below.lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.before()?;
        let now = self.below.ready(lanes, limit).await?;
        Ok(self.perhaps_stale(format!("ready {lanes:?} {limit}"), now))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.before()?;
        let found = self.below.due(now, limit).await?;
        Ok(self.perhaps_stale(format!("due {limit}"), found))
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.before()?;
        let now = self.below.list(kind, partition, shelves, after, limit).await?;
        Ok(self.perhaps_stale(format!("list {kind:?} {partition} {shelves:?} {after:?} {limit}"), now))
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.before()?;
        self.below.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.before()?;
        self.below.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.before()?;
        self.below.blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.before()?;
        self.below.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.before()?;
        self.below.put_blob(blob).await?;
        self.after(())
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.before()?;
        let put = self.below.put_new_blob(blob).await?;
        self.after(put)
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.before()?;
        let purged = self.below.purge(now, limit).await?;
        self.after(purged)
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.before()?;
        if let Some(after) = after
            && self.strikes(FAULTS_IN_HUNDRED)
        {
            // A page that holds none though the scan goes on.
            return Ok(Scanned {
                records: Vec::new(),
                next: Some(after.to_owned()),
            });
        }
        let limit = if self.strikes(FAULTS_IN_HUNDRED) { 1 } else { limit };
        self.below.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.before()?;
        let mut outcomes = Vec::with_capacity(records.len());
        for record in records {
            self.answers()?;
            outcomes.extend(self.below.restore(vec![record]).await?);
            // What came before stays done.
            if self.strikes(1) {
                return Err(unavailable("it was done in part"));
            }
        }
        self.after(outcomes)
    }
}
