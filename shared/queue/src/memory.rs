//! The store that keeps everything in memory: for tests and the simulator, and the measure for the other stores.
//!
//! It gives the same answers to the same calls in the same order: no clock, no chance. Nothing outlives the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use domain::{TenantName, time::Timestamp};

use crate::{
    mark,
    store::{
        Blob, BlobKey, BlobPut, Change, Committed, Count, Decide, Grant, Granted, Key, Kind, Lane, Position, Rank,
        Record, Scanned, Store, StoreError, Version, Write,
    },
};

/// A store in memory, empty at first. Each call is done as a whole, one after the other.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A decision that panics does so before anything was written, so what is here is whole.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Record>>, StoreError> {
        let tables = self.tables();
        Ok(keys.iter().map(|key| tables.records.get(key).cloned()).collect())
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        let mut tables = self.tables();
        Ok(changes.into_iter().map(|change| tables.commit(change)).collect())
    }

    async fn claim(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let mut tables = self.tables();
        let grants = decide(tables.ready(lanes, limit));
        Ok(grants.into_iter().map(|grant| tables.grant(grant)).collect())
    }

    async fn lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        let tables = self.tables();
        let from_prefix = tables
            .ready
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let found = from_prefix
            .map(|(lane, _)| lane)
            .take_while(|lane| lane.starts_with(prefix))
            .take(limit);
        Ok(found.cloned().map(Lane::from_stored).collect())
    }

    async fn ready(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        Ok(self.tables().ready(lanes, limit))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Record>, StoreError> {
        let tables = self.tables();
        let due = tables.due.iter().take_while(|(at, ..)| *at <= now).take(limit);
        Ok(due.map(|(.., key)| tables.records[key].clone()).collect())
    }

    async fn list(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let tables = self.tables();
        let positions = tables.positions(kind, partition, shelves, after, limit);
        let key = |position: &Position| Key {
            kind,
            partition: partition.to_owned(),
            id: position.id.clone(),
        };
        Ok(positions
            .into_iter()
            .map(|position| tables.records[&key(position)].clone())
            .collect())
    }

    async fn count(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        Ok(self.tables().count(tenant))
    }

    async fn depth(&self, limit: u64) -> Result<u64, StoreError> {
        let ready: usize = self.tables().ready.values().map(BTreeMap::len).sum();
        Ok(limit.min(ready as u64))
    }

    async fn blobs(&self, keys: &[BlobKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let tables = self.tables();
        Ok(keys.iter().map(|key| tables.blobs.get(key).cloned()).collect())
    }

    async fn blob_names(
        &self,
        owner: &Key,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let names = tables
            .blobs_of(owner, after.map_or(prefix, |after| after.max(prefix)))
            .map(|key| &key.name);
        let names = names.skip_while(|name| after == Some(name.as_str()));
        Ok(names
            .take_while(|name| name.starts_with(prefix))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn put_blob(&self, blob: Blob) -> Result<(), StoreError> {
        self.tables().blobs.insert(blob.key, blob.body);
        Ok(())
    }

    async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        let mut tables = self.tables();
        if let Some(body) = tables.blobs.get(&blob.key) {
            return Ok(BlobPut::Exists(body.clone()));
        }
        tables.blobs.insert(blob.key, blob.body);
        Ok(BlobPut::Stored)
    }

    async fn purge(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut tables = self.tables();
        let expired = tables.expiring.iter().take_while(|(at, _)| *at <= now).take(limit);
        let expired: Vec<Key> = expired.map(|(_, key)| key.clone()).collect();
        for key in &expired {
            tables.remove(key);
        }
        Ok(expired.len())
    }

    async fn scan(&self, after: Option<&str>, limit: usize) -> Result<Scanned, StoreError> {
        let start = after
            .map(mark::read)
            .transpose()?
            .map_or(Bound::Unbounded, Bound::Excluded);
        let tables = self.tables();
        let records = tables.records.range((start, Bound::Unbounded)).take(limit);
        Ok(mark::page(records.map(|(_, record)| record.clone()).collect(), limit))
    }

    async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        let mut tables = self.tables();
        Ok(records.into_iter().map(|record| tables.restore(record)).collect())
    }
}

/// The records and blobs, and what finds them. Every index entry has its record and the other way round.
#[derive(Debug, Default)]
struct Tables {
    records: BTreeMap<Key, Record>,
    blobs: BTreeMap<BlobKey, Vec<u8>>,
    /// By the lane's text, so that lanes are found by prefix; a lane that runs empty is taken out.
    ready: BTreeMap<String, BTreeMap<(Rank, String), Key>>,
    due: BTreeSet<(Timestamp, String, Key)>,
    /// What `count` counts: the records with a lane that are ready or have a due time.
    waiting: BTreeSet<(String, String, Option<Timestamp>, Key)>,
    shelves: BTreeMap<(Kind, String, String), BTreeSet<Position>>,
    expiring: BTreeSet<(Timestamp, Key)>,
}

impl Tables {
    fn commit(&mut self, change: Change) -> Committed {
        if !change
            .writes
            .iter()
            .all(|write| self.version(write.key()) == write.version())
        {
            return Committed::Conflict;
        }
        for write in change.writes {
            match write {
                Write::Put(record) => self.put(record),
                Write::Delete(key, _) => self.remove(&key),
                Write::Check(..) => {}
            }
        }
        self.blobs
            .extend(change.blobs.into_iter().map(|blob| (blob.key, blob.body)));
        Committed::Done
    }

    fn grant(&mut self, grant: Grant) -> Granted {
        let holder = self.commit(grant.holder.into());
        let jobs = grant.jobs.into_iter().map(|job| match holder {
            Committed::Done => self.commit(job.into()),
            Committed::Conflict => Committed::Conflict,
        });
        Granted {
            holder,
            jobs: jobs.collect(),
        }
    }

    fn ready(&self, lanes: &[Lane], limit: usize) -> Vec<Record> {
        let lanes: BTreeSet<&str> = lanes.iter().map(Lane::as_str).collect();
        let heads = lanes
            .into_iter()
            .filter_map(|lane| self.ready.get(lane))
            .flat_map(|lane| lane.iter().take(limit));
        let mut heads: Vec<_> = heads.collect();
        heads.sort_unstable();
        heads
            .into_iter()
            .take(limit)
            .map(|(_, key)| self.records[key].clone())
            .collect()
    }

    fn positions(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Vec<&Position> {
        let shelves: BTreeSet<&str> = shelves.iter().copied().collect();
        let end = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let mut found: Vec<&Position> = shelves
            .into_iter()
            .filter_map(|shelf| self.shelves.get(&(kind, partition.to_owned(), shelf.to_owned())))
            .flat_map(|shelf| shelf.range((Bound::Unbounded, end.clone())).rev().take(limit))
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(limit);
        found
    }

    fn count(&self, tenant: &TenantName) -> Vec<Count> {
        let prefix = format!("{tenant}/");
        let mut counts: Vec<Count> = Vec::new();
        let from_prefix = self
            .waiting
            .range((Bound::Included(least_entry(&prefix)), Bound::Unbounded));
        for (lane, shelf, since, _) in from_prefix.take_while(|(lane, ..)| lane.starts_with(&prefix)) {
            match counts.last_mut() {
                Some(count) if count.lane.as_str() == lane && count.shelf == *shelf => {
                    count.records += 1;
                    count.oldest = count.oldest.into_iter().chain(*since).min();
                }
                _ => counts.push(Count {
                    lane: Lane::from_stored(lane.clone()),
                    shelf: shelf.clone(),
                    records: 1,
                    oldest: *since,
                }),
            }
        }
        counts
    }

    fn version(&self, key: &Key) -> Version {
        self.records.get(key).map_or(Version::ABSENT, |record| record.version)
    }

    /// The keys of `owner`'s blobs from the name `from` on, and of what comes after them.
    fn blobs_of<'a>(&'a self, owner: &'a Key, from: &str) -> impl Iterator<Item = &'a BlobKey> {
        let first = BlobKey {
            owner: owner.clone(),
            name: from.to_owned(),
        };
        self.blobs
            .range(first..)
            .map(|(key, _)| key)
            .take_while(move |key| key.owner == *owner)
    }

    fn restore(&mut self, record: Record) -> Committed {
        if self.records.contains_key(&record.key) {
            return Committed::Conflict;
        }
        self.put_in(record);
        Committed::Done
    }

    fn put(&mut self, mut record: Record) {
        self.take_out(&record.key);
        record.version = record.version.next();
        self.put_in(record);
    }

    fn put_in(&mut self, record: Record) {
        self.index(&record);
        self.records.insert(record.key.clone(), record);
    }

    fn remove(&mut self, key: &Key) {
        self.take_out(key);
        let blobs: Vec<BlobKey> = self.blobs_of(key, "").cloned().collect();
        for blob in blobs {
            self.blobs.remove(&blob);
        }
    }

    fn index(&mut self, record: &Record) {
        let key = &record.key;
        if let (Some(lane), Some(rank)) = (&record.lane, record.rank) {
            self.ready
                .entry(lane.as_str().to_owned())
                .or_default()
                .insert((rank, key.id.clone()), key.clone());
        }
        if let Some(at) = record.due_at {
            self.due.insert((at, key.id.clone(), key.clone()));
        }
        self.waiting.extend(waiting_entry(record));
        self.shelves
            .entry(shelf_of(record))
            .or_default()
            .insert(record.position());
        self.expiring.extend(record.expires_at.map(|at| (at, key.clone())));
    }

    /// Takes the record of `key` and its index entries out, if there is one.
    fn take_out(&mut self, key: &Key) {
        let Some(record) = self.records.remove(key) else { return };
        if let (Some(lane), Some(rank)) = (&record.lane, record.rank)
            && let Some(entries) = self.ready.get_mut(lane.as_str())
        {
            entries.remove(&(rank, key.id.clone()));
            if entries.is_empty() {
                self.ready.remove(lane.as_str());
            }
        }
        if let Some(at) = record.due_at {
            self.due.remove(&(at, key.id.clone(), key.clone()));
        }
        if let Some(entry) = waiting_entry(&record) {
            self.waiting.remove(&entry);
        }
        if let Some(shelf) = self.shelves.get_mut(&shelf_of(&record)) {
            shelf.remove(&record.position());
        }
        if let Some(at) = record.expires_at {
            self.expiring.remove(&(at, key.clone()));
        }
    }
}

fn waiting_entry(record: &Record) -> Option<(String, String, Option<Timestamp>, Key)> {
    let lane = record.lane.as_ref()?.as_str().to_owned();
    let is_unfinished = record.due_at.is_some() || record.rank.is_some();
    is_unfinished.then(|| {
        (
            lane,
            record.shelf.clone(),
            record.rank.map(|rank| rank.since),
            record.key.clone(),
        )
    })
}

/// What sorts before every entry of a lane that begins with `lane`.
fn least_entry(lane: &str) -> (String, String, Option<Timestamp>, Key) {
    (
        lane.to_owned(),
        String::new(),
        None,
        Key {
            kind: Kind::Job,
            partition: String::new(),
            id: String::new(),
        },
    )
}

fn shelf_of(record: &Record) -> (Kind, String, String) {
    (record.key.kind, record.key.partition.clone(), record.shelf.clone())
}
