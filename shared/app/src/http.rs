//! What every HTTP function does around its handlers: ids of requests, problem documents, counting, and no panic that
//! gets out.

mod body;
mod cursor;
mod headers;
mod path;
mod query;
mod reply;
mod routes;

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use domain::TenantName;
use futures::FutureExt as _;
use lambda_http::request::RequestContext;
use tracing::{Instrument as _, debug, error, info_span};

pub use self::{
    body::{BODY_BYTES_MAX, BULK_BYTES_MAX, BulkBody, JsonBody, LogChunk, OptionalJsonBody},
    headers::{IDEMPOTENCY_RULE, idempotency_key, is_idempotency_key, lease_token, traceparent},
    path::PathParams,
    query::{LIMIT_DEFAULT, LIMIT_MAX, PageParams, PageQuery, Query},
    reply::{created, json, no_content},
    routes::serving,
};
use crate::{
    metrics,
    problem::{Code, Problem},
    state::App,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An id that comes with a request is taken if it is no longer than this.
const REQUEST_ID_CHARS_MAX: usize = 100;

/// `router` as it is served: unknown paths and methods, ids, problem documents and counts included.
pub fn finish(router: Router, app: &App) -> Router {
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(app.clone(), answer))
}

async fn unknown_path() -> Problem {
    Problem::new(Code::NotFound, "There is no such path.")
}

async fn wrong_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "The path is not for this method; the header Allow names those that are.",
    )
}

/// The id of a request, which its answer and the log carry.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The gateway's id, or the one that came with the request if it can be told from others, or a new one.
    fn of(request: &Request, app: &App) -> Self {
        let gateways = match request.extensions().get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        };
        let header = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let given = gateways.or_else(|| header.map(str::to_owned)).filter(|id| is_id(id));
        Self(given.unwrap_or_else(|| app.draw_name()).into())
    }
}

fn is_id(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl FromRequestParts<App> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let given = parts.extensions.get::<Self>().cloned();
        Ok(given.unwrap_or_else(|| Self(app.draw_name().into())))
    }
}

/// Whose request it turned out to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<OnceLock<TenantName>>);

impl Seen {
    /// Notes that it is `tenant`'s.
    pub(crate) fn by(&self, tenant: &TenantName) {
        // A request has one key; the first look at it settles whose it is.
        let _ = self.0.set(tenant.clone());
    }
}

async fn answer(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId::of(&request, &app);
    let seen = Seen::default();
    let method = method_word(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(seen.clone());
    let span = info_span!("request", request.id = id.as_str(), method, route);
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let caught = handled.instrument(span.clone()).await;
    let response = span.in_scope(|| {
        let response = caught.unwrap_or_else(|panic| panicked(&*panic));
        debug!(
            "{method} {route}: {} in {} ms",
            response.status().as_u16(),
            begun.elapsed().as_millis()
        );
        response
    });
    let code = response.extensions().get::<Problem>().map(Problem::code);
    count(&app, seen.0.get(), method, &route, response.status(), code);
    // Before the answer: a function is frozen as soon as it has answered.
    app.flush_metrics(&[]);
    dressed(response, &id)
}

/// The answer to a request whose handler panicked.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    error!("A handler panicked: {}", said.unwrap_or("it did not say why"));
    Problem::internal().into_response()
}

fn count(app: &App, tenant: Option<&TenantName>, method: &str, route: &str, status: StatusCode, code: Option<Code>) {
    let labels = [("method", method), ("route", route), ("status", status.as_str())];
    app.metrics.add(metrics::HTTP_REQUESTS, tenant, &labels, 1);
    if let Some(code) = code {
        app.metrics
            .add(metrics::REFUSALS, tenant, &[("code", code.as_str())], 1);
    }
}

/// The word for a method in counts; callers can make up any number of others.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// `response` with its id, and with the document where it is a problem.
fn dressed(mut response: Response, id: &RequestId) -> Response {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = problem {
        let document = problem.document(id.as_str()).to_string();
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, document.len().into());
        *response.body_mut() = Body::from(document);
    }
    response
}
