//! Marks of scans, for stores that scan in the order of keys.

use crate::store::{Key, Kind, Record, Scanned, StoreError};

/// The page that holds `records`, of which up to `limit` were asked for, the last one last in the order of the scan.
pub fn page(records: Vec<Record>, limit: usize) -> Scanned {
    let is_full = records.len() >= limit;
    let next = records.last().filter(|_| is_full).map(|last| write(&last.key));
    Scanned { records, next }
}

/// The key that `mark` was made of.
pub fn read(mark: &str) -> Result<Key, StoreError> {
    let corrupt = |source| StoreError::Corrupt {
        what: "the mark of a scan".to_owned(),
        source,
    };
    let (code, partition, id): (u8, String, String) =
        serde_json::from_str(mark).map_err(|error| corrupt(error.into()))?;
    let kind = Kind::from_code(code).ok_or_else(|| corrupt(format!("{code} is no kind of record").into()))?;
    Ok(Key { kind, partition, id })
}

fn write(key: &Key) -> String {
    serde_json::to_string(&(key.kind as u8, &key.partition, &key.id)).expect("numbers and texts are JSON")
}
