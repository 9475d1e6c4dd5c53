//! An answer, and what every answer must be.

use std::fmt;

use axum::http::HeaderMap;
use serde_json::Value;

use crate::world::is_json;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        assert!(is_json(&self.headers), "{self}");
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is text")
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The problem document, which must be whole.
    #[track_caller]
    pub fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self}");
        let document: Value = serde_json::from_slice(&self.body).expect("a problem is JSON");
        assert_eq!(document["status"], self.status, "{self}");
        assert_eq!(document["request_id"].as_str(), self.header("x-request-id"), "{self}");
        for member in ["type", "title", "code", "detail"] {
            assert!(
                document[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {self}"
            );
        }
        let retry_after = document.get("retry_after_seconds").map(ToString::to_string);
        assert_eq!(retry_after.as_deref(), self.header("retry-after"), "{self}");
        document
    }

    /// Holds that it is a refusal of this status and code, and gives the document.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self}");
        let document = self.problem();
        assert_eq!(document["code"], code, "{self}");
        document
    }

    /// Holds that it is `422 invalid` and names these places and no others.
    #[track_caller]
    pub fn is_invalid_at(&self, pointers: &[&str]) {
        let document = self.refuses(422, "invalid");
        let errors = document["errors"].as_array().expect("errors");
        let mut told: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
        let mut expected = pointers.to_vec();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{self}");
    }
}
