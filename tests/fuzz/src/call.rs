//! A request as text that people can write and mutations can meet: a line with method and path, lines of headers, an empty
//! line, the body.

use std::fmt;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Uri},
};

/// What parts the requests of one input.
const NEXT: &[u8] = b"\n====\n";

/// One request on its way, with names like `$JOB` in any part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    method: Vec<u8>,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Call {
    /// A request without key and body.
    pub(crate) fn new(method: &str, path: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.into(),
            path: path.as_ref().to_owned(),
            ..Self::default()
        }
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// With a key.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", format!("Bearer {key}"))
    }

    /// With a body that is said to be JSON.
    pub(crate) fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// With a body.
    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Self {
        Self {
            body: body.as_ref().to_owned(),
            ..self
        }
    }

    /// The requests that `input` holds, at most `count_max`.
    pub(crate) fn all(input: &[u8], count_max: usize) -> Vec<Self> {
        let mut calls = Vec::new();
        let mut rest = Some(input);
        while let Some(text) = rest.filter(|_| calls.len() < count_max) {
            let (first, more) = cut(text, NEXT);
            calls.extend(Self::parse(first));
            rest = more;
        }
        calls
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (head, body) = cut(text, b"\n\n");
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, path) = cut(lines.next()?, b" ");
        let headers = lines.filter_map(|line| {
            let (name, value) = cut(line, b":");
            Some((name.to_owned(), value?.trim_ascii().to_owned()))
        });
        Some(Self {
            method: method.to_owned(),
            path: path?.to_owned(),
            headers: headers.collect(),
            body: body.unwrap_or_default().to_owned(),
        })
    }

    /// The request, with each part as `fill` gives it; `None` when the parts make none.
    pub(crate) fn request(&self, fill: impl Fn(&[u8]) -> Vec<u8>) -> Option<Request<Body>> {
        let mut request = Request::new(Body::from(fill(&self.body)));
        *request.method_mut() = Method::from_bytes(&self.method).ok()?;
        *request.uri_mut() = Uri::try_from(fill(&self.path)).ok()?;
        // A request names a path and no other server, as whatever stands before the routers sees to.
        request
            .uri()
            .path_and_query()
            .filter(|_| request.uri().authority().is_none())?;
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name).ok()?;
            request
                .headers_mut()
                .append(name, HeaderValue::from_bytes(&fill(value)).ok()?);
        }
        Some(request)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method.escape_ascii(), self.path.escape_ascii())
    }
}

/// What is before the first `mark`, and what is after it if there is one.
fn cut<'a>(bytes: &'a [u8], mark: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match bytes.windows(mark.len()).position(|window| window == mark) {
        Some(place) => (&bytes[..place], Some(&bytes[place + mark.len()..])),
        None => (bytes, None),
    }
}
