//! What is answered when something is not done: RFC 9457 problem documents.
//!
//! A document tells what the caller can act on, and never a driver's or a database's text: causes go to the log.

mod code;

use std::error::Error;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{Rejection, robot::SyncRejection};
use queue::{Refusal, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{error, warn};

pub use self::code::Code;

/// How many mistakes one document lists.
pub const MISTAKES_MAX: usize = 1_000;

/// When to try again after the store was out of reach, in seconds.
const STORE_RETRY_SECONDS: u32 = 2;

/// A wrong place of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// A JSON pointer into the body, or `query/NAME`, `header/NAME`, `path/NAME`.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Mistake {
    /// That what is at `pointer` is wrong.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

/// Why something was not done. It becomes a document when it is answered, with the id of the request.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: Code,
    detail: String,
    errors: Vec<Mistake>,
    retry_after_seconds: Option<u32>,
    more: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem of kind `code`; `detail` says what happened here.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            more: Vec::new(),
        }))
    }

    /// That these places of a request are wrong.
    pub fn invalid(mut errors: Vec<Mistake>) -> Self {
        let count = errors.len();
        errors.truncate(MISTAKES_MAX);
        let detail = match count {
            1 => "One value is wrong.".to_owned(),
            _ if count > errors.len() => format!("{count} values are wrong; the first {MISTAKES_MAX} are listed."),
            _ => format!("{count} values are wrong."),
        };
        let mut problem = Self::new(Code::Invalid, detail);
        problem.0.errors = errors;
        problem
    }

    /// That one place of a request is wrong.
    pub fn one(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![Mistake::new(pointer, message)])
    }

    /// That there is none of that id, or none that the caller may see.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is none of that id.")
    }

    /// A fault of the server, which has been logged.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "Something went wrong here; the server's log has the request's id.",
        )
    }

    /// With one more member in the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.more.push((name, value.into()));
        self
    }

    /// With the advice to try again after so many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// The places that are wrong.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0.errors
    }

    /// Its kind.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The document, for the request of that id.
    pub fn document(&self, request_id: &str) -> Value {
        let parts = &self.0;
        let mut document = Map::new();
        document.insert(
            "type".to_owned(),
            format!("urn:remuda:problem:{}", parts.code.as_str()).into(),
        );
        document.insert("title".to_owned(), parts.code.title().into());
        document.insert("status".to_owned(), parts.code.status().as_u16().into());
        document.insert("code".to_owned(), parts.code.as_str().into());
        document.insert("detail".to_owned(), parts.detail.as_str().into());
        document.insert("request_id".to_owned(), request_id.into());
        if !parts.errors.is_empty() {
            let entry =
                |mistake: &Mistake| serde_json::json!({ "pointer": mistake.pointer, "message": mistake.message });
            document.insert("errors".to_owned(), parts.errors.iter().map(entry).collect());
        }
        if let Some(seconds) = parts.retry_after_seconds {
            document.insert("retry_after_seconds".to_owned(), seconds.into());
        }
        let more = parts
            .more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        document.extend(more);
        Value::Object(document)
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        )];
        if let Some(seconds) = self.0.retry_after_seconds {
            headers.push((header::RETRY_AFTER, seconds.into()));
        }
        if self.0.code == Code::Unauthorized {
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        headers
    }
}

impl IntoResponse for Problem {
    /// The status and headers. The body is written by [`crate::http::finish`], which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.0.code.status().into_response();
        response.headers_mut().extend(self.headers());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::Job(rejection) => rejection.into(),
            Refusal::Sync(SyncRejection::SessionSuperseded) => Self::new(
                Code::SessionSuperseded,
                "Another session was opened since; open a new one.",
            ),
            Refusal::Sync(SyncRejection::StaleSequence) => Self::new(
                Code::StaleSequence,
                "A later sync was answered already; `seq` must rise.",
            ),
            Refusal::WrongRobot => Self::new(Code::WrongRobot, "The lease is another robot's."),
            Refusal::LogGap { next_seq } => {
                Self::new(Code::LogGap, format!("Chunk {next_seq} comes next.")).with("next_seq", next_seq)
            }
            Refusal::ChunkConflict => Self::new(Code::ChunkConflict, "The chunk is there already with another body."),
            Refusal::TooMany { max } => Self::new(Code::LimitReached, format!("There may be at most {max}.")),
            Refusal::Duplicate { job } => {
                Self::new(Code::Duplicate, format!("Job {job} holds the dedup key.")).with("job_id", job.to_text())
            }
            Refusal::Overloaded {
                ready,
                retry_after_seconds,
            } => Self::new(
                Code::Overloaded,
                format!("{ready} jobs or more wait for robots; no more are taken in."),
            )
            .retry_after(retry_after_seconds),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::LeaseLost => Self::new(
                Code::LeaseLost,
                "The lease is lost: stop the work, nothing was changed.",
            ),
            Rejection::OutcomeConflict => Self::new(
                Code::OutcomeConflict,
                "The attempt was finished before, with another outcome or result.",
            ),
            Rejection::AlreadyStarted => Self::new(Code::AlreadyStarted, "The job was started; finish it instead."),
            Rejection::Finished => Self::new(Code::JobFinished, "The job is over."),
            Rejection::NotReady => Self::new(
                Code::JobNotRetryable,
                "Only a job that is over and did not succeed is tried again.",
            ),
            Rejection::NoDeadLetter => Self::new(
                Code::NotADeadLetter,
                "The job neither failed nor timed out, or somebody has dealt with it.",
            ),
            Rejection::Repeated(_) | Rejection::NothingDue => {
                error!("An operation was rejected in a way that callers never see: {rejection}");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                warn!("{}", chain(&error));
                Self::new(Code::StoreUnavailable, "The store is out of reach.").retry_after(STORE_RETRY_SECONDS)
            }
            StoreError::Corrupt { .. } => {
                error!("{}", chain(&error));
                Self::internal()
            }
        }
    }
}

/// An error and its causes, for the log.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_what_the_contract_names() {
        let problem = Problem::new(Code::Overloaded, "5 jobs wait.").retry_after(30);
        let expected = serde_json::json!({
            "type": "urn:remuda:problem:overloaded", "title": "Overloaded", "status": 503, "code": "overloaded",
            "detail": "5 jobs wait.", "request_id": "r1", "retry_after_seconds": 30,
        });
        assert_eq!(problem.document("r1"), expected);
        let response = problem.into_response();
        assert_eq!(response.headers()["retry-after"], "30");
    }

    #[test]
    fn a_stores_own_words_stay_inside() {
        let secret = || -> queue::store::BoxError { "password authentication failed for postgres://u:p@h".into() };
        let corrupt = StoreError::Corrupt {
            what: "Job default/1".to_owned(),
            source: secret(),
        };
        for (error, code) in [
            (StoreError::Unavailable(secret()), Code::StoreUnavailable),
            (corrupt, Code::Internal),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.code(), code);
            assert!(!problem.document("r1").to_string().contains("postgres"), "{problem:?}");
        }
    }

    #[test]
    fn endless_mistakes_are_counted_and_cut() {
        let mistakes = vec![Mistake::new("/a", "is wrong"); MISTAKES_MAX + 5];
        let document = Problem::invalid(mistakes).document("r1");
        assert_eq!(document["errors"].as_array().map(Vec::len), Some(MISTAKES_MAX));
        assert!(
            document["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("1005"))
        );
    }
}
