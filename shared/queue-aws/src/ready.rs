//! The ready index: which lanes hold work, and the heads of lanes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use queue::{
    range::prefix_end,
    store::{Lane, Rank, Record, StoreError},
};

use crate::{
    AwsStore,
    layout::{self, READY, READY_SHARDS, ReadySort},
    reads::{AT_ONCE, Entry, Order, Range},
};

/// How many entries are read at a time where lanes are looked for: about what one half of a read unit gives.
const LANES_PAGE: usize = 16;

/// How many entries of a lane are read at a time at most.
const HEADS_PAGE_MAX: usize = 1_000;

/// How many times as many heads are looked at when those before turned out to be taken.
const WIDEN: usize = 4;

/// How many heads of each lane and shard are looked at before a claim goes without.
const WIDEST: usize = 4_000;

/// A place in the ready index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    pub(crate) rank: Rank,
    pub(crate) id: String,
    pub(crate) pk: String,
}

impl AwsStore {
    /// Lanes with the text prefix `prefix` that hold ready records.
    pub(crate) async fn find_lanes(&self, prefix: &str, limit: usize) -> Result<Vec<Lane>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let whole = prefix.matches('/').count() >= 2;
        let (queue, rest) = layout::lane_parts(prefix);
        let queues = if whole {
            vec![queue.to_owned()]
        } else {
            self.queues(prefix).await?
        };
        let rest = if whole { rest } else { "" };
        let places = queues
            .iter()
            .flat_map(|queue| (0..READY_SHARDS).map(move |shard| (queue, shard)));
        let work: Vec<_> = places
            .map(|(queue, shard)| self.lanes_of_shard(queue, shard, rest, limit))
            .collect();
        let found: Vec<BTreeSet<String>> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let lanes: BTreeSet<String> = found
            .into_iter()
            .flatten()
            .filter(|lane| lane.starts_with(prefix))
            .collect();
        Ok(lanes.into_iter().take(limit).map(Lane::from_stored).collect())
    }

    /// The queues, as `tenant/queue`, whose texts begin with `prefix` and that have ever had ready records.
    pub(crate) async fn queues(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let range = Range {
            from: if prefix.is_empty() {
                "\0".to_owned()
            } else {
                prefix.to_owned()
            },
            to: prefix_end(prefix),
        };
        let found = self
            .sort_keys(layout::LANES, &range, Order::Ascending, usize::MAX)
            .await?;
        Ok(found.into_iter().filter(|queue| queue.starts_with(prefix)).collect())
    }

    /// The texts of the lanes of one shard that begin with `rest`, by jumping from lane to lane.
    async fn lanes_of_shard(
        &self,
        queue: &str,
        shard: u32,
        rest: &str,
        limit: usize,
    ) -> Result<BTreeSet<String>, StoreError> {
        let partition = layout::ready_partition(queue, shard);
        let head = layout::lane_text_head(rest);
        let mut range = Range {
            from: head.to_owned(),
            to: prefix_end(head),
        };
        let mut lanes = BTreeSet::new();
        while lanes.len() < limit {
            let (page, more) = self
                .query(READY, &partition, &range, Order::Ascending, LANES_PAGE, None)
                .await?;
            for entry in &page {
                let Some(sort) = layout::parse_ready_sort(&entry.sort) else {
                    continue;
                };
                if let Some(lane) = self.lane_text(queue, &sort, &entry.pk, &lanes).await? {
                    lanes.insert(lane);
                }
                range.from = layout::lane_end(sort.lane);
            }
            if more.is_none() {
                break;
            }
        }
        Ok(lanes)
    }

    /// The whole text of an entry's lane; of one that is too long for the entry, as its record has it.
    async fn lane_text(
        &self,
        queue: &str,
        sort: &ReadySort<'_>,
        pk: &str,
        known: &BTreeSet<String>,
    ) -> Result<Option<String>, StoreError> {
        if let Some(lane) = layout::lane_of(queue, sort) {
            return Ok(Some(lane.as_str().to_owned()));
        }
        let is_it = |lane: &&String| layout::lane_text(layout::lane_parts(lane).1) == sort.lane;
        if let Some(lane) = known.iter().find(is_it) {
            return Ok(Some(lane.clone()));
        }
        let record = self.load_items(&[pk.to_owned()]).await?.into_values().next();
        Ok(record
            .and_then(|record| record.lane)
            .map(|lane| lane.as_str().to_owned()))
    }

    /// Up to `limit` ready records of `lanes`, best first.
    pub(crate) async fn ready_records(&self, lanes: &[Lane], limit: usize) -> Result<Vec<Record>, StoreError> {
        self.ready_beyond(lanes, limit, 1).await
    }

    /// Up to `limit` ready records of `lanes`: the best, or as many drawn from `spread` times as many.
    ///
    /// The index may name what was taken long ago, so it is read on until enough are found that their records confirm.
    pub(crate) async fn ready_beyond(
        &self,
        lanes: &[Lane],
        limit: usize,
        spread: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if limit == 0 || lanes.is_empty() {
            return Ok(Vec::new());
        }
        let mut wide = limit.saturating_mul(spread).min(WIDEST.max(limit));
        loop {
            let (mut heads, all) = self.heads(lanes, wide).await?;
            heads.truncate(wide);
            if spread > 1 {
                let steps = heads.len().saturating_sub(limit);
                heads.rotate_left(rand::random_range(0..=steps));
            }
            let found = self.confirmed(&heads, limit).await?;
            if found.len() == limit || all || wide >= WIDEST {
                return Ok(found);
            }
            wide *= WIDEN;
        }
    }

    /// The first `limit` of `heads` whose records are in the ready index indeed.
    async fn confirmed(&self, heads: &[Head], limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut found = Vec::new();
        for batch in heads.chunks(limit.max(1)) {
            let keys: Vec<String> = batch.iter().map(|head| head.pk.clone()).collect();
            let mut records: HashMap<String, Record> = HashMap::new();
            for (key, record) in self.load_items(&keys).await? {
                records.insert(layout::item_key(&key), record);
            }
            for head in batch {
                let record = records.remove(&head.pk).filter(|record| record.rank == Some(head.rank));
                found.extend(record);
            }
            if found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The heads of `lanes`, best first, at least the best `wide` of them; and whether these are all.
    async fn heads(&self, lanes: &[Lane], wide: usize) -> Result<(Vec<Head>, bool), StoreError> {
        let mut by_queue: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for lane in lanes {
            let (queue, rest) = layout::lane_parts(lane.as_str());
            by_queue.entry(queue).or_default().insert(layout::lane_text(rest));
        }
        let places = by_queue
            .iter()
            .flat_map(|(queue, lanes)| (0..READY_SHARDS).map(move |shard| (*queue, shard, lanes)));
        let work: Vec<_> = places
            .map(|(queue, shard, lanes)| self.heads_of_shard(queue, shard, lanes, wide))
            .collect();
        let found: Vec<(Vec<Head>, bool)> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let all = found.iter().all(|(_, all)| *all);
        let mut heads: Vec<Head> = found.into_iter().flat_map(|(heads, _)| heads).collect();
        heads.sort_unstable();
        Ok((heads, all))
    }

    /// Up to `wide` heads of each of `lanes` in one shard, lane after lane; and whether these are all.
    async fn heads_of_shard(
        &self,
        queue: &str,
        shard: u32,
        lanes: &BTreeSet<String>,
        wide: usize,
    ) -> Result<(Vec<Head>, bool), StoreError> {
        let partition = layout::ready_partition(queue, shard);
        let (mut heads, mut all) = (Vec::new(), true);
        let (mut taken, mut lane_now) = (0, String::new());
        let Some(last) = lanes.last() else {
            return Ok((heads, all));
        };
        let (mut next, end) = (lanes.first().cloned(), layout::lane_end(last));
        while let Some(from) = next.take() {
            let range = Range { from, to: end.clone() };
            let page_size = wide.min(HEADS_PAGE_MAX);
            let (page, more) = self
                .query(READY, &partition, &range, Order::Ascending, page_size, None)
                .await?;
            let last = page.last().map(|entry| entry.sort.clone());
            for Entry { sort, pk } in page {
                let Some(read) = layout::parse_ready_sort(&sort) else {
                    continue;
                };
                if read.lane != lane_now {
                    (taken, lane_now) = (0, read.lane.to_owned());
                }
                if taken < wide && lanes.contains(read.lane) {
                    taken += 1;
                    let (rank, id) = (read.rank, read.id.to_owned());
                    heads.push(Head { rank, id, pk });
                } else {
                    all &= !lanes.contains(read.lane);
                }
            }
            if more.is_none() {
                break;
            }
            if taken < wide && lanes.contains(&lane_now) {
                next = last.map(|sort| format!("{sort}\0"));
            } else {
                // The next lane that is asked for may lie far ahead.
                all &= !lanes.contains(&lane_now);
                next = lanes.range(layout::lane_end(&lane_now)..).next().cloned();
            }
        }
        Ok((heads, all))
    }
}
