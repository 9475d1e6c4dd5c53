//! Guarded writes.
//!
//! A change of one put, as almost all are, goes with all others of its call into one insert and one update. Changes of
//! more than that are groups, see `group`.

use std::collections::HashSet;

use domain::Timestamp;
use queue::store::{Blob, Change, Committed, Record, Version, Write};
use sqlx::{Error, Row, postgres::PgRow};

use crate::{
    blobs::{Blobs, bind_blobs},
    columns::{self, Records, bind_records, limit},
    connect::Connections,
    errors::again_on_deadlock,
    group,
};

// A record is looked up by its key from the end: while versions of it cannot be removed, the latest one mostly lies last. So
// its id is asked for by a range of one: after `id = …` the planner drops the order, as there is nothing left to order, and
// reads forwards.
//
// Where two sets that have no index meet, as what was made and the blobs beside it do, an `in` is asked by hashing the one;
// `is true` keeps the planner from making a join of it, which would compare each with each (see `session`).

/// New records, each at the version after the one it names, with the blobs of those that were really new.
const INSERT: &str = "
    with made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, version + 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
                    $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
          as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        on conflict (kind, tenant, id) do nothing
        returning kind, tenant, id
    ), beside as (
        insert into blob (kind, tenant, id, name, body)
        select b.kind, b.tenant, b.id, b.name, b.body
        from unnest($13::smallint[], $14::text[], $15::text[], $16::text[], $17::bytea[])
          as b (kind, tenant, id, name, body)
        where ((b.kind, b.tenant, b.id) in (select kind, tenant, id from made)) is true
        on conflict (kind, tenant, id, name) do update set body = excluded.body
    )
    select kind, tenant, id from made";

/// New versions of records that still have the version that was read, with the blobs of those. The version is asked for
/// again where the record is written: somebody else may have written it since it was found.
const UPDATE: &str = "
    with found as materialized (
        select stored.lies_at, given.*
        from unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
                    $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[])
          as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        cross join lateral (
            select ctid as lies_at, version from record
            where kind = given.kind and tenant = given.tenant and id between given.id and given.id
            order by kind desc, tenant desc, id desc limit 1
        ) stored
        where stored.version = given.version
    ), made as (
        update record r
        set version = r.version + 1, lane = found.lane, band = found.band, since = found.since,
            due_at = found.due_at, shelf = found.shelf, listed_at = found.listed_at,
            expires_at = found.expires_at, body = found.body
        from found
        where r.ctid = found.lies_at and r.version = found.version
        returning r.kind, r.tenant, r.id
    ), beside as (
        insert into blob (kind, tenant, id, name, body)
        select b.kind, b.tenant, b.id, b.name, b.body
        from unnest($13::smallint[], $14::text[], $15::text[], $16::text[], $17::bytea[])
          as b (kind, tenant, id, name, body)
        where ((b.kind, b.tenant, b.id) in (select kind, tenant, id from made)) is true
        on conflict (kind, tenant, id, name) do update set body = excluded.body
    )
    select kind, tenant, id from made";

const PURGE: &str = "
    with gone as materialized (
        select ctid as lies_at, kind, tenant, id from record
        where expires_at <= $1 order by expires_at limit $2 for update skip locked
    ), beside as (
        delete from blob b
        using gone cross join lateral (
            select ctid as lies_at from blob
            where kind = gone.kind and tenant = gone.tenant and id = gone.id offset 0
        ) stored
        where b.ctid = stored.lies_at
    ), removed as (
        delete from record r using gone where r.ctid = gone.lies_at
        returning 1
    )
    select count(*) as removed from removed";

pub(crate) async fn commit(connections: &Connections, changes: Vec<Change>) -> Result<Vec<Committed>, Error> {
    let mut outcomes = vec![Committed::Conflict; changes.len()];
    let Sorted { new, changed, groups } = sort(changes);
    for (statement, singles) in [(INSERT, new), (UPDATE, changed)] {
        put(connections, statement, singles, &mut outcomes).await?;
    }
    group::commit(connections, groups, &mut outcomes).await?;
    Ok(outcomes)
}

