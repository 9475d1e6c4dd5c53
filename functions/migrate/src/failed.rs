//! Why nothing was done, for whoever invoked the function: an operator, who is told the cause.

use app::{Problem, problem::chain};
use lambda_runtime::Diagnostic;
use queue::{Refusal, StoreError};

/// What an event can be.
const POSSIBLE: &str = r#"an event is {} or {"action": "migrate"}, {"action": "state"}, or {"action": "create_key"}, the last with "tenant", "name", "scopes" and "expires_at" as wanted"#;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The event cannot be used, for each of these reasons.
    #[error("the event cannot be used: {0}; {POSSIBLE}")]
    Event(String),
    /// The store did not do its part, for this reason.
    #[error("{0}")]
    Store(String),
}

impl Failed {
    /// That these places of an event are wrong.
    pub(crate) fn of_event(problem: &Problem) -> Self {
        let mistakes = problem.mistakes().iter();
        let told: Vec<String> = mistakes
            .map(|mistake| match &*mistake.pointer {
                "" => format!("it {}", mistake.message),
                pointer => format!("{pointer} {}", mistake.message),
            })
            .collect();
        Self::Event(told.join(", "))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(chain(&error))
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Store(chain(&refusal))
    }
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        let kind = match failed {
            Failed::Event(_) => "WrongEvent",
            Failed::Store(_) => "StoreUnavailable",
        };
        Self {
            error_type: kind.to_owned(),
            error_message: failed.to_string(),
        }
    }
}
