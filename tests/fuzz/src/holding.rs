//! What holds of every answer, whatever was asked.

use std::fmt;

use axum::http::HeaderMap;
use serde_json::Value;

use crate::call::Call;

/// What the reader says of a number like `1e400`, which is JSON like any other.
const TOO_LARGE: &str = "number out of range";

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        self.readable().expect("an answer without a client's numbers")
    }

    /// The body as JSON, which it has to be; `None` where it hands on a number that this reader has no room for.
    pub(crate) fn readable(&self) -> Option<Value> {
        match serde_json::from_slice(&self.body) {
            Err(error) if error.to_string().starts_with(TOO_LARGE) => None,
            read => Some(read.unwrap_or_else(|error| panic!("{error} in the body of {self}"))),
        }
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Holds that the status is one of `statuses`.
    #[track_caller]
    pub(crate) fn is_one_of(&self, statuses: &[u16]) -> &Self {
        assert!(statuses.contains(&self.status), "not one of {statuses:?}: {self}");
        self
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.status, self.body.escape_ascii())
    }
}

/// Holds that `answer` is no fault of the server, that a refusal is a whole problem document, and that JSON is JSON.
pub(crate) fn hold(call: &Call, answer: &Answer) {
    assert!(answer.status < 500, "{call}: {answer}");
    assert!(answer.header("x-request-id").is_some(), "{call}: {answer}");
    match answer.header("content-type") {
        _ if answer.body.is_empty() => {}
        Some("application/json") => {
            let is_something = answer.readable().is_none_or(|value| !value.is_null());
            assert!(answer.status < 300 && is_something, "{call}: {answer}");
        }
        Some("application/problem+json") => hold_problem(call, answer),
        _ => assert!(answer.status < 300, "{call}: {answer}"),
    }
    if answer.status == 201 {
        assert!(answer.header("location").is_some(), "{call}: {answer}");
    }
}

fn hold_problem(call: &Call, answer: &Answer) {
    let document = answer.json();
    assert_eq!(document["status"], answer.status, "{call}: {answer}");
    assert_eq!(
        document["request_id"].as_str(),
        answer.header("x-request-id"),
        "{call}: {answer}"
    );
    for member in ["type", "title", "code", "detail"] {
        let is_told = document[member].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_told, "{member} of {call}: {answer}");
    }
    let names_places = document["errors"].as_array().is_some_and(|errors| !errors.is_empty());
    assert_eq!(names_places, document["code"] == "invalid", "{call}: {answer}");
}
