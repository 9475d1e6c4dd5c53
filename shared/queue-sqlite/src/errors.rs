//! What SQLite reports, as what the queue acts on.

use queue::store::StoreError;
use sqlx::Error;

/// Everything that went wrong here means that the store cannot do its part now, except a row that cannot be read.
pub(crate) fn unavailable(error: Error) -> StoreError {
    match &error {
        Error::ColumnDecode { index, .. } => StoreError::Corrupt {
            what: format!("column {index} of a row"),
            source: error.into(),
        },
        Error::Decode(_) => StoreError::Corrupt {
            what: "a row".to_owned(),
            source: error.into(),
        },
        Error::Database(found) if found.message().starts_with("no such table") => {
            StoreError::Unavailable("the database has no tables yet: run 'remuda store migrate'".into())
        }
        _ => StoreError::Unavailable(error.into()),
    }
}
