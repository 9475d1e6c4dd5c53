//! One call: filled in, sent, its answer read.

use std::fmt;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::join;
use crate::problem::{Problem, retry_after_of};
use crate::{CallError, Client};

/// The largest answer that is read: far above what the server sends, below what would hurt this machine.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of an answer that makes no sense is kept to be shown.
const BODY_START_CHARS_MAX: usize = 200;

/// A call being filled in; a mistake in it comes out when it is sent.
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    url: String,
    request: Result<reqwest::RequestBuilder, CallError>,
}

/// A decoded answer with its status and headers.
#[derive(Debug)]
pub struct Answer<T> {
    /// The status, which is a success.
    pub status: StatusCode,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The decoded body.
    pub body: T,
}

impl Call {
    pub(crate) fn new(client: &Client, method: Method, path: &str) -> Call {
        let request = join(client.base(), path).and_then(|url| client.start(method, url));
        Call {
            url: format!("{}{path}", client.base()),
            request,
        }
    }

    /// Adds a header; one with an impossible name or value fails the call.
    pub fn header(self, name: &str, value: &str) -> Call {
        self.map(|request| request.header(name, value))
    }

    /// Adds parameters to the query.
    pub fn query(self, query: &[(&str, String)]) -> Call {
        if query.is_empty() {
            self
        } else {
            self.map(|request| request.query(query))
        }
    }

    /// Sends this value as JSON.
    pub fn json<B: Serialize + ?Sized>(self, body: &B) -> Call {
        self.map(|request| request.json(body))
    }

    /// Sends these bytes, of this content type.
    pub fn bytes(self, content_type: &str, body: impl Into<Bytes>) -> Call {
        self.map(|request| request.header(CONTENT_TYPE, content_type).body(body.into()))
    }

    /// Bounds this one call, in place of the client's bound.
    pub fn timeout(self, timeout: std::time::Duration) -> Call {
        self.map(|request| request.timeout(timeout))
    }

    /// The decoded body of the answer; an empty one reads as JSON's `null`, so as `()`, `None` or `Value::Null`.
    pub async fn send<T: DeserializeOwned>(self) -> Result<T, CallError> {
        self.send_answer().await.map(|answer| answer.body)
    }

    /// The decoded answer with its status and headers.
    pub async fn send_answer<T: DeserializeOwned>(self) -> Result<Answer<T>, CallError> {
        let Answer { status, headers, body } = self.send_bytes().await?;
        let text: &[u8] = if body.is_empty() { b"null" } else { &body };
        let decoded = serde_json::from_slice(text).map_err(|error| {
            unexpected(
                status,
                &headers,
                &body,
                &format!("not the JSON that was asked for: {error}"),
            )
        })?;
        Ok(Answer {
            status,
            headers,
            body: decoded,
        })
    }

    /// The body of the answer as text; what is not UTF-8 is replaced.
    pub async fn send_text(self) -> Result<String, CallError> {
        self.send_bytes()
            .await
            .map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
    }

    async fn send_bytes(self) -> Result<Answer<Bytes>, CallError> {
        let unreachable = |source: reqwest::Error| CallError::from_transport(&self.url, source);
        let mut response = self.request?.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = read_body(&mut response).await.map_err(unreachable)?;
        let Some(body) = body else {
            return Err(unexpected(status, &headers, &[], "longer than this client reads"));
        };
        if status.is_success() {
            return Ok(Answer { status, headers, body });
        }
        match Problem::read(status, &headers, &body) {
            Some(problem) => Err(CallError::Refused(Box::new(problem))),
            None => Err(unexpected(status, &headers, &body, "no answer of a Remuda server")),
        }
    }

    fn map(self, change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Call {
        Call {
            url: self.url,
            request: self.request.map(change),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The whole body, or nothing when it is longer than an answer may be.
async fn read_body(response: &mut Response) -> Result<Option<Bytes>, reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

fn unexpected(status: StatusCode, headers: &HeaderMap, body: &[u8], reason: &str) -> CallError {
    let start = String::from_utf8_lossy(body);
    CallError::Unexpected {
        status,
        reason: reason.to_owned(),
        body_start: start
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(BODY_START_CHARS_MAX)
            .collect(),
        retry_after_seconds: retry_after_of(headers),
    }
}
