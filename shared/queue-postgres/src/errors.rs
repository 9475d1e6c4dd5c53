//! What Postgres reports, as what the queue acts on.

use queue::store::StoreError;
use sqlx::{Error, error::DatabaseError};

/// There is no such table, or no such column: nobody has migrated.
const UNDEFINED: [&str; 2] = ["42P01", "42703"];

/// The transaction met another one in a way that only starting over resolves.
const TRY_AGAIN: [&str; 2] = ["40001", "40P01"];

/// There is no such prepared statement, or one of that name already: a session is shared by clients who do not know it.
const MIXED_UP: [&str; 2] = ["26000", "42P05"];

/// What was sent does not fit what it was sent for.
const PROTOCOL_VIOLATION: &str = "08P01";

/// How a pooler says that it takes no settings at the start.
const REFUSES_SETTINGS: [&str; 2] = ["unsupported startup parameter", "unsupported options startup parameter"];

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
        Error::Database(found) if is_mixed_up(&**found) => StoreError::Unavailable(
            "a pooler in transaction mode mixed up what its clients prepared: add `pooler=transaction` to the address of the \
             store, or let the pooler keep it apart (PgBouncer 1.21 or later with max_prepared_statements)"
                .into(),
        ),
        Error::Database(found) if refuses_settings(&**found) => StoreError::Unavailable(
            "the pooler before the database refuses settings at the start: add `pooler=transaction` to the address of the \
             store, or `session=role` if it keeps apart what its clients prepare (RDS Proxy, PgBouncer 1.21 or later with \
             max_prepared_statements)"
                .into(),
        ),
        _ => StoreError::Unavailable(error.into()),
    }
}

fn is_mixed_up(error: &dyn DatabaseError) -> bool {
    error.code().is_some_and(|code| {
        MIXED_UP.contains(&&*code) || (code == PROTOCOL_VIOLATION && error.message().contains("prepared statement"))
    })
}

fn refuses_settings(error: &dyn DatabaseError) -> bool {
    REFUSES_SETTINGS.iter().any(|start| error.message().starts_with(start))
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
        .is_some_and(DatabaseError::is_unique_violation)
}

/// Whether the same transaction may go through when it is tried again at once.
pub(crate) fn is_worth_another_try(error: &Error) -> bool {
    error
        .as_database_error()
        .and_then(DatabaseError::code)
        .is_some_and(|code| TRY_AGAIN.contains(&code.as_ref()))
}
