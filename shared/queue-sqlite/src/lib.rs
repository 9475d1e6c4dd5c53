//! The store in one SQLite file, or in memory.
//!
//! It guards and fetches: every statement names versions, keys and index places, none looks into a body or branches on
//! what a record means. There is one writer; what is committed is on the disk.

mod blobs;
mod claim;
mod columns;
mod commit;
mod errors;
mod migrations;
mod open;
mod reads;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::store::{
    Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Store,
    StoreError,
};
use sqlx::SqlitePool;

pub use self::migrations::{MigrationState, migration_sql};
use self::writer::Writer;

/// A store on SQLite; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// Several connections for a file; the writer's own one in memory, where no other sees what it wrote.
    readers: SqlitePool,
    writer: Arc<Writer>,
}

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.ping().await.map_err(errors::unavailable)
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        reads::load(&self.readers, keys).await.map_err(errors::unavailable)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.writer.commit(changes).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide<'_>) -> Result<Vec<Granted>, StoreError> {
        claim::claim(self.writer.pool(), lanes, limit, decide)
            .await
            .map_err(errors::unavailable)
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        reads::lanes(&self.readers, prefix, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::ready(&self.readers, lanes, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::due(&self.readers, now, limit).await.map_err(errors::unavailable)
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        reads::list(&self.readers, kind, partition, shelves, after, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        reads::count(&self.readers, tenant).await.map_err(errors::unavailable)
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        reads::depth(&self.readers, limit).await.map_err(errors::unavailable)
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        blobs::blobs(&self.readers, keys).await.map_err(errors::unavailable)
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        blobs::names(&self.readers, owner, prefix, after, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        // As a change without records, it shares a transaction with whatever else is being written.
        self.writer
            .commit(vec![Change {
                writes: Vec::new(),
                blobs: vec![blob],
            }])
            .await
            .map(|_| ())
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        blobs::put_new(self.writer.pool(), blob)
            .await
            .map_err(errors::unavailable)
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        commit::purge(self.writer.pool(), now, limit)
            .await
            .map_err(errors::unavailable)
    }
}
