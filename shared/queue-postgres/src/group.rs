//! Groups: changes of several writes, each all or none.
//!
//! One statement locks what a group is about, in the order of the keys, looks whether all of it is as it was read, and
//! only then writes. The groups of a call go into one such statement together, since nearly always all of them hold;
//! those that do not are told apart by what was found, and the others go again.

use std::collections::HashSet;

use domain::Timestamp;
use queue::store::{Change, Committed, Key, Record, Write};
use sqlx::Error;

use crate::{
    blobs::{Blobs, bind_blobs},
    columns::{self, Keys, Records, bind_records},
    connect::Connections,
    errors::{again_on_deadlock, is_taken},
    statements::Statement,
};

/// How often the groups of a call go together before each goes alone.
const TOGETHER_MAX: usize = 2;

/// What a write does, as the statement knows it.
const PUT: i16 = 0;
const DELETE: i16 = 1;
const CHECK: i16 = 2;

/// Does all that is asked if all of it is at its version; gives the keys of what is not.
///
/// What has to be absent is made in any case, so that nobody else can make it before the end of the transaction: of a
/// check or a deletion it is a placeholder.
const WRITE: &str = "
    with asked as materialized (
        select * from unnest(
            $1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[],
            $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::smallint[]
        ) as asked (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body, does)
    ), locked as materialized (
        select r.kind, r.tenant, r.id, r.version
        from asked join record r on r.kind = asked.kind and r.tenant = asked.tenant and r.id = asked.id
        order by r.kind, r.tenant, r.id for update of r
    ), stale as materialized (
        select asked.kind, asked.tenant, asked.id
        from asked left join locked l on l.kind = asked.kind and l.tenant = asked.tenant and l.id = asked.id
        where coalesce(l.version, 0) <> asked.version
    ), holds as materialized (
        select 1 where not exists (select 1 from stale)
    ), made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from asked cross join holds where asked.version = 0
        order by kind, tenant, id
    ), changed as (
        update record r
        set version = r.version + 1, lane = asked.lane, band = asked.band, since = asked.since,
            due_at = asked.due_at, shelf = asked.shelf, listed_at = asked.listed_at,
            expires_at = asked.expires_at, body = asked.body
        from asked cross join holds
        where asked.does = 0 and asked.version > 0
            and r.kind = asked.kind and r.tenant = asked.tenant and r.id = asked.id and r.version = asked.version
    ), gone as (
        delete from record r using asked cross join holds
        where asked.does = 1 and asked.version > 0
            and r.kind = asked.kind and r.tenant = asked.tenant and r.id = asked.id and r.version = asked.version
    ), gone_beside as (
        delete from blob b using asked cross join holds
        where asked.does = 1 and b.kind = asked.kind and b.tenant = asked.tenant and b.id = asked.id
    ), beside as (
        insert into blob (kind, tenant, id, name, body)
        select b.kind, b.tenant, b.id, b.name, b.body
        from unnest($14::smallint[], $15::text[], $16::text[], $17::text[], $18::bytea[])
          as b (kind, tenant, id, name, body)
        cross join holds
        on conflict (kind, tenant, id, name) do update set body = excluded.body
    )
    select kind, tenant, id from stale";

/// Takes the placeholders of this transaction away again, and nothing else. No other statement takes the same arguments: a
/// pooler that mixes up the statements of its clients must not make a deletion of what was a question.
const FORGET: &str = "
    delete from record r using unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[]) as p (kind, tenant, id, version)
    where r.kind = p.kind and r.tenant = p.tenant and r.id = p.id and r.version = p.version";

/// The version that WRITE gives to what it makes.
const PLACEHOLDER_VERSION: i64 = 1;

/// A group, and which change of the call it is.
type Group = (usize, Change);

/// Writes each group that holds, and notes which were written.
pub(crate) async fn commit(
    connections: &Connections,
    groups: Vec<Group>,
    outcomes: &mut [Committed],
) -> Result<(), Error> {
    for batch in batches(groups) {
        let left = commit_together(connections, batch, outcomes).await?;
        for group in left {
            commit_together(connections, vec![group], outcomes).await?;
        }
    }
    Ok(())
}