/// Writes each record at the version it carries, if there is none of its key.
pub(crate) async fn restore(connections: &Connections, records: Vec<Record>) -> Result<Vec<Committed>, Error> {
    let mut outcomes = vec![Committed::Conflict; records.len()];
    let single = |(place, record): (usize, Record)| Single {
        place,
        record: Record {
            version: record.version.previous(),
            ..record
        },
        blobs: Vec::new(),
    };
    let singles = records.into_iter().enumerate().map(single).collect();
    put(connections, INSERT, singles, &mut outcomes).await?;
    Ok(outcomes)
}

pub(crate) async fn purge(connections: &Connections, now: Timestamp, most: usize) -> Result<usize, Error> {
    let statement = || sqlx::query(PURGE).bind(now.as_micros()).bind(limit(most));
    let row = again_on_deadlock!(connections.fetch_one(statement()))?;
    Ok(usize::try_from(row.try_get::<i64, _>("removed")?).unwrap_or(0))
}

/// A change that is one put, and which change of the call it is.
struct Single {
    place: usize,
    record: Record,
    blobs: Vec<Blob>,
}

/// The changes of a call by the way they are written.
#[derive(Default)]
struct Sorted {
    new: Vec<Single>,
    changed: Vec<Single>,
    groups: Vec<(usize, Change)>,
}

fn sort(changes: Vec<Change>) -> Sorted {
    let mut sorted = Sorted::default();
    let are_single = are_single(&changes);
    for ((place, mut change), is_single) in changes.into_iter().enumerate().zip(are_single) {
        match change.writes.pop() {
            Some(Write::Put(record)) if is_single => {
                let list = if record.version == Version::ABSENT {
                    &mut sorted.new
                } else {
                    &mut sorted.changed
                };
                list.push(Single {
                    place,
                    record,
                    blobs: change.blobs,
                });
            }
            last => {
                change.writes.extend(last);
                sorted.groups.push((place, change));
            }
        }
    }
    sorted
}

/// Of each change, whether it is one put of a record with no blobs but its own, and no change before it writes that record:
/// one statement writes a record once, so a second put of it goes apart, and conflicts there.
fn are_single(changes: &[Change]) -> Vec<bool> {
    let mut seen = HashSet::new();
    changes
        .iter()
        .map(|change| {
            let own = |record: &Record| change.blobs.iter().all(|blob| blob.key.owner == record.key);
            let is_first = change.writes.iter().all(|write| seen.insert(write.key()));
            is_first && matches!(change.writes.as_slice(), [Write::Put(record)] if own(record))
        })
        .collect()
}

/// Runs INSERT or UPDATE over `singles` and notes which were written.
async fn put(
    connections: &Connections,
    statement: &'static str,
    mut singles: Vec<Single>,
    outcomes: &mut [Committed],
) -> Result<(), Error> {
    if singles.is_empty() {
        return Ok(());
    }
    // Rows are locked in one order by everybody, as far as the planner keeps it.
    singles.sort_by(|one, other| one.record.key.cmp(&other.record.key));
    let rows = again_on_deadlock!(put_once(connections, statement, &singles))?;
    let written = columns::keys(&rows)?;
    let is_written = |single: &&Single| written.contains(&columns::key_columns(&single.record.key));
    for single in singles.iter().filter(is_written) {
        outcomes[single.place] = Committed::Done;
    }
    Ok(())
}

async fn put_once(connections: &Connections, statement: &'static str, singles: &[Single]) -> Result<Vec<PgRow>, Error> {
    let mut records = Records::default();
    singles.iter().for_each(|single| records.push(&single.record));
    let beside = Blobs::of(singles.iter().flat_map(|single| &single.blobs));
    connections
        .fetch_all(bind_blobs!(bind_records!(sqlx::query(statement), records), beside))
        .await
}
