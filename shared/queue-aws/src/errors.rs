//! What AWS reports, as what the queue acts on.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use queue::store::{BoxError, StoreError};

/// There is no such table.
const NO_TABLE: &str = "ResourceNotFoundException";
/// Another write of the same item was under way in a transaction.
const IN_TRANSACTION: &str = "TransactionConflictException";

/// DynamoDB failed in a way it cannot say more of.
const SERVER_FAILED: &str = "InternalServerError";
/// Refused for now, and not done.
const FOR_NOW: [&str; 5] = [
    IN_TRANSACTION,
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
];

/// Everything that went wrong here means that the store cannot do its part now.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
pub(crate) fn unavailable<E, R>(error: SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    StoreError::Unavailable(match error.code() {
        Some(NO_TABLE) => "there is no such table, or it lacks an index: run `remuda store migrate`".into(),
        Some(code) => format!("DynamoDB answers {code}: {}", error.message().unwrap_or_default()).into(),
        // What failed lies deep: a name that is not known, a connection that was refused.
        None => chain(&error).into(),
    })
}

/// Whether the item was in a transaction, which is over by now.
pub(crate) fn was_in_transaction<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code() == Some(IN_TRANSACTION)
}

/// Whether the same call may go through a moment later.
pub(crate) fn is_worth_another_try<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    may_have_been_done(error) || error.code().is_some_and(|code| FOR_NOW.contains(&code))
}

/// Whether the call may have been done although it failed: no answer came, or one that does not say.
pub(crate) fn may_have_been_done<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(_) => error.code().is_none_or(|code| code == SERVER_FAILED),
        _ => false,
    }
}

/// An item that cannot be read.
pub(crate) fn corrupt(what: impl Into<String>, source: impl Into<BoxError>) -> StoreError {
    StoreError::Corrupt {
        what: what.into(),
        source: source.into(),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