/// Cuts `groups` so that no record occurs twice in one batch.
fn batches(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let (mut batches, mut seen) = (vec![Vec::new()], HashSet::new());
    for group in groups {
        let keys = || group.1.writes.iter().map(|write| write.key().clone());
        if keys().any(|key| seen.contains(&key)) {
            seen.clear();
            batches.push(Vec::new());
        }
        seen.extend(keys());
        batches.last_mut().expect("there is one from the start").push(group);
    }
    batches
}

/// Tries to write all `open` groups at once; gives back those of which it is not known whether they hold.
async fn commit_together(
    connections: &Connections,
    mut open: Vec<Group>,
    outcomes: &mut [Committed],
) -> Result<Vec<Group>, Error> {
    for _ in 0..TOGETHER_MAX {
        if open.is_empty() {
            return Ok(open);
        }
        let stale = match again_on_deadlock!(write(connections, &open)) {
            Ok(stale) => stale,
            // Somebody made a record between the look and the write. Of one group that is a conflict.
            Err(error) if is_taken(&error) && open.len() == 1 => return Ok(Vec::new()),
            Err(error) if is_taken(&error) => return Ok(open),
            Err(error) => return Err(error),
        };
        if stale.is_empty() {
            open.iter().for_each(|(place, _)| outcomes[*place] = Committed::Done);
            return Ok(Vec::new());
        }
        open.retain(|(_, change)| !change.writes.iter().any(|write| stale.contains(write.key())));
    }
    Ok(open)
}

/// Writes all of `groups`, or nothing: then it gives what was not at its version.
async fn write(connections: &Connections, groups: &[Group]) -> Result<HashSet<Key>, Error> {
    let writes = || groups.iter().flat_map(|(_, change)| &change.writes);
    let placeholders = Keys::of(writes().filter(|write| is_placeholder(write)).map(Write::key));
    let rows = if placeholders.kinds.is_empty() {
        connections.fetch_all(statement(groups)).await?
    } else {
        let mut transaction = connections.begin().await?;
        let rows = transaction.fetch_all(statement(groups)).await?;
        if rows.is_empty() {
            transaction.execute(forgetting(placeholders)).await?;
        }
        transaction.commit().await?;
        rows
    };
    rows.iter().map(columns::key).collect()
}

fn statement(groups: &[Group]) -> Statement<'static> {
    let (mut records, mut does, mut blobs) = (Records::default(), Vec::new(), Vec::new());
    for (_, change) in groups {
        for write in &change.writes {
            does.push(code(write));
            records.push(row(write));
        }
        blobs.extend(change.blobs.iter().cloned());
    }
    let beside = Blobs::of(blobs);
    bind_blobs!(bind_records!(sqlx::query(WRITE), records).bind(does), beside)
}

fn forgetting(placeholders: Keys) -> Statement<'static> {
    let versions = vec![PLACEHOLDER_VERSION; placeholders.kinds.len()];
    sqlx::query(FORGET)
        .bind(placeholders.kinds)
        .bind(placeholders.tenants)
        .bind(placeholders.ids)
        .bind(versions)
}

fn is_placeholder(write: &Write) -> bool {
    code(write) != PUT && write.version() == queue::store::Version::ABSENT
}

fn code(write: &Write) -> i16 {
    match write {
        Write::Put(_) => PUT,
        Write::Delete(..) => DELETE,
        Write::Check(..) => CHECK,
    }
}

/// What is put; of anything else a record that says nothing but its key and version.
fn row(write: &Write) -> Record {
    match write {
        Write::Put(record) => record.clone(),
        Write::Delete(key, version) | Write::Check(key, version) => Record {
            key: key.clone(),
            version: *version,
            lane: None,
            rank: None,
            due_at: None,
            shelf: String::new(),
            listed_at: Timestamp::default(),
            expires_at: None,
            body: String::new(),
        },
    }
}
