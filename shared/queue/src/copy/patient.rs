//! One side of a copy: a store that is asked again while it is out of reach.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{CopyError, Side};
use crate::store::{Blob, BlobKey, Change, Committed, Key, Kind, Record, Scanned, Store, StoreError, Write};

/// How often a call is made before the store is said to be out of reach.
pub(super) const TRIES_MAX: u32 = 8;

/// Waits before a call is made again, given how often it has failed.
pub type Wait = Arc<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>;

/// A store, asked again. Only what does no harm when it is done twice is asked here.
#[derive(Clone)]
pub(super) struct Patient {
    pub(super) store: Arc<dyn Store>,
    pub(super) side: Side,
    pub(super) wait: Wait,
}

impl Patient {
    pub(super) async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, CopyError> {
        self.again(|| self.store.scan(after, limit)).await
    }

    pub(super) async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, CopyError> {
        self.again(|| self.store.load(keys)).await
    }

    /// Up to `limit` keys on the shelf of that kind.
    pub(super) async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelf: &str,
        limit: usize,
    ) -> Result<Vec<Key>, CopyError> {
        let shelves = [shelf];
        let found = self.again(|| self.store.list(kind, partition, &shelves, None, limit));
        Ok(found.await?.into_iter().map(|record| record.key).collect())
    }

    pub(super) async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, CopyError> {
        self.again(|| self.store.blobs(keys)).await
    }

    /// Up to `limit` keys of `owner`'s blobs in order, after the name `after`.
    pub(super) async fn blob_keys(
        &self,
        owner: &Key,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<BlobKey>, CopyError> {
        let names = self.again(|| self.store.blob_names(owner, "", after, limit)).await?;
        let key = |name| BlobKey {
            owner: owner.clone(),
            name,
        };
        Ok(names.into_iter().map(key).collect())
    }

    pub(super) async fn put_blob(&self, blob: Blob) -> Result<(), CopyError> {
        self.again(|| self.store.put_blob(blob.clone())).await
    }

    /// The outcomes of the last try: what an earlier one wrote conflicts.
    pub(super) async fn restore(&self, records: &[Record]) -> Result<Vec<Committed>, CopyError> {
        self.again(|| self.store.restore(records.to_vec())).await
    }

    /// Done once: a second try might meet what the first one did.
    pub(super) async fn write(&self, write: Write) -> Result<Committed, CopyError> {
        let change = Change {
            writes: vec![write],
            blobs: Vec::new(),
        };
        let outcomes = self.store.commit(vec![change]).await;
        let outcomes = outcomes.map_err(|source| self.failed(source))?;
        Ok(outcomes.first().copied().unwrap_or(Committed::Conflict))
    }

    async fn again<'a, T>(
        &'a self,
        call: impl Fn() -> BoxFuture<'a, Result<T, StoreError>> + Send,
    ) -> Result<T, CopyError> {
        let mut failures = 0;
        loop {
            match call().await {
                Err(StoreError::Unavailable(_)) if failures + 1 < TRIES_MAX => {
                    failures += 1;
                    (self.wait)(failures).await;
                }
                outcome => return outcome.map_err(|source| self.failed(source)),
            }
        }
    }

    pub(super) fn failed(&self, source: StoreError) -> CopyError {
        CopyError::Store {
            side: self.side,
            source,
        }
    }
}
