//! The store on DynamoDB, and hints on SQS: for people who want no server at all.
//!
//! It guards and fetches. One table holds every record and, under the same partition key, the blobs beside it; what
//! decides is the condition of a write, never an index. How items and index keys look is told in [`layout`]; what a call
//! costs is held by `tests/cost.rs`.

mod blobs;
mod body;
mod claim;
mod connect;
mod due;
mod errors;
mod gate;
mod hints;
mod item;
pub mod layout;
mod lists;
mod options;
mod reads;
mod ready;
mod table;
mod whole;
mod writes;

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use domain::{TenantName, Timestamp};
use queue::store::{
    Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Granted, Key, Kind, Lane, Position, Record, Scanned,
    Store, StoreError,
};
use tokio::sync::Mutex;

pub use self::{
    connect::{ClientConfigs, client_configs, connect},
    hints::SqsHints,
    options::{AwsOptions, BadAddress},
    table::{TableState, table_definition},
};

/// A store on one DynamoDB table; cheap to clone, one client.
#[derive(Clone, Debug)]
pub struct AwsStore {
    client: Client,
    table: Arc<str>,
    options: Arc<AwsOptions>,
    /// The ready partitions that are known to be registered. Losing them costs a read each.
    registered: Arc<Mutex<HashSet<String>>>,
    /// Whether claims met each other lately.
    gate: Arc<gate::Gate>,
}

#[async_trait]
impl Store for AwsStore {
    fn name(&self) -> &'static str {
        "sqs"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read_ping().await
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        self.load_records(keys).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.write_changes(changes).await
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let offered = self.offer(lanes, limit).await?;
        let grants = decide(offered);
        self.write_grants(grants).await
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        self.find_lanes(prefix, limit).await
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.ready_records(lanes, limit).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.due_records(now, limit).await
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.list_records(kind, partition, shelves, after, limit).await
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        self.count_unfinished(tenant).await
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        self.count_ready(limit).await
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.read_blobs(keys).await
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.read_blob_names(owner, prefix, after, limit).await
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.write_blob(blob).await
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.write_new_blob(blob).await
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.purge_expired(now, limit).await
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        self.scan_records(after, limit).await
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.restore_records(records).await
    }
}
