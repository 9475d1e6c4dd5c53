//! Groups: changes of several writes, each all or none.
//!
//! One statement locks what a group is about, in the order of the keys, looks whether all of it is as it was read, and
//! only then writes. The groups of a call go into one such statement together, since nearly always all of them hold;
//! those that do not are told apart by what was found, and the others go again.

use std::collections::HashSet;

use queue::store::{Change, Committed, Key, Version, Write};
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
        select stored.lies_at, stored.version as is_at, sorted.*
        from (select * from asked order by kind, tenant collate \"C\", id collate \"C\" offset 0) sorted
        cross join lateral (
            select ctid as lies_at, version from record
            where kind = sorted.kind and tenant = sorted.tenant and id between sorted.id and sorted.id
            order by kind desc, tenant desc, id desc limit 1 for update
        ) stored
    ), stale as materialized (
        select kind, tenant, id from locked where is_at <> version
        union all
        select kind, tenant, id from asked
        where version > 0 and (kind, tenant, id) not in (select kind, tenant, id from locked)
    ), holds as materialized (
        select 1 where not exists (select 1 from stale)
    ), made as (
        insert into record (kind, tenant, id, version, lane, band, since, due_at, shelf, listed_at, expires_at, body)
        select kind, tenant, id, 1, lane, band, since, due_at, shelf, listed_at, expires_at, body
        from asked cross join holds where asked.version = 0
        order by kind, tenant, id
    ), changed as (
        update record r
        set version = r.version + 1, lane = locked.lane, band = locked.band, since = locked.since,
            due_at = locked.due_at, shelf = locked.shelf, listed_at = locked.listed_at,
            expires_at = locked.expires_at, body = locked.body
        from locked cross join holds
        where locked.does = 0 and r.ctid = locked.lies_at
    ), gone as (
        delete from record r using locked cross join holds
        where locked.does = 1 and r.ctid = locked.lies_at
    ), gone_beside as (
        delete from blob b
        using asked cross join holds cross join lateral (
            select ctid as lies_at from blob
            where kind = asked.kind and tenant = asked.tenant and id = asked.id offset 0
        ) stored
        where asked.does = 1 and b.ctid = stored.lies_at
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
    delete from record r
    using unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[]) as p (kind, tenant, id, version)
    cross join lateral (
        select ctid as lies_at, version from record
        where kind = p.kind and tenant = p.tenant and id between p.id and p.id
        order by kind desc, tenant desc, id desc limit 1
    ) stored
    where stored.version = p.version and r.ctid = stored.lies_at and r.version = p.version";

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

fn statement(groups: &[Group]) -> Statement<'_> {
    let (mut records, mut does) = (Records::default(), Vec::new());
    for write in groups.iter().flat_map(|(_, change)| &change.writes) {
        does.push(code(write));
        match write {
            Write::Put(record) => records.push(record),
            Write::Delete(key, version) | Write::Check(key, version) => records.push_key(key, *version),
        }
    }
    let beside = Blobs::of(groups.iter().flat_map(|(_, change)| &change.blobs));
    bind_blobs!(bind_records!(sqlx::query(WRITE), records).bind(does), beside)
}

fn forgetting(placeholders: Keys<'_>) -> Statement<'_> {
    let versions = vec![PLACEHOLDER_VERSION; placeholders.kinds.len()];
    sqlx::query(FORGET)
        .bind(placeholders.kinds)
        .bind(placeholders.tenants)
        .bind(placeholders.ids)
        .bind(versions)
}

fn is_placeholder(write: &Write) -> bool {
    code(write) != PUT && write.version() == Version::ABSENT
}

fn code(write: &Write) -> i16 {
    match write {
        Write::Put(_) => PUT,
        Write::Delete(..) => DELETE,
        Write::Check(..) => CHECK,
    }
}
