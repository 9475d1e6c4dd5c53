//! The store on Postgres.
//!
//! It guards and fetches: every statement names versions, keys and index places, none looks into a body or branches on
//! what a record means. It holds no transaction while anything but Postgres and a pure decision runs, and leaves nothing in
//! a session but the statements it prepared there; through a pooler in transaction mode not even those, see `statements`.

mod address;
mod blobs;
mod claim;
mod columns;
mod commit;
mod connect;
mod errors;
mod floors;
mod group;
mod iam;
mod migrations;
mod pool;
mod reads;
mod session;
mod statements;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{TenantName, Timestamp};
use queue::{
    mark,
    store::{
        Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
        Store, StoreError, Write,
    },
};

use self::connect::Connections;
pub use self::{
    address::{BadAddress, check_address},
    connect::PostgresOptions,
    migrations::{MigrationState, migration_sql},
};

/// A store on Postgres; cheap to clone, one pool.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    connections: Arc<Connections>,
}

#[async_trait]
impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        reads::ping(&self.connections).await.map_err(errors::unavailable)
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        reads::load(&self.connections, keys).await.map_err(errors::unavailable)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let puts = changes.iter().flat_map(|change| &change.writes).filter_map(put);
        let _lowering = self.connections.floors.lowered_by(puts);
        commit::commit(&self.connections, changes)
            .await
            .map_err(errors::unavailable)
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        claim::claim(&self.connections, lanes, limit, decide)
            .await
            .map_err(errors::unavailable)
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        let found = self.lanes_of(&[prefix.to_owned()], limit).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn lanes_of(&self, prefixes: &[String], limit: usize) -> Result<Vec<Vec<Lane>>, StoreError> {
        reads::lanes(&self.connections, prefixes, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::ready(&self.connections, lanes, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        reads::due(&self.connections, now, limit)
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
        reads::list(&self.connections, kind, partition, shelves, after, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        reads::count(&self.connections, tenant)
            .await
            .map_err(errors::unavailable)
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        reads::depth(&self.connections, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        blobs::blobs(&self.connections, keys).await.map_err(errors::unavailable)
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        blobs::names(&self.connections, owner, prefix, after, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        blobs::put(&self.connections, &blob).await.map_err(errors::unavailable)
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        blobs::put_new(&self.connections, blob)
            .await
            .map_err(errors::unavailable)
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        commit::purge(&self.connections, now, limit)
            .await
            .map_err(errors::unavailable)
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        let after = after.map(mark::read).transpose()?;
        let found = reads::scan(&self.connections, after.as_ref(), limit).await;
        Ok(mark::page(found.map_err(errors::unavailable)?, limit))
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        let _lowering = self.connections.floors.lowered_by(records.iter());
        commit::restore(&self.connections, records)
            .await
            .map_err(errors::unavailable)
    }
}

fn put(write: &Write) -> Option<&Record> {
    match write {
        Write::Put(record) => Some(record),
        Write::Delete(..) | Write::Check(..) => None,
    }
}
