//! What Postgres reports, as what the queue acts on.

use queue::store::StoreError;
use sqlx::Error;

/// There is no such table, or no such column: nobody has migrated.
const UNDEFINED: [&str; 2] = ["42P01", "42703"];

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
        Error::Database(found) if found.code().is_some_and(|code| UNDEFINED.contains(&&*code)) => {
            StoreError::Unavailable("the database lacks tables or columns: run `remuda store migrate`".into())
        }
        _ => StoreError::Unavailable(error.into()),
    }
}

/// How often a transaction that met a deadlock is tried.
pub(crate) const TRIES_MAX: usize = 4;

/// Tries again at once what met a deadlock: the other transaction has got through by then. A macro, because a closure
/// that gives a future cannot promise that the future may move between threads.
macro_rules! again_on_deadlock {
    ($work:expr) => {{
        let mut tries = 1;
        loop {
            match $work.await {
                Err(error) if tries < $crate::errors::TRIES_MAX && $crate::errors::is_worth_another_try(&error) => {
                    tries += 1;
                }
                outcome => break outcome,
            }
        }
    }};
}
pub(crate) use again_on_deadlock;

/// Whether there is a record where one was to be made.
pub(crate) fn is_taken(error: &Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the same transaction may go through when it is tried again at once.
pub(crate) fn is_worth_another_try(error: &Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| TRY_AGAIN.contains(&code.as_ref()))
}
