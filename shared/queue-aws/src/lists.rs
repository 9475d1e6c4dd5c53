//! Lists and counts.
//!
//! What is finished lies filed on its shelf. What is not is found in the ready and the due index, at the cost of what
//! waits: an entry of its own for each state that a job passes through would cost more than all its other writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{TenantName, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use queue::{
    range::prefix_end,
    store::{Count, Kind, Lane, Position, Record, StoreError},
};

use crate::{
    AwsStore,
    item::{Item, PARTITION, SORT, micros, number, text},
    layout::{self, DUE, DUE_SHARDS, FILED, READY, READY_SHARDS, RECORD},
    reads::{AT_ONCE, Entry, Order, Range},
};

/// The attributes of the last count of all ready records: how many, up to which limit, and when in milliseconds.
const COUNTED: &str = "n";
const COUNTED_TO: &str = "m";
const COUNTED_AT: &str = "t";

/// A record as an index tells where it stands in lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    at: Position,
    pk: String,
}

impl AwsStore {
    /// Up to `limit` records on any of `shelves`, newest first, after `after`.
    pub(crate) async fn list_records(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &[&str],
        after: Option<&Position>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let shelves: BTreeSet<&str> = shelves.iter().copied().collect();
        if limit == 0 || shelves.is_empty() {
            return Ok(Vec::new());
        }
        let unfinished = match kind {
            Kind::Job => self.unfinished(partition, &shelves).await?,
            _ => Vec::new(),
        };
        let (mut found, mut after): (Vec<Record>, Option<Position>) = (Vec::new(), after.cloned());
        loop {
            let wanted = limit - found.len();
            let (filed, all) = self.filed(kind, partition, &shelves, after.as_ref(), wanted).await?;
            let waiting = unfinished
                .iter()
                .filter(|listed| after.as_ref().is_none_or(|after| listed.at < *after))
                .cloned();
            let mut listed: Vec<Listed> = filed.into_iter().chain(waiting).collect();
            listed.sort_unstable_by(|one, other| other.cmp(one));
            listed.dedup();
            let last = listed.len() <= wanted && all;
            listed.truncate(wanted);
            after = listed.last().map(|listed| listed.at.clone());
            found.extend(self.still_listed(&listed, &shelves).await?);
            if last || found.len() == limit || after.is_none() {
                return Ok(found);
            }
        }
    }

    /// The records of `listed` that lie where the index found them.
    async fn still_listed(&self, listed: &[Listed], shelves: &BTreeSet<&str>) -> Result<Vec<Record>, StoreError> {
        let keys: Vec<String> = listed.iter().map(|listed| listed.pk.clone()).collect();
        let mut records: HashMap<_, _> = self.load_items(&keys).await?;
        let found = listed.iter().filter_map(|listed| {
            let record = records.remove(&layout::parse_item_key(&listed.pk)?)?;
            (shelves.contains(record.shelf.as_str()) && record.position() == listed.at).then_some(record)
        });
        Ok(found.collect())
    }

