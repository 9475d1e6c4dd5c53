//! A claim: lock what is offered, decide, write what is granted, in one transaction.
//!
//! It never waits for a lock: a job that another claim is looking at is not offered, and a holder that another call is
//! writing has moved on. So claims and writes cannot deadlock.

use std::{collections::HashSet, iter};

use queue::store::{Committed, Decide, Grant, Granted, Key, Lane, Record};
use sqlx::Error;

use crate::{
    columns::{self, Records, bind_records, limit},
    connect::Connections,
    reads::distinct,
    statements::Transaction,
};

/// The best of all lanes that nobody else is being offered.
///
/// The heads of the lanes are looked at without a lock, to see how many of the best come from which lane; only so many
/// are locked there. Materialised, or the planner may run the sub-select more than once and lock more than the limit.
const OFFER: &str = "
    with head as materialized (
        select l.lane from unnest($1::text[]) as l (lane)
        cross join lateral (
            select band, since, id from record where lane = l.lane and band is not null
            order by band, since, id limit $2
        ) r
        order by r.band, r.since, r.id limit $2
    ), share as materialized (
        select lane, count(*) as records from head group by lane
    ), offered as materialized (
        select r.* from share
        cross join lateral (
            select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
            from record where lane = share.lane and band is not null
            order by band, since, id limit share.records for update skip locked
        ) r
    )
    select kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body
    from offered order by band, since, id";

/// The holders that still have the version that was read, and that nobody else is writing, or that are new; and of their
/// jobs, which are locked since they were offered, those that still have theirs.
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
            where (kind, tenant, id) between (given.kind, given.tenant, given.id) and (given.kind, given.tenant, given.id)
                and version = given.version
            order by kind, tenant, id limit 1 for update skip locked
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
    let statement = sqlx::query(OFFER)
        .bind(distinct(lanes.iter().map(Lane::as_str)))
        .bind(limit(most));
    let mut transaction = connections.begin().await?;
    let grants = decide(columns::records(&transaction.fetch_all(statement).await?)?);
    let granted = write_grants(&mut transaction, &grants).await?;
    transaction.commit().await?;
    Ok(granted)
}

/// Writes each grant whose holder is still at its version. A record that is given twice conflicts with itself.
async fn write_grants(transaction: &mut Transaction, grants: &[Grant]) -> Result<Vec<Granted>, Error> {
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    let (mut records, mut places, mut holds) = (Records::default(), Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut first = Vec::new();
    for (place, grant) in grants.iter().enumerate() {
        for record in iter::once(&grant.holder).chain(&grant.jobs) {
            let is_first = seen.insert(&record.key);
            if is_first {
                holds.push(std::ptr::eq(record, &raw const grant.holder));
                places.push(limit(place));
                records.push(record.clone());
            }
            first.push(is_first);
        }
    }
    let query = bind_records!(sqlx::query(WRITE), records).bind(places).bind(holds);
    let rows = transaction.fetch_all(query).await?;
    let written: HashSet<Key> = rows.iter().map(columns::key).collect::<Result<_, _>>()?;
    let mut first = first.into_iter();
    let mut outcome = |record: &Record| {
        if first.next() == Some(true) && written.contains(&record.key) {
            Committed::Done
        } else {
            Committed::Conflict
        }
    };
    let granted = |grant: &Grant| Granted {
        holder: outcome(&grant.holder),
        jobs: grant.jobs.iter().map(&mut outcome).collect(),
    };
    Ok(grants.iter().map(granted).collect())
}
