//! A claim: read what is offered, decide, write what is granted where it still is as it was read.
//!
//! It never waits for a lock: a record that another call is writing has moved on. So claims and writes cannot deadlock.
//! While claims of several processes meet, each locks what it is offered, and the others are offered what comes next.

use std::{
    collections::HashSet,
    iter,
    time::{Duration, Instant},
};

use queue::store::{Committed, Decide, Grant, Granted, Lane, Record};
use sqlx::{Error, postgres::PgRow};

use crate::{
    columns::{self, Records, bind_records, limit},
    connect::Connections,
    floors::{LONG, SLOW, bind_parts},
    reads::{self, distinct},
    statements::Statement,
};

/// For how long claims lock what they are offered after two of them were offered the same.
const LOCKING_FOR: Duration = Duration::from_secs(2);

/// The best of all parts of lanes that nobody else is being offered.
///
/// The heads are looked at without a lock, to see how many of the best come from which part; only so many are locked
/// there. Materialised, or the planner may run the sub-select more than once and lock more than the limit.
const OFFER: &str = "
    with head as materialized (
        select part.* from unnest($1::text[], $2::smallint[], $3::bigint[], $4::text[], $5::smallint[])
            as part (lane, band, since, id, below)
        cross join lateral (
            select band, since, id from record
            where lane = part.lane and band is not null
                and (band, since, id) >= (part.band, part.since, part.id) and band < part.below
            order by band, since, id limit $6
        ) r
        order by r.band, r.since, r.id limit $6
    ), share as materialized (
        select lane, band, since, id, below, count(*) as records from head group by lane, band, since, id, below
    ), offered as materialized (
        select r.* from share
        cross join lateral (
            select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
            from record
            where lane = share.lane and band is not null
                and (band, since, id) >= (share.band, share.since, share.id) and band < share.below
            order by band, since, id limit share.records for update skip locked
        ) r
    )
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body,
           clock_timestamp() - statement_timestamp() as took
    from offered order by band, since, id";

/// The holders that still have the version that was read, and that nobody else is writing, or that are new; and of their
/// jobs those that still have theirs.
///
/// What is found stays where it lies, so that it is written there and not looked up again.
const WRITE: &str = "
    with given as materialized (
        select * from unnest(
            $1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
            $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[], $14::boolean[]
        ) as given (
            kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body, place, holds
        )
    ), free as materialized (
        select stored.lies_at, given.* from given
        cross join lateral (
            select ctid as lies_at, version from record
            where kind = given.kind and tenant = given.tenant and id between given.id and given.id
                and version = given.version
            order by kind desc, tenant desc, id desc limit 1 for update skip locked
        ) stored
        where stored.version = given.version
    ), made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from given where version = 0 and holds
        on conflict (kind, tenant, id) do nothing
        returning kind, tenant, id
    ), held as materialized (
        select place from free where holds
        union all
        select place from given where ((kind, tenant, id) in (select kind, tenant, id from made)) is true
    ), changed as (
        update record r
        set version = r.version + 1, lane = free.lane, band = free.band, since = free.since, due_at = free.due_at,
            shelf = free.shelf, listed_at = free.listed_at, expires_at = free.expires_at, body = free.body
        from free
        where r.ctid = free.lies_at and (free.place in (select place from held)) is true
        returning r.kind, r.tenant, r.id
    )
    select kind, tenant, id from changed union all select kind, tenant, id from made";

pub(crate) async fn claim(
    connections: &Connections,
    lanes: &[Lane],
    most: usize,
    decide: Decide,
) -> Result<Vec<Granted>, Error> {
    if connections.claims_met_within(LOCKING_FOR) {
        return claim_locked(connections, lanes, most, decide).await;
    }
    let grants = decide(offered(connections, lanes, most).await?);
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let granted = granted(&grants, &connections.fetch_all(writing(&grants)).await?)?;
    if granted.iter().any(has_met) {
        connections.claims_meet();
    }
    Ok(granted)
}

/// The best of `lanes`.
async fn offered(connections: &Connections, lanes: &[Lane], most: usize) -> Result<Vec<Record>, Error> {
    let lanes = distinct(lanes.iter().map(Lane::as_str));
    let (found, is_enough) = look(connections, &lanes, most, LONG).await?;
    if is_enough {
        return Ok(found);
    }
    Ok(look(connections, &lanes, most, SLOW).await?.0)
}

/// The best of `lanes` above the floors of those where a look from the beginning takes `least` or longer, and whether what lies
/// before those need not be looked at.
async fn look(
    connections: &Connections,
    lanes: &[&str],
    most: usize,
    least: Duration,
) -> Result<(Vec<Record>, bool), Error> {
    let look = connections.floors.look(lanes, least, Instant::now());
    let (found, took) = reads::ready_in(connections, &look.parts, most).await?;
    let is_enough = look.found(&found, most, took, Instant::now());
    Ok((found, is_enough))
}

/// Locks what is offered until what is granted is written. What was passed over because it is locked tells nothing of where
/// a lane begins, nor whether there is more: so only the floors of lanes that are slow otherwise are used.
async fn claim_locked(
    connections: &Connections,
    lanes: &[Lane],
    most: usize,
    decide: Decide,
) -> Result<Vec<Granted>, Error> {
    let mut transaction = connections.begin().await?;
    let lanes = distinct(lanes.iter().map(Lane::as_str));
    let look = connections.floors.look(&lanes, SLOW, Instant::now());
    let offer = bind_parts!(sqlx::query(OFFER), &look.parts).bind(limit(most));
    let rows = transaction.fetch_all(offer).await?;
    let offered = columns::records(&rows)?;
    look.passed(&offered, columns::took(&rows)?, Instant::now());
    let grants = decide(offered);
    let rows = if grants.is_empty() {
        Vec::new()
    } else {
        transaction.fetch_all(writing(&grants)).await?
    };
    transaction.commit().await?;
    granted(&grants, &rows)
}

/// Whether the holder was written and one of its jobs was not: another claim was offered it too.
fn has_met(granted: &Granted) -> bool {
    granted.holder == Committed::Done && granted.jobs.contains(&Committed::Conflict)
}

/// Writes `grants`. A record that is given twice is written as it was given first.
fn writing(grants: &[Grant]) -> Statement<'_> {
    let (mut records, mut places, mut holds) = (Records::default(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for (place, grant) in grants.iter().enumerate() {
        for record in iter::once(&grant.holder).chain(&grant.jobs) {
            if seen.insert(&record.key) {
                holds.push(std::ptr::eq(record, &raw const grant.holder));
                places.push(limit(place));
                records.push(record);
            }
        }
    }
    bind_records!(sqlx::query(WRITE), records).bind(places).bind(holds)
}

/// What became of `grants`, where `rows` are the keys of what was written. A record that was given twice conflicts with
/// itself.
fn granted<'a>(grants: &'a [Grant], rows: &'a [PgRow]) -> Result<Vec<Granted>, Error> {
    let mut written = columns::keys(rows)?;
    let mut outcome = |record: &'a Record| {
        if written.remove(&columns::key_columns(&record.key)) {
            Committed::Done
        } else {
            Committed::Conflict
        }
    };
    let granted = |grant: &'a Grant| Granted {
        holder: outcome(&grant.holder),
        jobs: grant.jobs.iter().map(&mut outcome).collect(),
    };
    Ok(grants.iter().map(granted).collect())
}
