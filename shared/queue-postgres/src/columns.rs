//! Records and keys as columns, and rows as records.

use std::{collections::HashSet, time::Duration};

use domain::Timestamp;
use queue::store::{Key, Kind, Lane, Rank, Record, Version};
use sqlx::{
    Error, Row,
    postgres::{PgRow, types::PgInterval},
};

/// Keys as one array for each column.
#[derive(Default)]
pub(crate) struct Keys<'a> {
    pub(crate) kinds: Vec<i16>,
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) ids: Vec<&'a str>,
}

impl<'a> Keys<'a> {
    pub(crate) fn of(keys: impl Iterator<Item = &'a Key>) -> Self {
        let mut columns = Self::default();
        keys.for_each(|key| columns.push(key));
        columns
    }

    pub(crate) fn push(&mut self, key: &'a Key) {
        let (kind, tenant, id) = key_columns(key);
        self.kinds.push(kind);
        self.tenants.push(tenant);
        self.ids.push(id);
    }
}

/// Records as one array for each column.
#[derive(Default)]
pub(crate) struct Records<'a> {
    pub(crate) keys: Keys<'a>,
    pub(crate) versions: Vec<i64>,
    pub(crate) lanes: Vec<Option<&'a str>>,
    pub(crate) bands: Vec<Option<i16>>,
    pub(crate) sinces: Vec<Option<i64>>,
    pub(crate) due_ats: Vec<Option<i64>>,
    pub(crate) shelves: Vec<&'a str>,
    pub(crate) listed_ats: Vec<i64>,
    pub(crate) expires_ats: Vec<Option<i64>>,
    pub(crate) bodies: Vec<&'a str>,
}

impl<'a> Records<'a> {
    pub(crate) fn push(&mut self, record: &'a Record) {
        self.keys.push(&record.key);
        self.versions.push(signed(record.version.0));
        self.lanes.push(record.lane.as_ref().map(Lane::as_str));
        self.bands.push(record.rank.map(|rank| i16::from(rank.band)));
        self.sinces.push(record.rank.map(|rank| rank.since.as_micros()));
        self.due_ats.push(record.due_at.map(Timestamp::as_micros));
        self.shelves.push(&record.shelf);
        self.listed_ats.push(record.listed_at.as_micros());
        self.expires_ats.push(record.expires_at.map(Timestamp::as_micros));
        self.bodies.push(&record.body);
    }

    /// A row that says nothing but key and version.
    pub(crate) fn push_key(&mut self, key: &'a Key, version: Version) {
        self.keys.push(key);
        self.versions.push(signed(version.0));
        self.lanes.push(None);
        self.bands.push(None);
        self.sinces.push(None);
        self.due_ats.push(None);
        self.shelves.push("");
        self.listed_ats.push(0);
        self.expires_ats.push(None);
        self.bodies.push("");
    }
}

/// Binds the arrays of [`Records`] in the order that the statements take them: key, version, lane, band, since, due
/// time, shelf, place in lists, expiry, body.
macro_rules! bind_records {
    ($query:expr, $records:expr) => {
        $query
            .bind($records.keys.kinds)
            .bind($records.keys.tenants)
            .bind($records.keys.ids)
            .bind($records.versions)
            .bind($records.lanes)
            .bind($records.bands)
            .bind($records.sinces)
            .bind($records.due_ats)
            .bind($records.shelves)
            .bind($records.listed_ats)
            .bind($records.expires_ats)
            .bind($records.bodies)
    };
}
pub(crate) use bind_records;

pub(crate) const fn kind_code(kind: Kind) -> i16 {
    kind as i16
}

/// Counts fit: a version moves by one with each write, and no list is longer than memory.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A key as the database has it: kind, tenant, id.
pub(crate) type KeyColumns<'a> = (i16, &'a str, &'a str);

pub(crate) fn key_columns(key: &Key) -> KeyColumns<'_> {
    (kind_code(key.kind), &key.partition, &key.id)
}

/// The keys that `rows` give.
pub(crate) fn keys(rows: &[PgRow]) -> Result<HashSet<KeyColumns<'_>>, Error> {
    rows.iter()
        .map(|row| Ok((row.try_get("kind")?, row.try_get("tenant")?, row.try_get("id")?)))
        .collect()
}

pub(crate) fn key(row: &PgRow) -> Result<Key, Error> {
    let code: i16 = row.try_get("kind")?;
    let kind = u8::try_from(code).ok().and_then(Kind::from_code);
    let kind = kind.ok_or_else(|| Error::Decode(format!("{code} is no kind of record").into()))?;
    Ok(Key {
        kind,
        partition: row.try_get("tenant")?,
        id: row.try_get("id")?,
    })
}

pub(crate) fn record(row: &PgRow) -> Result<Record, Error> {
    let band: Option<u8> = row.try_get::<Option<i16>, _>("band")?.map(unsigned).transpose()?;
    let since = row.try_get::<Option<i64>, _>("since")?.map(Timestamp::from_micros);
    Ok(Record {
        key: key(row)?,
        version: Version(unsigned(row.try_get::<i64, _>("version")?)?),
        lane: row.try_get::<Option<String>, _>("lane")?.map(Lane::from_stored),
        rank: band.zip(since).map(|(band, since)| Rank { band, since }),
        due_at: row.try_get::<Option<i64>, _>("due_at")?.map(Timestamp::from_micros),
        shelf: row.try_get("shelf")?,
        listed_at: Timestamp::from_micros(row.try_get("listed_at")?),
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp::from_micros),
        body: row.try_get("body")?,
    })
}

/// A number that was stored as a greater, signed one.
fn unsigned<S, U: TryFrom<S, Error: std::error::Error + Send + Sync + 'static>>(stored: S) -> Result<U, Error> {
    U::try_from(stored).map_err(|error| Error::Decode(error.into()))
}

/// How long the server took to find the first of `rows`; `None` if there is none.
pub(crate) fn took(rows: &[PgRow]) -> Result<Option<Duration>, Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    let took: PgInterval = row.try_get("took")?;
    Ok(Some(Duration::from_micros(
        u64::try_from(took.microseconds).unwrap_or(0),
    )))
}

pub(crate) fn records(rows: &[PgRow]) -> Result<Vec<Record>, Error> {
    rows.iter().map(record).collect()
}