    /// At least the first `limit` filed records after `after`, in no order; and whether these are all.
    async fn filed(
        &self,
        kind: Kind,
        partition: &str,
        shelves: &BTreeSet<&str>,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<(Vec<Listed>, bool), StoreError> {
        let range = Range {
            from: String::new(),
            to: after.map_or("~".to_owned(), before),
        };
        let places = shelves
            .iter()
            .flat_map(|shelf| (0..layout::filed_shards(kind)).map(move |shard| (*shelf, shard)));
        let partitions: Vec<String> = places
            .map(|(shelf, shard)| layout::filed_partition(kind, partition, shelf, shard))
            .collect();
        let work: Vec<_> = partitions
            .iter()
            .map(|place| self.query(FILED, place, &range, Order::Descending, limit, None))
            .collect();
        let found: Vec<(Vec<Entry>, Option<Item>)> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let all = found.iter().all(|(_, more)| more.is_none());
        // Beyond the last entry of a page that has a next one, another shard's are not in their order.
        let floor = found
            .iter()
            .filter(|(_, more)| more.is_some())
            .filter_map(|(page, _)| listed(page.last()?))
            .max();
        let entries = found.iter().flat_map(|(page, _)| page).filter_map(listed);
        Ok((
            entries
                .filter(|listed| floor.as_ref().is_none_or(|floor| listed >= floor))
                .collect(),
            all,
        ))
    }

    /// The unfinished jobs of a tenant on `shelves`.
    async fn unfinished(&self, tenant: &str, shelves: &BTreeSet<&str>) -> Result<Vec<Listed>, StoreError> {
        let (ready, due) = futures::try_join!(self.ready_entries(tenant), self.due_only(tenant))?;
        let from_index = ready.iter().flat_map(|(_, entries)| entries).filter_map(|entry| {
            let sort = layout::parse_ready_sort(&entry.sort)?;
            let at = Position {
                listed_at: sort.listed_at,
                id: sort.id.to_owned(),
            };
            shelves.contains(sort.shelf).then(|| Listed {
                at,
                pk: entry.pk.clone(),
            })
        });
        let from_timers = due
            .iter()
            .filter(|record| shelves.contains(record.shelf.as_str()))
            .map(|record| Listed {
                at: record.position(),
                pk: layout::item_key(&record.key),
            });
        Ok(from_index.chain(from_timers).collect())
    }

    /// Every entry of a tenant in the ready index, by queue.
    async fn ready_entries(&self, tenant: &str) -> Result<Vec<(String, Vec<Entry>)>, StoreError> {
        let queues = self.queues(&format!("{tenant}/")).await?;
        let places = queues
            .iter()
            .flat_map(|queue| (0..READY_SHARDS).map(move |shard| (queue.clone(), shard)));
        let work: Vec<_> = places
            .map(|(queue, shard)| async move {
                let all = Range {
                    from: String::new(),
                    to: prefix_end(""),
                };
                let entries = self
                    .all_entries(READY, &layout::ready_partition(&queue, shard), all)
                    .await?;
                Ok::<_, StoreError>((queue, entries))
            })
            .collect();
        stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// The jobs of a tenant that have a timer and are not ready.
    async fn due_only(&self, tenant: &str) -> Result<Vec<Record>, StoreError> {
        let prefix = layout::item_prefix(Kind::Job, tenant);
        let work: Vec<_> = (0..DUE_SHARDS)
            .map(|shard| async move {
                let all = Range {
                    from: String::new(),
                    to: "~".to_owned(),
                };
                self.all_entries(DUE, &layout::due_partition(shard), all).await
            })
            .collect();
        let found: Vec<Vec<Entry>> = stream::iter(work).buffer_unordered(AT_ONCE).try_collect().await?;
        let keys: Vec<String> = found
            .into_iter()
            .flatten()
            .map(|entry| entry.pk)
            .filter(|pk| pk.starts_with(&prefix))
            .collect();
        let records = self.load_items(&keys).await?;
        Ok(records
            .into_values()
            .filter(|record| record.rank.is_none() && record.due_at.is_some())
            .collect())
    }

    /// How many unfinished records each lane and shelf of `tenant` has.
    pub(crate) async fn count_unfinished(&self, tenant: &TenantName) -> Result<Vec<Count>, StoreError> {
        let (ready, due) = futures::try_join!(self.ready_entries(tenant.as_str()), self.due_only(tenant.as_str()))?;
        let mut counts: BTreeMap<(String, String), (u64, Option<Timestamp>)> = BTreeMap::new();
        let mut count = |lane: &str, shelf: &str, since: Option<Timestamp>| {
            let (records, oldest) = counts.entry((lane.to_owned(), shelf.to_owned())).or_default();
            *records += 1;
            *oldest = oldest.iter().copied().chain(since).min();
        };
        for (queue, entries) in &ready {
            let mut long: HashMap<String, String> = HashMap::new();
            for entry in entries {
                let Some(sort) = layout::parse_ready_sort(&entry.sort) else {
                    continue;
                };
                let lane = match (layout::lane_of(queue, &sort), long.get(sort.lane)) {
                    (Some(lane), _) => lane.as_str().to_owned(),
                    (None, Some(lane)) => lane.clone(),
                    (None, None) => {
                        let record = self
                            .load_items(std::slice::from_ref(&entry.pk))
                            .await?
                            .into_values()
                            .next();
                        let Some(lane) = record.and_then(|record| record.lane) else {
                            continue;
                        };
                        long.insert(sort.lane.to_owned(), lane.as_str().to_owned());
                        lane.as_str().to_owned()
                    }
                };
                count(&lane, sort.shelf, Some(sort.rank.since));
            }
        }
        for record in due {
            if let Some(lane) = &record.lane {
                count(lane.as_str(), &record.shelf, None);
            }
        }
        let count = |((lane, shelf), (records, oldest))| Count {
            lane: Lane::from_stored(lane),
            shelf,
            records,
            oldest,
        };
        Ok(counts.into_iter().map(count).collect())
    }

    /// How many ready records there are over all tenants, counted up to `limit`. One count serves all processes for a
    /// while, because it costs what is counted.
    pub(crate) async fn count_ready(&self, limit: u64) -> Result<u64, StoreError> {
        if limit == 0 {
            return Ok(0);
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let kept = self
            .get_items([(layout::DEPTH.to_owned(), RECORD.to_owned())], None)
            .await?;
        if let Some(kept) = kept.first() {
            let read = |name| micros(kept, name).and_then(|number| u128::try_from(number).ok());
            let (counted, to, at) = (read(COUNTED), read(COUNTED_TO), read(COUNTED_AT));
            let fresh = at.is_some_and(|at| now.saturating_sub(at) < self.options.depth_fresh.as_millis());
            if let (Some(counted), Some(to), true) = (counted, to, fresh)
                && (counted < to || u128::from(limit) <= to)
            {
                return Ok(limit.min(u64::try_from(counted).unwrap_or(u64::MAX)));
            }
        }
        let counted = self.count_ready_now(limit).await?;
        if !self.options.depth_fresh.is_zero() {
            self.put_item(Item::from([
                (PARTITION.to_owned(), text(layout::DEPTH)),
                (SORT.to_owned(), text(RECORD)),
                (COUNTED.to_owned(), number(counted)),
                (COUNTED_TO.to_owned(), number(limit)),
                (COUNTED_AT.to_owned(), number(now)),
            ]))
            .await?;
        }
        Ok(counted)
    }

    async fn count_ready_now(&self, limit: u64) -> Result<u64, StoreError> {
        let queues = self.queues("").await?;
        let partitions: Vec<String> = queues
            .iter()
            .flat_map(|queue| (0..READY_SHARDS).map(|shard| layout::ready_partition(queue, shard)))
            .collect();
        let mut counts = stream::iter(
            partitions
                .iter()
                .map(|partition| self.count_entries(READY, partition, limit))
                .collect::<Vec<_>>(),
        )
        .buffer_unordered(AT_ONCE);
        let mut counted = 0;
        while let Some(more) = counts.try_next().await? {
            counted += more;
            if counted >= limit {
                return Ok(limit);
            }
        }
        Ok(counted)
    }
}

fn listed(entry: &Entry) -> Option<Listed> {
    let (listed_at, id) = layout::parse_time_sort(&entry.sort)?;
    let at = Position {
        listed_at,
        id: id.to_owned(),
    };
    Some(Listed {
        at,
        pk: entry.pk.clone(),
    })
}

/// The greatest sort key that comes before the one of `position`: ids are printable ASCII.
fn before(position: &Position) -> String {
    let mut text = layout::time_sort(position.listed_at, &position.id);
    // Ids end in a character above a space, so that what follows the text with its last character taken one down is less.
    match text.pop() {
        Some(last) => {
            let lower = char::from_u32(u32::from(last).saturating_sub(1)).unwrap_or('\0');
            format!("{text}{lower}\u{7f}")
        }
        None => text,
    }
}
