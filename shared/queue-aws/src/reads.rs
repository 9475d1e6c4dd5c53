//! Reads by key, and the pages of an index.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Select};
use futures::{StreamExt, TryStreamExt, stream};
use queue::store::{Key, Record, StoreError};
use rand::RngExt;

use crate::{
    AwsStore,
    errors::unavailable,
    item::{self, Item, PARTITION, SORT, text},
    layout,
};

/// How many keys one call reads.
const BATCH: usize = 100;

/// How many calls of one operation are under way at once.
pub(crate) const AT_ONCE: usize = 32;

/// How often the rest of a batch is asked for again.
const ROUNDS_MAX: u32 = 8;

/// The longest wait before a batch's rest is asked for again doubles from this.
const FIRST_WAIT: Duration = Duration::from_millis(20);

/// The range of sort keys that one query reads, both ends included.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Which way a query reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// One index entry: the record's key as an item has it, and the sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) sort: String,
    pub(crate) pk: String,
}

impl AwsStore {
    /// The items at `keys` (partition and sort key), strongly consistent, in no order; none that is not there.
    pub(crate) async fn get_items(
        &self,
        keys: impl IntoIterator<Item = (String, String)>,
        projection: Option<&str>,
    ) -> Result<Vec<Item>, StoreError> {
        let keys: Vec<(String, String)> = keys.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let batches: Vec<_> = keys
            .chunks(BATCH)
            .map(|batch| self.get_batch(batch.to_vec(), projection))
            .collect();
        let found: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn get_batch(&self, keys: Vec<(String, String)>, projection: Option<&str>) -> Result<Vec<Item>, StoreError> {
        let key =
            |(pk, sk): (String, String)| HashMap::from([(PARTITION.to_owned(), text(pk)), (SORT.to_owned(), text(sk))]);
        let mut open = KeysAndAttributes::builder()
            .set_keys(Some(keys.into_iter().map(key).collect()))
            .consistent_read(true)
            .set_projection_expression(projection.map(str::to_owned))
            .build()
            .expect("it has keys");
        let mut found = Vec::new();
        for round in 0..ROUNDS_MAX {
            let answer = self
                .client
                .batch_get_item()
                .request_items(&*self.table, open)
                .send()
                .await;
            let answer = answer.map_err(unavailable)?;
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let rest = answer.unprocessed_keys.into_iter().flatten().next();
            match rest {
                Some((_, rest)) if !rest.keys().is_empty() => open = rest,
                _ => return Ok(found),
            }
            wait(round).await;
        }
        Err(StoreError::Unavailable(
            "DynamoDB left a part of a batch undone, time and again".into(),
        ))
    }

    /// The records of `keys`, in their order.
    pub(crate) async fn load_records(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        let wanted: Vec<String> = keys.iter().map(layout::item_key).collect();
        let found = self.load_items(&wanted).await?;
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// The records whose items lie at `item_keys`, by key.
    pub(crate) async fn load_items(&self, item_keys: &[String]) -> Result<HashMap<Key, Record>, StoreError> {
        if item_keys.is_empty() {
            return Ok(HashMap::new());
        }
        let keys = item_keys.iter().map(|pk| (pk.clone(), layout::RECORD.to_owned()));
        let mut records = HashMap::new();
        for item in self.get_items(keys, None).await? {
            if let Some(record) = item::record(&item)? {
                records.insert(record.key.clone(), record);
            }
        }
        Ok(records)
    }

    /// One page of an index's partition after `start`: at most `limit` entries within `range`, and where to go on from.
    pub(crate) async fn query(
        &self,
        index: (&str, &str, &str),
        partition: &str,
        range: &Range,
        order: Order,
        limit: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Entry>, Option<Item>), StoreError> {
        // No sort key is empty, and a range may not be turned around.
        if limit == 0 || range.from > range.to {
            return Ok((Vec::new(), None));
        }
        let (name, partition_key, sort_key) = index;
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(name)
            .key_condition_expression(format!("{partition_key} = :p and {sort_key} between :a and :z"))
            .expression_attribute_values(":p", text(partition))
            .expression_attribute_values(":a", text(if range.from.is_empty() { "\0" } else { &range.from }))
            .expression_attribute_values(":z", text(&range.to))
            .scan_index_forward(order == Order::Ascending)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unavailable)?;
        let entry = |item: &Item| {
            Some(Entry {
                sort: item::get(item, sort_key)?.to_owned(),
                pk: item::get(item, PARTITION)?.to_owned(),
            })
        };
        let entries = answer.items().iter().filter_map(entry).collect();
        Ok((entries, answer.last_evaluated_key))
    }

    /// How many entries a partition of an index has, counted up to `limit`.
    pub(crate) async fn count_entries(
        &self,
        index: (&str, &str, &str),
        partition: &str,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let (name, partition_key, _) = index;
        let (mut counted, mut start): (u64, Option<Item>) = (0, None);
        loop {
            let left = i32::try_from(limit - counted).unwrap_or(i32::MAX);
            if left == 0 {
                return Ok(counted);
            }
            let answer = self
                .client
                .query()
                .table_name(&*self.table)
                .index_name(name)
                .key_condition_expression(format!("{partition_key} = :p"))
                .expression_attribute_values(":p", text(partition))
                .select(Select::Count)
                .limit(left)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(unavailable)?;
            counted += u64::try_from(answer.count).unwrap_or(0);
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(counted);
            }
        }
    }

    /// Every entry of a partition of an index within `range`, ascending.
    pub(crate) async fn all_entries(
        &self,
        index: (&str, &str, &str),
        partition: &str,
        range: Range,
    ) -> Result<Vec<Entry>, StoreError> {
        let (mut all, mut start) = (Vec::new(), None);
        loop {
            let (page, next) = self
                .query(index, partition, &range, Order::Ascending, PAGE, start)
                .await?;
            all.extend(page);
            start = next;
            if start.is_none() {
                return Ok(all);
            }
        }
    }

    /// Sees whether the table is there and answers.
    pub(crate) async fn read_ping(&self) -> Result<(), StoreError> {
        self.client
            .get_item()
            .table_name(&*self.table)
            .key(PARTITION, text(layout::DEPTH))
            .key(SORT, text(layout::RECORD))
            .send()
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

/// How many entries are read at a time where all are wanted; a page of DynamoDB's holds 1 MB.
const PAGE: usize = 5_000;

/// Waits up to twice as long each round, at random, so that those who were turned away together do not come back together.
pub(crate) async fn wait(round: u32) {
    let longest = FIRST_WAIT * 2_u32.saturating_pow(round.min(5));
    let share = rand::rng().random_range(0.0..1.0);
    tokio::time::sleep(longest.mul_f64(share)).await;
}

/// The value of an attribute that holds bytes.
pub(crate) fn bytes_of(value: &AttributeValue) -> Option<&[u8]> {
    value.as_b().ok().map(AsRef::as_ref)
}
