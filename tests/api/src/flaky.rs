//! A store that can be taken away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::{
    StoreError,
    store::{
        Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
        Store,
    },
};

/// A store behind a switch.
pub struct FlakyStore {
    inner: Arc<dyn Store>,
    away: AtomicBool,
}

impl FlakyStore {
    /// `inner`, which is there at first.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
        }
    }

    /// Takes the store away, or brings it back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn reach(&self) -> Result<&dyn Store, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("connection to db.internal:5432 refused".into()));
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Store for FlakyStore {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.reach()?.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.reach()?.load(keys).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.reach()?.commit(changes).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        self.reach()?.claim(lanes, limit, decide).await
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.reach()?.lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.reach()?.ready(lanes, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.reach()?.due(now, limit).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.reach()?.list(kind, partition, shelves, after, limit).await
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.reach()?.count(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.reach()?.depth(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.reach()?.blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.reach()?.blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.reach()?.put_blob(blob).await
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.reach()?.put_new_blob(blob).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.reach()?.purge(now, limit).await
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.reach()?.scan(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.reach()?.restore(records).await
    }
}
