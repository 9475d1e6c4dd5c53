//! The store in one `SQLite` file, or in memory.
//!
//! It guards and fetches: every statement names versions, keys and index places, none looks into a body or branches on
//! what a record means. There is one writer; what is committed is on the disk.

mod blobs;
mod claim;
mod columns;
mod commit;
mod database;
mod errors;
mod migrations;
mod reads;
mod writer;

pub use self::migrations::{MigrationState, migration_sql};
use self::{database::Database, writer::Writer};
use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::{
    mark,
    store::{
        Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
        Store, StoreError,
    },
};

/// A store on `SQLite`; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    database: Database,
    writer: Writer,
}

impl SqliteStore {
    /// The store in the file that `place` names (`sqlite:PATH` or a path) or, for `sqlite::memory:`, in memory until it is
    /// dropped. Nothing is opened before the first call, and no file is made but by [`SqliteStore::migrate`].
    #[expect(clippy::unused_async, reason = "callers open every kind of store alike")]
    pub async fn open(place: &str) -> Result<Self, StoreError> {
        let database = Database::at(place)?;
        let writer = Writer::new(database.clone());
        Ok(Self { database, writer })
    }

    /// Closes the file once what is under way is done.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        reads::load(&self.database.readers()?, keys)
            .await
            .map_err(errors::unavailable)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.writer.commit(changes).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        claim::claim(&self.database.writer()?, lanes, limit, decide)
            .await
            .map_err(errors::unavailable)
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        reads::lanes(&self.database.readers()?, prefix, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::ready(&self.database.readers()?, lanes, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::due(&self.database.readers()?, now, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        reads::list(&self.database.readers()?, kind, partition, shelves, after, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        reads::count(&self.database.readers()?, tenant)
            .await
            .map_err(errors::unavailable)
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        reads::depth(&self.database.readers()?, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        blobs::blobs(&self.database.readers()?, keys)
            .await
            .map_err(errors::unavailable)
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        blobs::names(&self.database.readers()?, owner, prefix, after, limit)
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
        self.writer.put_new_blob(blob).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        commit::purge(&self.database.writer()?, now, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        let after = after.map(mark::read).transpose()?;
        let found = reads::scan(&self.database.readers()?, after.as_ref(), limit).await;
        Ok(mark::page(found.map_err(errors::unavailable)?, limit))
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.writer.restore(records).await
    }
}
