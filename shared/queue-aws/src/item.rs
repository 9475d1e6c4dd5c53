//! Records as items, and items as records.
//!
//! The names of attributes are short because they are stored with each item: `v` version, `w` who wrote it, `l` lane,
//! `h` shelf, `t` its time in lists, `e` when it expires, `b` body. Rank and due time are read from the index keys.

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::{primitives::Blob as Bytes, types::AttributeValue};
use domain::Timestamp;
use queue::store::{Key, Kind, Lane, Rank, Record, StoreError, Version};

use crate::{
    body,
    errors::corrupt,
    layout::{self, DUE, DUE_SHARDS, EXPIRING, FILED, READY, READY_SHARDS, TIME_TO_LIVE},
};

/// Attributes by name.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const PARTITION: &str = "pk";
pub(crate) const SORT: &str = "sk";
pub(crate) const VERSION: &str = "v";
pub(crate) const WRITER: &str = "w";
const LANE: &str = "l";
const SHELF: &str = "h";
const LISTED: &str = "t";
pub(crate) const EXPIRES: &str = "e";
pub(crate) const BODY: &str = "b";

/// Attributes that a record has or lacks: what a write does not set it removes.
pub(crate) const OPTIONAL: [&str; 11] = [
    LANE,
    EXPIRES,
    TIME_TO_LIVE,
    READY.1,
    READY.2,
    DUE.1,
    DUE.2,
    FILED.1,
    FILED.2,
    EXPIRING.1,
    EXPIRING.2,
];

/// Who has to purge a record once it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purger {
    /// DynamoDB, by time to live: there is nothing but the item.
    TimeToLive,
    /// The sweep: there are blobs beside it, or its time is to be kept to the second.
    Sweep,
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Bytes::new(value.into()))
}

/// The attributes of `record` but its keys and its version.
pub(crate) fn attributes(record: &Record, purger: Purger) -> Vec<(&'static str, AttributeValue)> {
    let pk = layout::item_key(&record.key);
    let (shard, id) = (|shards| layout::shard(&pk, shards), &record.key.id);
    let mut attributes = vec![
        (SHELF, text(&record.shelf)),
        (LISTED, number(record.listed_at.as_micros())),
        (BODY, bytes(body::pack(record.body.as_bytes()))),
    ];
    if let Some(lane) = &record.lane {
        attributes.push((LANE, text(lane.as_str())));
    }
    if let (Some(lane), Some(rank)) = (&record.lane, record.rank) {
        let (queue, rest) = layout::lane_parts(lane.as_str());
        attributes.push((READY.1, text(layout::ready_partition(queue, shard(READY_SHARDS)))));
        attributes.push((
            READY.2,
            text(layout::ready_sort(rest, rank, id, &record.shelf, record.listed_at)),
        ));
    }
    if let Some(at) = record.due_at {
        attributes.push((DUE.1, text(layout::due_partition(shard(DUE_SHARDS)))));
        attributes.push((DUE.2, text(layout::time_sort(at, id))));
    }
    if is_filed(record) {
        let Key { kind, partition, .. } = &record.key;
        let shard = shard(layout::filed_shards(*kind));
        attributes.push((
            FILED.1,
            text(layout::filed_partition(*kind, partition, &record.shelf, shard)),
        ));
        attributes.push((FILED.2, text(layout::time_sort(record.listed_at, id))));
    }
    if let Some(at) = record.expires_at {
        attributes.push((EXPIRES, number(at.as_micros())));
        match purger {
            Purger::Sweep => {
                attributes.push((EXPIRING.1, text(layout::expiring_partition(shard(DUE_SHARDS)))));
                attributes.push((EXPIRING.2, text(layout::time_sort(at, id))));
            }
            // Rounded up: never before its time.
            Purger::TimeToLive => attributes.push((TIME_TO_LIVE, number(at.as_micros().div_euclid(1_000_000) + 1))),
        }
    }
    attributes
}

/// Whether a record is found by its shelf alone. Unfinished jobs are found in the ready and the due index, and nobody asks
/// for a list of dedup keys.
fn is_filed(record: &Record) -> bool {
    match record.key.kind {
        Kind::Job => record.rank.is_none() && record.due_at.is_none(),
        Kind::Dedup => false,
        Kind::Robot | Kind::Queue | Kind::ApiKey | Kind::Tenant => true,
    }
}

/// The record of an item; `None` when it is none but a blob or a note of this store.
pub(crate) fn record(item: &Item) -> Result<Option<Record>, StoreError> {
    let (Some(pk), Some(layout::RECORD)) = (get(item, PARTITION), get(item, SORT)) else {
        return Ok(None);
    };
    let Some(key) = layout::parse_item_key(pk) else {
        return Ok(None);
    };
    let broken = || corrupt(format!("item {pk}"), "an attribute is missing or of another type");
    read(item, key).ok_or_else(broken)?.map(Some)
}

fn read(item: &Item, key: Key) -> Option<Result<Record, StoreError>> {
    let packed = item.get(BODY)?.as_b().ok()?;
    let body = match body::unpack(packed.as_ref()).and_then(|body| Ok(String::from_utf8(body)?)) {
        Ok(body) => body,
        Err(source) => return Some(Err(corrupt(format!("the body of {key}"), source))),
    };
    Some(Ok(Record {
        version: Version(micros(item, VERSION)?.cast_unsigned()),
        lane: get(item, LANE).map(|lane| Lane::from_stored(lane.to_owned())),
        rank: rank(item)?,
        due_at: due_at(item)?,
        shelf: get(item, SHELF)?.to_owned(),
        listed_at: Timestamp::from_micros(micros(item, LISTED)?),
        expires_at: micros(item, EXPIRES).map(Timestamp::from_micros),
        body,
        key,
    }))
}

/// `None` when there is one that cannot be read.
#[expect(clippy::option_option, reason = "none there and none to be read are two things")]
fn rank(item: &Item) -> Option<Option<Rank>> {
    match get(item, READY.2) {
        None => Some(None),
        Some(sort) => layout::parse_ready_sort(sort).map(|sort| Some(sort.rank)),
    }
}

#[expect(clippy::option_option, reason = "none there and none to be read are two things")]
fn due_at(item: &Item) -> Option<Option<Timestamp>> {
    match get(item, DUE.2) {
        None => Some(None),
        Some(sort) => layout::parse_time_sort(sort).map(|(at, _)| Some(at)),
    }
}

/// The text of an attribute.
pub(crate) fn get<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The whole number of an attribute.
pub(crate) fn micros(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// About how many bytes DynamoDB counts for these attributes.
pub(crate) fn size(attributes: &[(&'static str, AttributeValue)]) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        // Two digits a byte, and a byte for the sign.
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        _ => 0,
    };
    attributes
        .iter()
        .map(|(name, attribute)| name.len() + value(attribute))
        .sum()
}
