//! The server's refusals: RFC 9457 problem documents.

use std::fmt;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::{Deserialize, Serialize};

/// Why the server refused a call, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// The stable word to act on, like `lease_lost`.
    pub code: String,
    /// What kind of problem it is, for people.
    #[serde(default)]
    pub title: String,
    /// What happened here, for people.
    #[serde(default)]
    pub detail: Option<String>,
    /// The id under which the server's log tells more.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Each place of the request that is wrong.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub errors: Vec<ProblemEntry>,
    /// How long to wait before another try.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
    /// What else the server tells, like `next_seq` or `job_id`.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// One place of a request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemEntry {
    /// The place, as a JSON pointer like `/retry/max_attempts`.
    #[serde(default)]
    pub pointer: String,
    /// What is wrong there.
    #[serde(default)]
    pub message: String,
}

impl Problem {
    /// The problem document of an answer that is none of a success, if it is one: a code is what makes it ours.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Problem> {
        let mut problem: Problem = serde_json::from_slice(body).ok()?;
        problem.status = status.as_u16();
        problem.retry_after_seconds = problem.retry_after_seconds.or_else(|| retry_after_of(headers));
        Some(problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self
            .detail
            .as_deref()
            .filter(|detail| !detail.is_empty())
            .unwrap_or(&self.title);
        write!(f, "{} {}", self.status, self.code)?;
        if !said.is_empty() {
            write!(f, ": {said}")?;
        }
        for (index, entry) in self.errors.iter().enumerate() {
            let before = if index == 0 { ": " } else { "; " };
            write!(f, "{before}{} {}", entry.pointer, entry.message)?;
        }
        if let Some(seconds) = self.retry_after_seconds {
            write!(f, " (again in {seconds} s)")?;
        }
        Ok(())
    }
}

/// The `Retry-After` header, where it is a number of seconds.
pub(crate) fn retry_after_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

fn null_as_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<ProblemEntry>, D::Error> {
    Option::<Vec<ProblemEntry>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_one_line() {
        let body = br#"{"type":"about:blank","title":"Invalid","status":422,"code":"invalid","detail":"2 fields are wrong",
            "request_id":"r1","errors":[{"pointer":"/priority","message":"is above 20"},{"pointer":"/queue","message":"is empty"}]}"#;
        let problem = Problem::read(StatusCode::UNPROCESSABLE_ENTITY, &HeaderMap::new(), body).unwrap();
        assert_eq!(
            problem.to_string(),
            "422 invalid: 2 fields are wrong: /priority is above 20; /queue is empty"
        );
    }

    #[test]
    fn the_header_tells_how_long_to_wait_where_the_body_does_not() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "30".parse().unwrap())]);
        let problem = Problem::read(StatusCode::SERVICE_UNAVAILABLE, &headers, br#"{"code":"overloaded"}"#).unwrap();
        assert_eq!(problem.retry_after_seconds, Some(30));
    }

    #[test]
    fn what_has_no_code_is_no_problem_of_ours() {
        for body in [
            "",
            "<html>Bad Gateway</html>",
            "{\"message\":\"Internal Server Error\"}",
        ] {
            assert_eq!(
                Problem::read(StatusCode::BAD_GATEWAY, &HeaderMap::new(), body.as_bytes()),
                None
            );
        }
    }

    #[test]
    fn other_members_are_kept() {
        let problem = Problem::read(
            StatusCode::RANGE_NOT_SATISFIABLE,
            &HeaderMap::new(),
            br#"{"code":"gap","next_seq":3}"#,
        );
        assert_eq!(problem.unwrap().more["next_seq"], 3);
    }
}
