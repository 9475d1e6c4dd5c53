//! Rows as records, and keys as JSON that a statement can join with.

use domain::Timestamp;
use queue::store::{Key, Kind, Lane, Rank, Record, Version};
use sqlx::{Error, Row, sqlite::SqliteRow};

/// Keys as a JSON array of arrays, for `json_each`.
pub(crate) fn keys_json<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let rows: Vec<(u8, &str, &str)> = keys
        .map(|key| (key.kind as u8, key.partition.as_str(), key.id.as_str()))
        .collect();
    json(&rows)
}

/// Texts as a JSON array, for `json_each`.
pub(crate) fn texts_json(texts: &[&str]) -> String {
    json(&texts)
}

/// The JSON of `value`, which must be made of lists, texts and numbers.
pub(crate) fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("lists, texts and numbers are JSON")
}

pub(crate) const fn kind_code(kind: Kind) -> i64 {
    kind as i64
}

/// Counts fit: a version moves by one with each write, and no list is longer than memory.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn key(row: &SqliteRow) -> Result<Key, Error> {
    let code: i64 = row.try_get("kind")?;
    let kind = u8::try_from(code).ok().and_then(Kind::from_code);
    let kind = kind.ok_or_else(|| Error::Decode(format!("{code} is no kind of record").into()))?;
    Ok(Key {
        kind,
        partition: row.try_get("tenant")?,
        id: row.try_get("id")?,
    })
}

pub(crate) fn record(row: &SqliteRow) -> Result<Record, Error> {
    let band: Option<u8> = row.try_get::<Option<i64>, _>("band")?.map(unsigned).transpose()?;
    let since = row.try_get::<Option<i64>, _>("since")?.map(Timestamp::from_micros);
    Ok(Record {
        key: key(row)?,
        version: version(row)?,
        lane: row.try_get::<Option<String>, _>("lane")?.map(Lane::from_stored),
        rank: band.zip(since).map(|(band, since)| Rank { band, since }),
        due_at: row.try_get::<Option<i64>, _>("due_at")?.map(Timestamp::from_micros),
        shelf: row.try_get("shelf")?,
        listed_at: Timestamp::from_micros(row.try_get("listed_at")?),
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp::from_micros),
        body: row.try_get("body")?,
    })
}

pub(crate) fn version(row: &SqliteRow) -> Result<Version, Error> {
    Ok(Version(unsigned(row.try_get("version")?)?))
}

/// A number that was stored as a signed one.
fn unsigned<U: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(stored: i64) -> Result<U, Error> {
    U::try_from(stored).map_err(|error| Error::Decode(error.into()))
}

pub(crate) fn records(rows: &[SqliteRow]) -> Result<Vec<Record>, Error> {
    rows.iter().map(record).collect()
}
