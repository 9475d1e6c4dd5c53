//! What a store holds, counted and summed up so that two stores can be compared whatever their order.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use domain::Timestamp;
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::{CopyError, marker, patient::Patient};
use crate::store::{BlobKey, Kind, Lane, Record};

/// How many records' blobs are on their way at once, and how many blobs of each: with the bytes that a blob may have, this
/// bounds the memory that a copy takes.
pub(super) const OWNERS_AT_ONCE: usize = 8;
pub(super) const BLOBS_AT_ONCE: usize = 16;

/// How many names of blobs are read at a time.
pub(super) const NAMES_PAGE: usize = 1_000;

/// What there is of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many records.
    pub records: u64,
    /// How many blobs they have.
    pub blobs: u64,
    /// How many bytes bodies and blobs have together.
    pub bytes: u64,
    /// Over all of it.
    pub checksum: Checksum,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.checksum = Checksum(self.checksum.0.wrapping_add(other.checksum.0));
    }
}

/// The sum over records of a digest of each with its key, version, index entries, body and blobs. The order of the records
/// does not matter, and one that is there twice counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(u128);

impl fmt::Display for Checksum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

/// What `store` holds of each kind that it holds anything of; `note` hears of each page how many records it had.
pub(super) async fn of(
    store: &Patient,
    page: usize,
    note: &(dyn Fn(u64) + Send + Sync),
) -> Result<BTreeMap<Kind, Tally>, CopyError> {
    let (mut tallies, mut after) = (BTreeMap::<Kind, Tally>::new(), None);
    loop {
        let scanned = store.scan(after.as_deref(), page).await?;
        let mut records = scanned.records;
        records.retain(|record| record.key != marker::key());
        let count = records.len() as u64;
        let mut each = stream::iter(records)
            .map(|record| async move { Ok::<_, CopyError>((record.key.kind, tally(store, &record).await?)) })
            .buffer_unordered(OWNERS_AT_ONCE);
        while let Some((kind, tally)) = each.try_next().await? {
            *tallies.entry(kind).or_default() += tally;
        }
        note(count);
        after = scanned.next;
        if after.is_none() {
            return Ok(tallies);
        }
    }
}

/// One record with its blobs.
pub(super) async fn tally(store: &Patient, record: &Record) -> Result<Tally, CopyError> {
    let mut digest = Sha256::new();
    digest_record(&mut digest, record);
    let mut tally = Tally {
        records: 1,
        bytes: record.body.len() as u64,
        ..Tally::default()
    };
    let mut after: Option<String> = None;
    loop {
        let keys = store.blob_keys(&record.key, after.as_deref(), NAMES_PAGE).await?;
        for some in keys.chunks(BLOBS_AT_ONCE) {
            for (key, body) in some.iter().zip(store.blobs(some).await?) {
                let Some(body) = body else { continue };
                tally.blobs += 1;
                tally.bytes += body.len() as u64;
                field(&mut digest, key.name.as_bytes());
                field(&mut digest, &body);
            }
        }
        after = next_names(keys);
        if after.is_none() {
            break;
        }
    }
    let mut first_half = [0; 16];
    first_half.copy_from_slice(&digest.finalize()[..16]);
    tally.checksum = Checksum(u128::from_be_bytes(first_half));
    Ok(tally)
}

/// The name to read on from after a page of `keys`; `None` when that was the last page.
pub(super) fn next_names(keys: Vec<BlobKey>) -> Option<String> {
    let is_full = keys.len() >= NAMES_PAGE;
    keys.into_iter().last().filter(|_| is_full).map(|last| last.name)
}

/// Every field, each with its length, so that no two records give the same bytes.
fn digest_record(digest: &mut Sha256, record: &Record) {
    let Record {
        key,
        version,
        lane,
        rank,
        due_at,
        shelf,
        listed_at,
        expires_at,
        body,
    } = record;
    digest.update([key.kind as u8]);
    field(digest, key.partition.as_bytes());
    field(digest, key.id.as_bytes());
    digest.update(version.0.to_be_bytes());
    maybe(digest, lane.as_ref().map(Lane::as_str).map(str::as_bytes));
    maybe(digest, rank.map(|rank| [rank.band]).as_ref().map(<[u8; 1]>::as_slice));
    for time in [rank.map(|rank| rank.since), *due_at, Some(*listed_at), *expires_at] {
        let micros = time.map(Timestamp::as_micros).map(i64::to_be_bytes);
        maybe(digest, micros.as_ref().map(<[u8; 8]>::as_slice));
    }
    field(digest, shelf.as_bytes());
    field(digest, body.as_bytes());
}

fn maybe(digest: &mut Sha256, value: Option<&[u8]>) {
    digest.update([u8::from(value.is_some())]);
    field(digest, value.unwrap_or_default());
}

fn field(digest: &mut Sha256, value: &[u8]) {
    digest.update((value.len() as u64).to_be_bytes());
    digest.update(value);
}
