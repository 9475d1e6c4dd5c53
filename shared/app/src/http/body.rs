//! Bodies of requests: bounded before they are read, checked before they are used.

use std::{error::Error, io::Read as _};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::query::Query;
use crate::{
    form::{self, Form},
    json,
    problem::{Code, Problem},
    state::App,
};

/// The largest body of a request.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The largest body of a bulk.
pub const BULK_BYTES_MAX: usize = 5 << 20;

/// The largest log chunk, packed and unpacked.
const LOG_BYTES_MAX: usize = 256 << 10;

/// A body of JSON. Its text has been checked.
#[derive(Clone, Debug)]
pub struct JsonBody(String);

/// A body of JSON of a bulk, which may be larger.
#[derive(Clone, Debug)]
pub struct BulkBody(String);

/// A body of JSON where there need not be one: none, or `null`, is an empty object.
#[derive(Clone, Debug)]
pub struct OptionalJsonBody(String);

/// A chunk of a log as it was before it was packed.
#[derive(Clone, Debug)]
pub struct LogChunk(pub Vec<u8>);

impl JsonBody {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The object in the body, read by `reader`.
    pub fn read<'a, T>(&'a self, reader: impl FnOnce(&mut Form<'a>) -> Option<T>) -> Result<T, Problem> {
        form::read(&self.0, reader)
    }
}

impl BulkBody {
    /// The object in the body, read by `reader`.
    pub fn read<'a, T>(&'a self, reader: impl FnOnce(&mut Form<'a>) -> Option<T>) -> Result<T, Problem> {
        form::read(&self.0, reader)
    }
}

impl OptionalJsonBody {
    /// The object in the body, read by `reader`.
    pub fn read<'a, T>(&'a self, reader: impl FnOnce(&mut Form<'a>) -> Option<T>) -> Result<T, Problem> {
        form::read(&self.0, reader)
    }
}

impl FromRequest<App> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        let body = json_bytes(request, BODY_BYTES_MAX).await?;
        checked(&body).map(Self)
    }
}

impl FromRequest<App> for BulkBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        let body = json_bytes(request, BULK_BYTES_MAX).await?;
        checked(&body).map(Self)
    }
}

impl FromRequest<App> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        let body = json_bytes(request, BODY_BYTES_MAX).await?;
        if body.is_empty() || body.trim_ascii() == b"null" {
            return Ok(Self("{}".to_owned()));
        }
        checked(&body).map(Self)
    }
}

impl FromRequest<App> for LogChunk {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &App) -> Result<Self, Problem> {
        refuse_query(&request)?;
        let (encoding, is_text) = (encoding(request.headers()), is_of(request.headers(), "text/plain"));
        let body = limited(request, LOG_BYTES_MAX).await?;
        if !is_text && !body.is_empty() {
            return Err(unsupported("Send the chunk as text/plain."));
        }
        match encoding {
            Encoding::Plain => Ok(Self(body.to_vec())),
            Encoding::Gzip => unpacked(&body).map(Self),
            Encoding::Other => Err(unsupported("Send the chunk as it is, or with Content-Encoding: gzip.")),
        }
    }
}

/// A route with a body takes no parameters beside it: one that was meant for the body must not be passed over.
fn refuse_query(request: &Request) -> Result<(), Problem> {
    Query::read(request.uri().query().unwrap_or_default()).finish()
}

async fn json_bytes(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    refuse_query(&request)?;
    let (encoding, is_json) = (
        encoding(request.headers()),
        is_of(request.headers(), "application/json"),
    );
    let body = limited(request, bytes_max).await?;
    if body.is_empty() || (is_json && encoding == Encoding::Plain) {
        return Ok(body);
    }
    Err(unsupported("Send the body as application/json in UTF-8, unpacked."))
}

fn checked(body: &Bytes) -> Result<String, Problem> {
    let text = json::check(body).map_err(|error| Problem::new(Code::MalformedJson, sentence(&error.to_string())))?;
    Ok(text.to_owned())
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

/// The whole body, or the problem that it is longer than `bytes_max`. No more than that is ever held.
async fn limited(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::TooLarge, format!("The body may have at most {bytes_max} bytes."));
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    match Limited::new(request.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if is_too_long(&*error) => Err(too_large()),
        Err(_) => Err(Problem::new(Code::MalformedBody, "The body broke off.")),
    }
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(<dyn Error>::is::<LengthLimitError>)
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut chunk = Vec::new();
    // One byte more than is taken tells a chunk that is too large, however well it was packed.
    let read = MultiGzDecoder::new(packed)
        .take(LOG_BYTES_MAX as u64 + 1)
        .read_to_end(&mut chunk);
    match read {
        Ok(bytes) if bytes > LOG_BYTES_MAX => Err(Problem::new(
            Code::TooLarge,
            format!("The unpacked chunk may have at most {LOG_BYTES_MAX} bytes."),
        )),
        Ok(_) => Ok(chunk),
        Err(_) => Err(Problem::new(
            Code::MalformedBody,
            "The body is not in the encoding gzip.",
        )),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Other,
}

fn encoding(headers: &HeaderMap) -> Encoding {
    match headers
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes().trim_ascii())
    {
        None => Encoding::Plain,
        Some(value) if value.eq_ignore_ascii_case(b"identity") => Encoding::Plain,
        Some(value) if value.eq_ignore_ascii_case(b"gzip") => Encoding::Gzip,
        Some(_) => Encoding::Other,
    }
}

/// Whether the body is said to be of this type, in UTF-8 if it says in what.
fn is_of(headers: &HeaderMap, wanted: &str) -> bool {
    let Some(given) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = given.split(';').map(str::trim);
    let is_wanted = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    is_wanted && charset.is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii"))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, detail)
}
