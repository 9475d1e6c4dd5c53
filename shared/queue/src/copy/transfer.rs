//! One page on its way: blobs first, then the records that own them.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    CopyError,
    patient::Patient,
    survey::{BLOBS_AT_ONCE, NAMES_PAGE, OWNERS_AT_ONCE, next_names},
};
use crate::store::{Blob, BlobKey, Committed, Key, Record};

/// Writes `records` of `from` with their blobs to `to`; those that are there already as they are stay.
pub(super) async fn records(from: &Patient, to: &Patient, records: Vec<Record>) -> Result<(), CopyError> {
    // So a record that is at the target has all of its blobs there, wherever a run stops.
    let owners: Vec<Key> = records.iter().map(|record| record.key.clone()).collect();
    stream::iter(owners)
        .map(|owner| blobs(from, to, owner))
        .buffer_unordered(OWNERS_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    restore(to, records).await
}

async fn blobs(from: &Patient, to: &Patient, owner: Key) -> Result<(), CopyError> {
    let mut after = None;
    loop {
        let keys = from.blob_keys(&owner, after.as_deref(), NAMES_PAGE).await?;
        for some in keys.chunks(BLOBS_AT_ONCE) {
            some_blobs(from, to, some).await?;
        }
        after = next_names(keys);
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn some_blobs(from: &Patient, to: &Patient, keys: &[BlobKey]) -> Result<(), CopyError> {
    let bodies = from.blobs(keys).await?;
    // One that was there a moment ago and is gone went with its record, and the comparison at the end will tell.
    let found = keys.iter().zip(bodies).filter_map(|(key, body)| {
        Some(Blob {
            key: key.clone(),
            body: body?,
        })
    });
    stream::iter(found.collect::<Vec<_>>())
        .map(|blob| to.put_blob(blob))
        .buffer_unordered(BLOBS_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

async fn restore(to: &Patient, records: Vec<Record>) -> Result<(), CopyError> {
    let outcomes = to.restore(&records).await?;
    let there = records.into_iter().zip(outcomes);
    let there = there.filter(|(_, outcome)| *outcome == Committed::Conflict);
    let there: HashMap<Key, Record> = there.map(|(record, _)| (record.key.clone(), record)).collect();
    if there.is_empty() {
        return Ok(());
    }
    let keys: Vec<Key> = there.keys().cloned().collect();
    let found = to.load(&keys).await?;
    for (key, found) in keys.into_iter().zip(found) {
        if found.as_ref() != there.get(&key) {
            return Err(CopyError::Clash { key });
        }
    }
    Ok(())
}
