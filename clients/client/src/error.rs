//! What can become of a call besides its answer.

use std::error::Error;

use reqwest::StatusCode;

use crate::Problem;

/// Why a call brought no answer to use; displays as one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No answer came: no connection, or it broke, or time was up; the server may or may not have acted.
    #[error("cannot reach {url}: {}", innermost(.source))]
    Unreachable {
        /// The address that was called, without its query.
        url: String,
        /// What went wrong on the way.
        source: reqwest::Error,
    },
    /// An answer came that no Remuda server gives: a proxy's page, another program, or a version that speaks otherwise.
    #[error("unexpected answer {}: {reason}{}", .status.as_u16(), quoted(.body_start))]
    Unexpected {
        /// The HTTP status.
        status: StatusCode,
        /// What is wrong with it.
        reason: String,
        /// The first characters of the body.
        body_start: String,
        /// How long the answer asks to wait before another try.
        retry_after_seconds: Option<u64>,
    },
    /// The address is none that a server can have.
    #[error("`{url}` is no address of a server: {reason}")]
    BadAddress {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is empty or holds characters that no header can carry; it is not repeated here.
    #[error("the key is empty or holds characters that no key has")]
    BadKey,
    /// The request could not be built: a header or a body that cannot be sent.
    #[error("cannot build the request to {url}: {}", innermost(.source))]
    BadRequest {
        /// The address that was to be called.
        url: String,
        /// What cannot be sent.
        source: reqwest::Error,
    },
    /// The machine lacks what HTTPS needs, such as root certificates.
    #[error("cannot set up HTTPS: {}", innermost(.source))]
    Setup {
        /// What is missing.
        source: reqwest::Error,
    },
}

impl CallError {
    pub(crate) fn from_transport(url: &str, source: reqwest::Error) -> CallError {
        let (url, source) = (url.to_owned(), source.without_url());
        if source.is_builder() {
            CallError::BadRequest { url, source }
        } else {
            CallError::Unreachable { url, source }
        }
    }

    /// Whether the same call may well succeed later: nobody answered, or the server is not up to it just now (429, 502, 503, 504).
    pub fn is_transient(&self) -> bool {
        match self {
            CallError::Unreachable { .. } => true,
            _ => matches!(self.status().map(|status| status.as_u16()), Some(429 | 502 | 503 | 504)),
        }
    }

    /// The server's stable word for its refusal.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }

    /// The server's whole refusal.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            CallError::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The HTTP status, where an answer came.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            CallError::Refused(problem) => StatusCode::from_u16(problem.status).ok(),
            CallError::Unexpected { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the server asks to wait before another try.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            CallError::Refused(problem) => problem.retry_after_seconds,
            CallError::Unexpected {
                retry_after_seconds, ..
            } => *retry_after_seconds,
            _ => None,
        }
    }
}

/// The cause at the end of the chain: "Connection refused" says more than "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return if error.is_connect() {
            "no connection in time".to_owned()
        } else {
            "no answer in time".to_owned()
        };
    }
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn quoted(body_start: &str) -> String {
    if body_start.is_empty() {
        String::new()
    } else {
        format!(" (it begins `{body_start}`)")
    }
}
