//! Answers as clients see them. Every field is always there; what is absent is `null`.

mod job;
mod key;
mod queue;
mod robot;

use serde::Serialize;
use serde_json::value::RawValue;
use tracing::error;
use utoipa::ToSchema;

pub use self::{
    job::{DedupView, ErrorView, JobView, PrefersView, ProgressView, RequiresView, RetryView, TimeoutsView},
    key::{KeyView, NewKeyView},
    queue::QueueView,
    robot::{HoldView, RobotView},
};
use crate::problem::Problem;

/// One page of a list, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub struct PageView<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// A moment as text.
pub fn moment(at: domain::Timestamp) -> String {
    at.to_string()
}

/// JSON from the store, to be written as it is.
pub fn raw(text: Option<String>) -> Result<Option<Box<RawValue>>, Problem> {
    text.map(RawValue::from_string).transpose().map_err(|error| {
        error!("Stored JSON cannot be read: {error}");
        Problem::internal()
    })
}
