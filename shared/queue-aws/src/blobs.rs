//! Blobs: in the record's own item when they came with it and are small, else in items of their own under the same key.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::put_item::PutItemError,
    types::{ReturnValuesOnConditionCheckFailure, Select},
};
use futures::{StreamExt, TryStreamExt, stream};
use queue::store::{Blob, BlobKey, BlobPut, Key, StoreError};

use crate::{
    AwsStore, body,
    errors::{corrupt, unavailable},
    item::{self, BODY, EXPIRES, Item, PARTITION, SORT, WRITER, bytes, text},
    layout::{self, BLOB, BLOB_END, EXPIRING, INLINE, RECORD},
    reads::{AT_ONCE, Order, Range, bytes_of},
};

impl AwsStore {
    /// The blobs of `keys`, in their order.
    pub(crate) async fn read_blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let places = keys.iter().flat_map(|key| {
            let pk = layout::item_key(&key.owner);
            [(pk.clone(), RECORD.to_owned()), (pk, blob_sort(&key.name))]
        });
        let items = self.get_items(places, None).await?;
        let items: HashMap<(&str, &str), &Item> = items
            .iter()
            .filter_map(|item| Some(((item::get(item, PARTITION)?, item::get(item, SORT)?), item)))
            .collect();
        let read = |key: &BlobKey| {
            let pk = layout::item_key(&key.owner);
            let inline = items
                .get(&(pk.as_str(), RECORD))
                .and_then(|item| item.get(&inline_name(&key.name)));
            let beside = items
                .get(&(pk.as_str(), blob_sort(&key.name).as_str()))
                .and_then(|item| item.get(BODY));
            let Some(packed) = inline.or(beside) else {
                return Ok(None);
            };
            open(packed, &pk, &key.name).map(Some)
        };
        keys.iter().map(read).collect()
    }

    /// The names of `owner`'s blobs that begin with `prefix` and sort after `after`, in order, at most `limit`.
    pub(crate) async fn read_blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let pk = layout::item_key(owner);
        let range = Range {
            from: after.map_or(blob_sort(prefix), |after| {
                format!("{}\0", blob_sort(after)).max(blob_sort(prefix))
            }),
            to: blob_sort(&queue::range::prefix_end(prefix)),
        };
        let beside = self.sort_keys(&pk, &range, Order::Ascending, limit).await?;
        let record = self.get_items([(pk, RECORD.to_owned())], None).await?;
        let inline = record
            .iter()
            .flat_map(Item::keys)
            .filter_map(|name| name.strip_prefix(INLINE))
            .map(str::to_owned);
        let beside = beside
            .into_iter()
            .filter_map(|sk| sk.strip_prefix(BLOB).map(str::to_owned));
        let mut names: Vec<String> = inline
            .chain(beside)
            .filter(|name| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(limit);
        Ok(names)
    }

    /// Writes a blob whether or not there is one of that name.
    pub(crate) async fn write_blob(&self, blob: Blob) -> Result<(), StoreError> {
        let (owner, inline) = (blob.key.owner.clone(), inline_name(&blob.key.name));
        self.put_item(blob_item(&blob)).await?;
        if self
            .settle_owner(&owner)
            .await?
            .is_some_and(|item| item.contains_key(&inline))
        {
            // Or the older one in the record's item would be read.
            let pk = layout::item_key(&owner);
            let call = self.client.update_item().table_name(&*self.table);
            let call = call.key(PARTITION, text(pk)).key(SORT, text(RECORD));
            let call = call
                .update_expression("remove #n")
                .expression_attribute_names("#n", inline);
            call.send().await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Writes a blob if there is none of that name.
    pub(crate) async fn write_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        let (pk, name) = (layout::item_key(&blob.key.owner), blob.key.name.clone());
        let owner = self.get_items([(pk.clone(), RECORD.to_owned())], None).await?;
        if let Some(packed) = owner.first().and_then(|item| item.get(&inline_name(&name))) {
            return Ok(BlobPut::Exists(open(packed, &pk, &name)?));
        }
        let mut item = blob_item(&blob);
        let writer = bytes(rand::random::<u64>().to_be_bytes());
        item.insert(WRITER.to_owned(), writer.clone());
        let sent = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => {
                self.settle_owner(&blob.key.owner).await?;
                Ok(BlobPut::Stored)
            }
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                let there = match refused.into_err() {
                    PutItemError::ConditionalCheckFailedException(met) => met.item.unwrap_or_default(),
                    _ => Item::new(),
                };
                if there.get(WRITER) == Some(&writer) {
                    self.settle_owner(&blob.key.owner).await?;
                    return Ok(BlobPut::Stored);
                }
                let packed = there
                    .get(BODY)
                    .ok_or_else(|| corrupt(format!("blob {name} of {pk}"), "it has no body"))?;
                Ok(BlobPut::Exists(open(packed, &pk, &name)?))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Writes blobs that come with a change but not in its record's item.
    pub(crate) async fn write_blobs_beside(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        // Of two with one name the later one.
        let latest: HashMap<BlobKey, Blob> = blobs.into_iter().map(|blob| (blob.key.clone(), blob)).collect();
        let work: Vec<_> = latest
            .into_values()
            .map(|blob| self.put_item(blob_item(&blob)))
            .collect();
        stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Whether there are items beside the record of `key`.
    pub(crate) async fn has_blobs(&self, key: &Key) -> Result<bool, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :p and sk between :a and :z")
            .expression_attribute_values(":p", text(layout::item_key(key)))
            .expression_attribute_values(":a", text(BLOB))
            .expression_attribute_values(":z", text(BLOB_END))
            .consistent_read(true)
            .select(Select::Count)
            .limit(1)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(answer.count > 0)
    }

    /// The sort keys of a partition of the table within `range`, at most `limit`.
    pub(crate) async fn sort_keys(
        &self,
        pk: &str,
        range: &Range,
        order: Order,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let (mut keys, mut start): (Vec<String>, Option<Item>) = (Vec::new(), None);
        if range.from > range.to {
            return Ok(keys);
        }
        loop {
            let answer = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("pk = :p and sk between :a and :z")
                .expression_attribute_values(":p", text(pk))
                .expression_attribute_values(":a", text(&range.from))
                .expression_attribute_values(":z", text(&range.to))
                .projection_expression(SORT)
                .consistent_read(true)
                .scan_index_forward(order == Order::Ascending)
                .limit(i32::try_from(limit - keys.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(unavailable)?;
            keys.extend(
                answer
                    .items()
                    .iter()
                    .filter_map(|item| item::get(item, SORT).map(str::to_owned)),
            );
            start = answer.last_evaluated_key;
            if start.is_none() || keys.len() >= limit {
                return Ok(keys);
            }
        }
    }

    /// Gives the owner of a blob that was just written to the sweep, when it was left to DynamoDB's time to live: that
    /// would remove the record and leave the blob. Gives its item, if there is one.
    async fn settle_owner(&self, owner: &Key) -> Result<Option<Item>, StoreError> {
        let pk = layout::item_key(owner);
        let item = self
            .get_items([(pk.clone(), RECORD.to_owned())], None)
            .await?
            .into_iter()
            .next();
        let expires = item
            .as_ref()
            .filter(|item| !item.contains_key(EXPIRING.1))
            .and_then(|item| item::micros(item, EXPIRES));
        let Some(expires) = expires else { return Ok(item) };
        let at = domain::Timestamp::from_micros(expires);
        let call = self.client.update_item().table_name(&*self.table);
        let call = call.key(PARTITION, text(&pk)).key(SORT, text(RECORD));
        let call = call.update_expression(format!(
            "set {} = :p, {} = :s remove {}",
            EXPIRING.1,
            EXPIRING.2,
            layout::TIME_TO_LIVE
        ));
        let call = call
            .condition_expression("e = :e")
            .expression_attribute_values(":e", item::number(expires));
        let call = call.expression_attribute_values(
            ":p",
            text(layout::expiring_partition(layout::shard(&pk, layout::DUE_SHARDS))),
        );
        let call = call.expression_attribute_values(":s", text(layout::time_sort(at, &owner.id)));
        match call.send().await {
            Ok(_) => Ok(item),
            // The record was written anew, and whoever did that looked what lies beside it.
            Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => Ok(item),
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn blob_sort(name: &str) -> String {
    format!("{BLOB}{name}")
}

fn inline_name(name: &str) -> String {
    format!("{INLINE}{name}")
}

fn blob_item(blob: &Blob) -> Item {
    Item::from([
        (PARTITION.to_owned(), text(layout::item_key(&blob.key.owner))),
        (SORT.to_owned(), text(blob_sort(&blob.key.name))),
        (BODY.to_owned(), bytes(body::pack(&blob.body))),
    ])
}

fn open(packed: &aws_sdk_dynamodb::types::AttributeValue, pk: &str, name: &str) -> Result<Vec<u8>, StoreError> {
    let what = || format!("blob {name} of {pk}");
    let packed = bytes_of(packed).ok_or_else(|| corrupt(what(), "it holds no bytes"))?;
    body::unpack(packed).map_err(|source| corrupt(what(), source))
}
