//! What Postgres reports, as what the queue acts on.

use queue::store::StoreError;
use sqlx::Error;

/// There is no such table: nobody has migrated.
const UNDEFINED_TABLE: &str = "42P01";

/// The transaction met another one in a way that only starting over resolves.
const TRY_AGAIN: [&str; 2] = ["40001", "40P01"];

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
        Error::Database(found) if found.code().as_deref() == Some(UNDEFINED_TABLE) => {
            StoreError::Unavailable("the database has no tables yet: run 'remuda store migrate'".into())
        }
        _ => StoreError::Unavailable(error.into()),
    }
}

/// Whether the same transaction may go through when it is tried again at once.
pub(crate) fn is_worth_another_try(error: &Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| TRY_AGAIN.contains(&code.as_ref()))
}
