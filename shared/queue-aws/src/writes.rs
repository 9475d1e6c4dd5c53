//! Guarded writes: one conditional write for a change of one record, a transaction for one of several.
//!
//! A write that was done while the caller was told of a timeout is tried again by the SDK, and then meets itself. Each
//! write bears a number drawn for it, so that it knows itself in the item that refuses it.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    config::retry::RetryConfig,
    error::SdkError,
    operation::{
        delete_item::DeleteItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError,
    },
    types::{
        AttributeValue, ConditionCheck, Delete, DeleteRequest, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
        Update, WriteRequest,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use queue::store::{Blob, Change, Committed, Grant, Granted, Key, Record, StoreError, Version, Write};

use crate::{
    AwsStore, body,
    errors::{is_worth_another_try, may_have_been_done, unavailable, was_in_transaction},
    item::{self, Item, PARTITION, Purger, SORT, VERSION, WRITER, bytes, number, text},
    layout::{self, INLINE},
    reads::{AT_ONCE, Order, Range, wait},
};

/// The largest blob that goes into the record's own item, packed: a record, a small payload and a small result together
/// are to stay below the 1 KB of one write unit.
const INLINE_MAX: usize = 160;

/// The largest item that a blob is still put into, for the body grows with each transition.
const INLINE_ITEM_MAX: usize = 760;

/// How often a write that met a transaction, or a transaction that met another one, is tried.
const TRIES_MAX: u32 = 8;

/// How many items one call removes.
const BATCH: usize = 25;

/// What a write of one record puts where.
struct Put {
    pk: String,
    update: String,
    condition: &'static str,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
    writer: AttributeValue,
}

impl AwsStore {
    /// Writes each change or refuses it.
    pub(crate) async fn write_changes(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        self.register_lanes(changes.iter().flat_map(|change| &change.writes))
            .await?;
        let work: Vec<_> = changes.into_iter().map(|change| self.write_change(change)).collect();
        stream::iter(work).buffered(AT_ONCE).try_collect().await
    }

    /// Writes each holder and then its jobs.
    pub(crate) async fn write_grants(&self, grants: Vec<Grant>) -> Result<Vec<Granted>, StoreError> {
        // Of two grants of one job the first gets it, so they go one after the other where they meet.
        let meet = has_twice(grants.iter().flat_map(|grant| &grant.jobs).map(|job| &job.key));
        let at_once = if meet { 1 } else { AT_ONCE };
        let work: Vec<_> = grants.into_iter().map(|grant| self.write_grant(grant)).collect();
        let granted: Vec<Granted> = stream::iter(work).buffered(at_once).try_collect().await?;
        let lost = |grant: &Granted| grant.holder == Committed::Done && grant.jobs.contains(&Committed::Conflict);
        if granted.iter().any(lost) {
            self.gate.met();
        }
        Ok(granted)
    }

    async fn write_grant(&self, grant: Grant) -> Result<Granted, StoreError> {
        let jobs = grant.jobs.len();
        let holder = self.write_change(grant.holder.into()).await?;
        if holder == Committed::Conflict {
            return Ok(Granted {
                holder,
                jobs: vec![Committed::Conflict; jobs],
            });
        }
        let work: Vec<_> = grant
            .jobs
            .into_iter()
            .map(|job| self.write_change(job.into()))
            .collect();
        Ok(Granted {
            holder,
            jobs: stream::iter(work).buffered(AT_ONCE).try_collect().await?,
        })
    }

    async fn write_change(&self, change: Change) -> Result<Committed, StoreError> {
        let Change { mut writes, blobs } = change;
        match (writes.pop(), writes.is_empty()) {
            (None, _) => {
                self.write_blobs_beside(blobs).await?;
                Ok(Committed::Done)
            }
            (Some(Write::Put(record)), true) => self.write_record(record, blobs).await,
            (Some(last), alone) => {
                self.write_blobs_beside(blobs).await?;
                match last {
                    Write::Delete(key, version) if alone => self.delete_record(&key, version).await,
                    Write::Check(key, version) if alone => self.check_record(&key, version).await,
                    last => {
                        writes.push(last);
                        self.write_together(writes).await
                    }
                }
            }
        }
    }

    /// Writes one record, with the small blobs of its change in the same item and the others before it.
    async fn write_record(&self, record: Record, blobs: Vec<Blob>) -> Result<Committed, StoreError> {
        let room = INLINE_ITEM_MAX.saturating_sub(item::size(&item::attributes(&record, Purger::Sweep)));
        let (mut inline, mut beside) = (Vec::new(), Vec::new());
        for blob in blobs {
            let packed = body::pack(&blob.body);
            if blob.key.owner == record.key && packed.len() <= INLINE_MAX.min(room) {
                inline.push((blob.key.name, packed));
            } else {
                beside.push(blob);
            }
        }
        let purger = self.purger(&record, !beside.is_empty()).await?;
        self.write_blobs_beside(beside).await?;
        self.write_if(&record, record.version, purger, inline).await
    }

    /// Writes one record, its version a step on, if what is stored has the version `guard`.
    pub(crate) async fn write_if(
        &self,
        record: &Record,
        guard: Version,
        purger: Purger,
        inline: Vec<(String, Vec<u8>)>,
    ) -> Result<Committed, StoreError> {
        let put = put(record, guard, purger, inline);
        for round in 0..TRIES_MAX {
            let sent = self
                .client
                .update_item()
                .table_name(&*self.table)
                .key(PARTITION, text(&put.pk))
                .key(SORT, text(layout::RECORD))
                .update_expression(&put.update)
                .condition_expression(put.condition)
                .set_expression_attribute_names(Some(put.names.clone()))
                .set_expression_attribute_values(Some(put.values.clone()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            match sent {
                Ok(_) => return Ok(Committed::Done),
                Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                    let UpdateItemError::ConditionalCheckFailedException(met) = refused.err() else {
                        break;
                    };
                    let own = met.item.as_ref().and_then(|item| item.get(WRITER)) == Some(&put.writer);
                    return Ok(if own { Committed::Done } else { Committed::Conflict });
                }
                Err(error) if was_in_transaction(&error) => wait(round).await,
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(busy())
    }

    /// Who will purge the record.
    async fn purger(&self, record: &Record, blobs_come: bool) -> Result<Purger, StoreError> {
        if record.expires_at.is_none() || self.options.exact_retention || blobs_come {
            return Ok(Purger::Sweep);
        }
        if record.version == Version::ABSENT {
            return Ok(Purger::TimeToLive);
        }
        self.purger_beside(record).await
    }

    /// Who will purge the record, by what lies beside it.
    pub(crate) async fn purger_beside(&self, record: &Record) -> Result<Purger, StoreError> {
        let by_sweep =
            record.expires_at.is_none() || self.options.exact_retention || self.has_blobs(&record.key).await?;
        Ok(if by_sweep { Purger::Sweep } else { Purger::TimeToLive })
    }

    pub(crate) async fn delete_record(&self, key: &Key, version: Version) -> Result<Committed, StoreError> {
        if version == Version::ABSENT {
            return self.check_record(key, version).await;
        }
        let pk = layout::item_key(key);
        // The SDK would not tell that an earlier try of its own had been lost on the way, and perhaps been done.
        let once = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        let mut unsure = false;
        for round in 0..TRIES_MAX {
            let call = self.client.delete_item().table_name(&*self.table);
            let call = call.key(PARTITION, text(&pk)).key(SORT, text(layout::RECORD));
            let call = call
                .condition_expression(AT_VERSION)
                .expression_attribute_names("#v", VERSION);
            let call = call.expression_attribute_values(":old", number(version.0));
            let call = call.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match call.customize().config_override(once.clone()).send().await {
                Ok(_) => {
                    self.delete_blobs(key).await?;
                    return Ok(Committed::Done);
                }
                Err(SdkError::ServiceError(refused)) if refused.err().is_conditional_check_failed_exception() => {
                    let DeleteItemError::ConditionalCheckFailedException(met) = refused.err() else {
                        break;
                    };
                    if unsure && met.item.is_none() {
                        self.delete_blobs(key).await?;
                        return Ok(Committed::Done);
                    }
                    return Ok(Committed::Conflict);
                }
                Err(error) if is_worth_another_try(&error) && round + 1 < TRIES_MAX => {
                    unsure |= may_have_been_done(&error);
                    wait(round).await;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(busy())
    }

    async fn check_record(&self, key: &Key, version: Version) -> Result<Committed, StoreError> {
        let found = self.load_records(std::slice::from_ref(key)).await?;
        let there = found
            .into_iter()
            .flatten()
            .next()
            .map_or(Version::ABSENT, |record| record.version);
        Ok(if there == version {
            Committed::Done
        } else {
            Committed::Conflict
        })
    }

    /// Writes several records, all or none.
    async fn write_together(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let mut items = Vec::with_capacity(writes.len());
        for write in &writes {
            items.push(match write {
                Write::Put(record) => {
                    let purger = self.purger_beside(record).await?;
                    let put = put(record, record.version, purger, Vec::new());
                    TransactWriteItem::builder().update(self.update(put)).build()
                }
                Write::Delete(key, version) if *version != Version::ABSENT => {
                    TransactWriteItem::builder().delete(self.delete(key, *version)).build()
                }
                Write::Delete(key, version) | Write::Check(key, version) => TransactWriteItem::builder()
                    .condition_check(self.check(key, *version))
                    .build(),
            });
        }
        // The same token makes a second try of one transaction harmless for ten minutes.
        let token = format!("{:032x}", rand::random::<u128>());
        for round in 0..TRIES_MAX {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token)
                .send()
                .await;
            match sent {
                Ok(_) => {
                    for write in &writes {
                        if let Write::Delete(key, _) = write {
                            self.delete_blobs(key).await?;
                        }
                    }
                    return Ok(Committed::Done);
                }
                Err(SdkError::ServiceError(refused)) if refused.err().is_transaction_canceled_exception() => {
                    if is_refused_by_condition(refused.err()) {
                        return Ok(Committed::Conflict);
                    }
                    wait(round).await;
                }
                Err(SdkError::ServiceError(refused)) if refused.err().is_transaction_in_progress_exception() => {
                    wait(round).await;
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(busy())
    }

    fn update(&self, put: Put) -> Update {
        Update::builder()
            .table_name(&*self.table)
            .key(PARTITION, text(put.pk))
            .key(SORT, text(layout::RECORD))
            .update_expression(put.update)
            .condition_expression(put.condition)
            .set_expression_attribute_names(Some(put.names))
            .set_expression_attribute_values(Some(put.values))
            .build()
            .expect("it has a table, a key and an update")
    }

    fn delete(&self, key: &Key, version: Version) -> Delete {
        Delete::builder()
            .table_name(&*self.table)
            .key(PARTITION, text(layout::item_key(key)))
            .key(SORT, text(layout::RECORD))
            .condition_expression(AT_VERSION)
            .expression_attribute_names("#v", VERSION)
            .expression_attribute_values(":old", number(version.0))
            .build()
            .expect("it has a table and a key")
    }

    fn check(&self, key: &Key, version: Version) -> ConditionCheck {
        let check = ConditionCheck::builder()
            .table_name(&*self.table)
            .key(PARTITION, text(layout::item_key(key)))
            .key(SORT, text(layout::RECORD))
            .condition_expression(condition(version))
            .expression_attribute_names("#v", VERSION);
        let check = match version {
            Version::ABSENT => check,
            version => check.expression_attribute_values(":old", number(version.0)),
        };
        check.build().expect("it has a table, a key and a condition")
    }

    /// Removes the items beside the record of `key`.
    pub(crate) async fn delete_blobs(&self, key: &Key) -> Result<(), StoreError> {
        let pk = layout::item_key(key);
        let names = self.blob_items(&pk).await?;
        for batch in names.chunks(BATCH) {
            let mut open: Vec<WriteRequest> = batch.iter().map(|sk| removal(&pk, sk)).collect();
            for round in 0..TRIES_MAX {
                let sent = self
                    .client
                    .batch_write_item()
                    .request_items(&*self.table, open)
                    .send()
                    .await;
                let rest = sent.map_err(unavailable)?.unprocessed_items;
                open = rest.into_iter().flatten().flat_map(|(_, requests)| requests).collect();
                if open.is_empty() {
                    break;
                }
                wait(round).await;
            }
            if !open.is_empty() {
                return Err(busy());
            }
        }
        Ok(())
    }

    /// Notes the partitions of the ready index that these writes are the first to use.
    pub(crate) async fn register_lanes(&self, writes: impl Iterator<Item = &Write>) -> Result<(), StoreError> {
        let ready = writes.filter_map(|write| match write {
            Write::Put(record) if record.rank.is_some() => record.lane.as_ref(),
            _ => None,
        });
        let mut queues: Vec<String> = ready
            .map(|lane| layout::lane_parts(lane.as_str()).0.to_owned())
            .collect();
        queues.sort_unstable();
        queues.dedup();
        {
            let known = self.registered.lock().await;
            queues.retain(|queue| !known.contains(queue));
        }
        if queues.is_empty() {
            return Ok(());
        }
        let keys = queues.iter().map(|queue| (layout::LANES.to_owned(), queue.clone()));
        let there = self.get_items(keys, Some(SORT)).await?;
        let there: Vec<&str> = there.iter().filter_map(|item| item::get(item, SORT)).collect();
        for queue in queues.iter().filter(|queue| !there.contains(&queue.as_str())) {
            self.put_item(Item::from([
                (PARTITION.to_owned(), text(layout::LANES)),
                (SORT.to_owned(), text(queue)),
            ]))
            .await?;
        }
        self.registered.lock().await.extend(queues);
        Ok(())
    }

    /// Writes an item whether or not there is one.
    pub(crate) async fn put_item(&self, item: Item) -> Result<(), StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .send()
            .await;
        sent.map(|_| ()).map_err(unavailable)
    }

    /// The sort keys of the blobs beside the record at `pk`.
    async fn blob_items(&self, pk: &str) -> Result<Vec<String>, StoreError> {
        let range = Range {
            from: layout::BLOB.to_owned(),
            to: layout::BLOB_END.to_owned(),
        };
        self.sort_keys(pk, &range, Order::Ascending, usize::MAX).await
    }
}

/// Holds while the record has the version that was read.
const AT_VERSION: &str = "#v = :old";

fn condition(version: Version) -> &'static str {
    match version {
        Version::ABSENT => "attribute_not_exists(#v)",
        _ => AT_VERSION,
    }
}

/// What writes `record` over the version `guard`, with `inline` blobs in its item. What it does not name stays: the
/// blobs that are in the item already.
fn put(record: &Record, guard: Version, purger: Purger, inline: Vec<(String, Vec<u8>)>) -> Put {
    let writer = bytes(rand::random::<u64>().to_be_bytes());
    let mut set = item::attributes(record, purger);
    set.push((VERSION, number(record.version.next().0)));
    set.push((WRITER, writer.clone()));
    let mut put = Put {
        pk: layout::item_key(&record.key),
        update: String::new(),
        condition: condition(guard),
        names: HashMap::from([("#v".to_owned(), VERSION.to_owned())]),
        values: HashMap::new(),
        writer,
    };
    if guard != Version::ABSENT {
        put.values.insert(":old".to_owned(), number(guard.0));
    }
    let absent: Vec<&str> = item::OPTIONAL
        .into_iter()
        .filter(|name| set.iter().all(|(there, _)| there != name))
        .collect();
    let inline = inline
        .into_iter()
        .map(|(name, packed)| (format!("{INLINE}{name}"), bytes(packed)));
    let set = set
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(inline);
    let mut assignments = Vec::new();
    for (place, (name, value)) in set.enumerate() {
        assignments.push(format!("#s{place} = :s{place}"));
        put.names.insert(format!("#s{place}"), name);
        put.values.insert(format!(":s{place}"), value);
    }
    put.update = format!("set {}", assignments.join(", "));
    // A new item has nothing to remove.
    if guard != Version::ABSENT && !absent.is_empty() {
        put.update = format!("{} remove {}", put.update, absent.join(", "));
    }
    put
}

fn removal(pk: &str, sk: &str) -> WriteRequest {
    let delete = DeleteRequest::builder()
        .key(PARTITION, text(pk))
        .key(SORT, text(sk))
        .build();
    WriteRequest::builder()
        .delete_request(delete.expect("it has a key"))
        .build()
}

/// Whether a transaction was cancelled because a record was not at its version, and not for being in another's way.
fn is_refused_by_condition(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    let mut reasons = cancelled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code());
    reasons.any(|code| code == "ConditionalCheckFailed")
}

fn has_twice<'a>(keys: impl Iterator<Item = &'a Key>) -> bool {
    let mut seen = std::collections::HashSet::new();
    keys.into_iter().any(|key| !seen.insert(key))
}

/// The item was in other writers' hands for as long as a caller waits.
pub(crate) fn busy() -> StoreError {
    StoreError::Unavailable("other transactions held the same items, time and again".into())
}
