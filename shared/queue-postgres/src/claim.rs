//! A claim: lock what is offered, decide, write what is granted, in one transaction.
//!
//! It never waits for a lock: a job that another claim is looking at is not offered, and a holder that another call is
//! writing has moved on. So claims and writes cannot deadlock.

use std::collections::HashSet;

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

/// Records that still have the version that was read, and that nobody else is writing; and new ones.
const WRITE: &str = "
    with given as materialized (
        select * from unnest(
            $1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
            $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[]
        ) as given (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
    ), free as materialized (
        select r.kind, r.tenant, r.id from given
        join record r on r.kind = given.kind and r.tenant = given.tenant and r.id = given.id
            and r.version = given.version
        for update of r skip locked
    ), changed as (
        update record r
        set version = r.version + 1, lane = given.lane, band = given.band, since = given.since,
            due_at = given.due_at, shelf = given.shelf, listed_at = given.listed_at,
            expires_at = given.expires_at, body = given.body
        from free
        join given on given.kind = free.kind and given.tenant = free.tenant and given.id = free.id
        where r.kind = free.kind and r.tenant = free.tenant and r.id = free.id and r.version = given.version
        returning r.kind, r.tenant, r.id
    ), made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from given where version = 0
        on conflict (kind, tenant, id) do nothing
        returning kind, tenant, id
    )
    select kind, tenant, id from changed union all select kind, tenant, id from made";

pub(crate) async fn claim(
    connections: &Connections,
    lanes: &[Lane],
    most: usize,
    decide: Decide<'_>,
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

/// Writes the holders, and then the jobs of those that were written.
async fn write_grants(transaction: &mut Transaction, grants: &[Grant]) -> Result<Vec<Granted>, Error> {
    let holders = write(transaction, grants.iter().map(|grant| &grant.holder)).await?;
    let held = grants
        .iter()
        .zip(&holders)
        .filter(|(_, holder)| **holder == Committed::Done);
    let jobs = write(transaction, held.flat_map(|(grant, _)| &grant.jobs)).await?;
    let mut jobs = jobs.into_iter();
    let granted = |(grant, holder): (&Grant, Committed)| Granted {
        holder,
        jobs: match holder {
            Committed::Done => jobs.by_ref().take(grant.jobs.len()).collect(),
            Committed::Conflict => vec![Committed::Conflict; grant.jobs.len()],
        },
    };
    Ok(grants.iter().zip(holders).map(granted).collect())
}

/// Writes each record that is still at its version. One that is given twice conflicts with itself.
async fn write<'a>(
    transaction: &mut Transaction,
    given: impl Iterator<Item = &'a Record>,
) -> Result<Vec<Committed>, Error> {
    let given: Vec<&Record> = given.collect();
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let mut records = Records::default();
    let mut seen = HashSet::new();
    let first: Vec<bool> = given.iter().map(|record| seen.insert(&record.key)).collect();
    for (record, _) in given.iter().zip(&first).filter(|(_, first)| **first) {
        records.push((*record).clone());
    }
    let rows = transaction
        .fetch_all(bind_records!(sqlx::query(WRITE), records))
        .await?;
    let written: HashSet<Key> = rows.iter().map(columns::key).collect::<Result<_, _>>()?;
    let outcome = |(record, first): (&Record, bool)| {
        if first && written.contains(&record.key) {
            Committed::Done
        } else {
            Committed::Conflict
        }
    };
    Ok(given.into_iter().zip(first).map(outcome).collect())
}
