//! Reads of records. Each costs what it gives: `tests/reading.rs` holds what they read.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    time::{Duration, Instant},
};

use domain::{TenantName, Timestamp};
use queue::{
    range::prefix_end,
    store::{Count, Key, Kind, Lane, Position, Record},
};
use sqlx::{Error, Row};

use crate::{
    columns::{self, Keys, kind_code, limit, signed},
    connect::Connections,
    floors::{Above, Part, bind_parts},
};

const LOAD: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body
    from unnest($1::smallint[], $2::text[], $3::text[]) as k (kind, tenant, id)
    cross join lateral (
        select * from record
        where kind = k.kind and tenant = k.tenant and id between k.id and k.id
        order by kind desc, tenant desc, id desc limit 1
    ) r";

/// The lanes with something ready in parts of lanes, and those in ranges of lanes: a loose index scan for each range, one
/// probe for each lane, however many records it holds.
const LANES: &str = "
    with recursive found as (
        select wanted.high, 1::bigint as number, first.lane
        from unnest($6::text[], $7::text[]) as wanted (low, high)
        cross join lateral (
            select r.lane from record r
            where r.band is not null and r.lane >= wanted.low and r.lane < wanted.high order by r.lane limit 1
        ) first
        where $8::bigint > 0
        union all
        select found.high, found.number + 1, next.lane
        from found
        cross join lateral (
            select r.lane from record r
            where r.band is not null and r.lane > found.lane and r.lane < found.high order by r.lane limit 1
        ) next
        where found.number < $8::bigint
    )
    select lane from found
    union all
    select part.lane
    from unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::smallint[])
        as part (lane, band, since, id, below)
    cross join lateral (
        select from record
        where lane = part.lane and band is not null
            and (band, since, id) >= (part.band, part.since, part.id) and band < part.below
        order by band, since, id limit 1
    ) head";

/// The heads of parts of lanes, of which only the best are read as a whole, and how long it took to find them.
const READY: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body, clock_timestamp() - statement_timestamp() as took
    from (
        select head.lies_at
        from unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::smallint[])
            as part (lane, band, since, id, below)
        cross join lateral (
            select ctid as lies_at, band, since, id from record
            where lane = part.lane and band is not null
                and (band, since, id) >= (part.band, part.since, part.id) and band < part.below
            order by band, since, id limit $6
        ) head
        order by head.band, head.since, head.id limit $6
    ) best
    join record r on r.ctid = best.lies_at
    order by r.band, r.since, r.id";

const DUE: &str = "
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
    from record where due_at <= $1 order by due_at, id limit $2";

const LIST: &str = "
    select r.kind, r.tenant, r.id, r.version, r.lane, r.band, r.since, r.due_at, r.shelf, r.listed_at,
           r.expires_at, r.body
    from unnest($3::text[]) as s (shelf)
    cross join lateral (
        select * from record
        where kind = $1 and tenant = $2 and shelf = s.shelf and (listed_at, id) < ($4, $5)
        order by listed_at desc, id desc limit $6
    ) r
    order by r.listed_at desc, r.id desc limit $6";

/// What is ready and what waits otherwise, each by an index whose predicate is its condition, to the letter.
const COUNT: &str = "
    select lane, shelf, count(*) as records, min(since) as oldest
    from (
        select lane, shelf, since from record where band is not null and lane >= $1 and lane < $2
        union all
        select lane, shelf, null from record
        where due_at is not null and band is null and lane is not null and lane >= $1 and lane < $2
    ) as unfinished
    group by lane, shelf order by lane, shelf";

/// What is ready in parts of lanes and in ranges of lanes. Ordered, so that the planner goes through the index and not
/// through the finished records.
const DEPTH: &str = "
    select count(*) as depth from (
        select from (
            select from unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::smallint[])
                as part (lane, band, since, id, below)
            cross join lateral (
                select from record
                where lane = part.lane and band is not null
                    and (band, since, id) >= (part.band, part.since, part.id) and band < part.below
                order by band, since, id limit $8
            ) above
            union all
            select from unnest($6::text[], $7::text[]) as gap (low, high)
            cross join lateral (
                select from record where band is not null and lane >= gap.low and lane < gap.high
                order by lane, band, since, id limit $8
            ) between_them
        ) as ready limit $8
    ) as counted";

