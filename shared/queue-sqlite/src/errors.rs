//! What `SQLite` reports, as what the queue acts on.

use std::{error::Error as _, fmt, sync::Arc};

use queue::store::StoreError;
use sqlx::{Error, error::DatabaseError};

/// The primary result codes for a file that is no database, or not a whole one any more.
const CORRUPT_CODES: [i32; 2] = [11, 26];

/// The part of an extended result code that is the primary one.
const PRIMARY_CODE: i32 = 0xff;

/// Messages of a database that lacks a part of the schema; there is no code for that.
const NOT_MIGRATED: [&str; 3] = ["no such table", "no such column", "has no column named"];

/// Everything that went wrong here means that the store cannot do its part now, except what cannot be read.
pub(crate) fn unavailable(error: Error) -> StoreError {
    match &error {
        Error::ColumnDecode { index, .. } => corrupt(format!("column {index} of a row"), error),
        Error::Decode(_) => corrupt("a row".to_owned(), error),
        Error::Database(found) if is_corrupt(&**found) => corrupt("the database file".to_owned(), error),
        Error::Database(found) if NOT_MIGRATED.iter().any(|text| found.message().contains(text)) => {
            StoreError::Unavailable("the database lacks tables or columns: run `remuda store migrate`".into())
        }
        _ => StoreError::Unavailable(error.into()),
    }
}

fn corrupt(what: String, error: Error) -> StoreError {
    StoreError::Corrupt {
        what,
        source: error.into(),
    }
}

fn is_corrupt(error: &dyn DatabaseError) -> bool {
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| CORRUPT_CODES.contains(&(code & PRIMARY_CODE)))
}

/// `error` once more, for another caller whose call failed with it.
pub(crate) fn again(error: &Arc<StoreError>) -> StoreError {
    let source = Box::new(Cause(Arc::clone(error)));
    match &**error {
        StoreError::Unavailable(_) => StoreError::Unavailable(source),
        StoreError::Corrupt { what, .. } => StoreError::Corrupt {
            what: what.clone(),
            source,
        },
    }
}

/// The cause of an error that several callers share.
#[derive(Debug)]
struct Cause(Arc<StoreError>);

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(cause) => write!(out, "{cause}"),
            None => write!(out, "{}", self.0),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source().and_then(std::error::Error::source)
    }
}
