//! Timers: what is due, and what has expired.

use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use queue::store::{Committed, Record, StoreError};

use crate::{
    AwsStore,
    layout::{self, DUE, DUE_SHARDS, EXPIRING},
    reads::{AT_ONCE, Entry, Order, Range},
};

/// Sorts after every id.
const AFTER_IDS: &str = "\u{7f}";

impl AwsStore {
    /// Up to `limit` records with `due_at <= now`, soonest first, and at one moment by id.
    pub(crate) async fn due_records(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        let found = self.soonest(DUE, layout::due_partition, now, limit).await?;
        Ok(found
            .into_iter()
            .filter(|record| record.due_at.is_some_and(|at| at <= now))
            .collect())
    }

    /// Removes up to `limit` records with `expires_at <= now` that are the sweep's to purge, soonest first.
    pub(crate) async fn purge_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let found = self.soonest(EXPIRING, layout::expiring_partition, now, limit).await?;
        let expired = found
            .into_iter()
            .filter(|record| record.expires_at.is_some_and(|at| at <= now));
        let work: Vec<_> = expired.map(|record| self.purge_one(record)).collect();
        let removed: Vec<Committed> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(removed
            .into_iter()
            .filter(|outcome| *outcome == Committed::Done)
            .count())
    }

    /// The blobs go first: what is found again after a crash is the record.
    async fn purge_one(&self, record: Record) -> Result<Committed, StoreError> {
        self.delete_blobs(&record.key).await?;
        self.delete_record(&record.key, record.version).await
    }

    /// The records of the first `limit` entries up to `now` over all shards of an index, in their order.
    async fn soonest(
        &self,
        index: (&'static str, &'static str, &'static str),
        partition: fn(u32) -> String,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let range = Range {
            from: String::new(),
            to: layout::time_sort(now, AFTER_IDS),
        };
        let partitions: Vec<String> = (0..DUE_SHARDS).map(partition).collect();
        let work: Vec<_> = partitions
            .iter()
            .map(|partition| self.query(index, partition, &range, Order::Ascending, limit, None))
            .collect();
        let found: Vec<_> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut entries: Vec<Entry> = found.into_iter().flat_map(|(entries, _)| entries).collect();
        entries.sort_unstable();
        entries.truncate(limit);
        let keys: Vec<String> = entries.iter().map(|entry| entry.pk.clone()).collect();
        let mut records = self.load_items(&keys).await?;
        Ok(keys
            .iter()
            .filter_map(|pk| records.remove(&layout::parse_item_key(pk)?))
            .collect())
    }
}