const SCAN: &str = "
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
    from record where (kind, tenant, id) > ($1, $2, $3) order by kind, tenant, id limit $4";

const PING: &str = "
    select current_setting('transaction_read_only')::boolean as read_only, exists (select 1 from record) as used";

pub(crate) async fn ping(connections: &Connections) -> Result<(), Error> {
    // Naming the table, it fails on a database that was not migrated.
    let row = connections.fetch_one(sqlx::query(PING)).await?;
    if row.try_get("read_only")? {
        return Err(Error::Protocol(
            "the server takes no writes: it is a standby, or set to read only".into(),
        ));
    }
    Ok(())
}

pub(crate) async fn load(connections: &Connections, keys: &[Key]) -> Result<Vec<Option<Record>>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Keys::of(keys.iter());
    let statement = sqlx::query(LOAD)
        .bind(wanted.kinds)
        .bind(wanted.tenants)
        .bind(wanted.ids);
    let rows = connections.fetch_all(statement).await?;
    let found: HashMap<Key, Record> = columns::records(&rows)?
        .into_iter()
        .map(|record| (record.key.clone(), record))
        .collect();
    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
}

/// The lanes with something ready under each of `prefixes`. Of those whose floors are known what lies above is looked at, and
/// between them it is looked for others. One that has nothing above is looked at from its beginning when it is time to.
pub(crate) async fn lanes(
    connections: &Connections,
    prefixes: &[String],
    most: usize,
) -> Result<Vec<Vec<Lane>>, Error> {
    let mut areas = Areas::default();
    for prefix in prefixes {
        let high = prefix_end(prefix);
        areas.add(prefix, &high, connections.floors.between(prefix, &high, Instant::now()));
    }
    let mut found: BTreeSet<String> = lanes_in(connections, &areas, most).await?.into_iter().collect();
    let stale: BTreeSet<String> = areas.stale.difference(&found).cloned().collect();
    if !stale.is_empty() {
        found.extend(look_again(connections, stale).await?);
    }
    let of = |prefix: &String| {
        let from = found.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let lanes = from.take_while(|lane| lane.starts_with(prefix.as_str())).take(most);
        lanes.cloned().map(Lane::from_stored).collect()
    };
    Ok(prefixes.iter().map(of).collect())
}

/// Those of `lanes` in which anything is ready, looked at from their beginnings.
async fn look_again(connections: &Connections, mut lanes: BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut areas = Areas::default();
    for lane in &lanes {
        areas.gap(lane, &format!("{lane}{LEAST}"));
    }
    let begun = Instant::now();
    let found = lanes_in(connections, &areas, 1).await?;
    for lane in &found {
        lanes.remove(lane);
    }
    let now = Instant::now();
    connections.floors.nothing_found(lanes.iter(), now - begun, now);
    Ok(found)
}

/// The least character there is in Postgres: between a lane and the same with this behind it lies none.
const LEAST: &str = "\u{1}";

/// Behind every lane.
const END_OF_LANES: &str = "\u{10ffff}";

/// Where to look for what is ready in ranges of lanes.
#[derive(Default)]
struct Areas {
    /// What lies above the floors of lanes.
    parts: Vec<Part>,
    /// Where the ranges begin in which no floor is known, and where they end.
    lows: Vec<String>,
    highs: Vec<String>,
    /// The lanes that it is time to look at from their beginnings.
    stale: BTreeSet<String>,
}

impl Areas {
    /// Adds the lanes from `low` on and before `high`: what lies `above` floors, and all between.
    fn add(&mut self, low: &str, high: &str, above: Vec<Above>) {
        let mut low = low.to_owned();
        for Above { lane, parts, is_used } in above {
            self.gap(&low, &lane);
            low = format!("{lane}{LEAST}");
            self.parts.extend(parts);
            if !is_used {
                self.stale.insert(lane);
            }
        }
        self.gap(&low, high);
    }

    /// Adds the lanes from `low` on and before `high`, of which no floor is known.
    fn gap(&mut self, low: &str, high: &str) {
        self.lows.push(low.to_owned());
        self.highs.push(high.to_owned());
    }
}

/// The lanes with something ready in `areas`, at most so many in each of their ranges.
async fn lanes_in(connections: &Connections, areas: &Areas, most: usize) -> Result<Vec<String>, Error> {
    let statement = bind_parts!(sqlx::query(LANES), &areas.parts)
        .bind(&areas.lows)
        .bind(&areas.highs)
        .bind(limit(most));
    let rows = connections.fetch_all(statement).await?;
    rows.iter().map(|row| row.try_get("lane")).collect()
}

pub(crate) async fn ready(connections: &Connections, lanes: &[Lane], most: usize) -> Result<Vec<Record>, Error> {
    let lanes = distinct(lanes.iter().map(Lane::as_str));
    let parts: Vec<Part> = lanes.iter().map(|lane| Part::whole(lane)).collect();
    Ok(ready_in(connections, &parts, most).await?.0)
}

/// What is ready in `parts` of lanes, best first, and how long it took the server to find it; where nothing is ready that is
/// not known.
pub(crate) async fn ready_in(
    connections: &Connections,
    parts: &[Part],
    most: usize,
) -> Result<(Vec<Record>, Option<Duration>), Error> {
    let statement = bind_parts!(sqlx::query(READY), parts).bind(limit(most));
    let rows = connections.fetch_all(statement).await?;
    Ok((columns::records(&rows)?, columns::took(&rows)?))
}

pub(crate) async fn due(connections: &Connections, now: Timestamp, most: usize) -> Result<Vec<Record>, Error> {
    let statement = sqlx::query(DUE).bind(now.as_micros()).bind(limit(most));
    columns::records(&connections.fetch_all(statement).await?)
}

pub(crate) async fn list(
    connections: &Connections,
    kind: Kind,
    partition: &str,
    shelves: &[&str],
    after: Option<&Position>,
    most: usize,
) -> Result<Vec<Record>, Error> {
    let (before, id) = after.map_or((i64::MAX, ""), |after| (after.listed_at.as_micros(), after.id.as_str()));
    let statement = sqlx::query(LIST)
        .bind(kind_code(kind))
        .bind(partition)
        .bind(distinct(shelves.iter().copied()))
        .bind(before)
        .bind(id)
        .bind(limit(most));
    let rows = connections.fetch_all(statement).await?;
    columns::records(&rows)
}

pub(crate) async fn count(connections: &Connections, tenant: &TenantName) -> Result<Vec<Count>, Error> {
    let prefix = format!("{tenant}/");
    let statement = sqlx::query(COUNT).bind(&prefix).bind(prefix_end(&prefix));
    let rows = connections.fetch_all(statement).await?;
    let count = |row: &sqlx::postgres::PgRow| {
        let records: i64 = row.try_get("records")?;
        Ok(Count {
            lane: Lane::from_stored(row.try_get("lane")?),
            shelf: row.try_get("shelf")?,
            records: u64::try_from(records).unwrap_or(0),
            oldest: row.try_get::<Option<i64>, _>("oldest")?.map(Timestamp::from_micros),
        })
    };
    rows.iter().map(count).collect()
}

/// How much is ready, counted up to `most`. Below a floor that is used nothing is counted.
pub(crate) async fn depth(connections: &Connections, most: u64) -> Result<u64, Error> {
    let mut areas = Areas::default();
    let mut above = connections.floors.between("", END_OF_LANES, Instant::now());
    above.retain(|lane| lane.is_used);
    areas.add("", END_OF_LANES, above);
    let statement = bind_parts!(sqlx::query(DEPTH), &areas.parts)
        .bind(&areas.lows)
        .bind(&areas.highs)
        .bind(signed(most));
    let row = connections.fetch_one(statement).await?;
    Ok(u64::try_from(row.try_get::<i64, _>("depth")?).unwrap_or(0))
}

/// Up to `most` records in the order of their keys, after `after`.
pub(crate) async fn scan(connections: &Connections, after: Option<&Key>, most: usize) -> Result<Vec<Record>, Error> {
    // Every kind has a number above 0.
    let (kind, tenant, id) = after.map_or((0, "", ""), |key| {
        (kind_code(key.kind), key.partition.as_str(), key.id.as_str())
    });
    let statement = sqlx::query(SCAN).bind(kind).bind(tenant).bind(id).bind(limit(most));
    let rows = connections.fetch_all(statement).await?;
    columns::records(&rows)
}

/// Each of `texts` once, in order.
pub(crate) fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}
