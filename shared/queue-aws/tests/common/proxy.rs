//! DynamoDB and SQS as they are on a bad day: between their clients and the emulators, which throttle nothing, lose no answer
//! and have indexes up to date at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// So many calls of a hundred are turned away.
    Throttled(u32),
    /// Each call waits so long.
    Slow(Duration),
    /// Each write is done at its first try, which is never answered.
    AnswersLost,
    /// Each write is done at its first try, which is answered with an error of the server's.
    AnswersBroken,
    /// Whoever asks an index a second time is told what it was told the first time.
    IndexesStandStill,
}

/// The largest body that goes through.
const BODY_MAX: usize = 20 << 20;

/// Longer than any store is patient.
const FOR_EVER: Duration = Duration::from_hours(1);

/// Calls that write.
const WRITES: [&str; 5] = [
    "UpdateItem",
    "PutItem",
    "DeleteItem",
    "TransactWriteItems",
    "BatchWriteItem",
];

/// Stands before a DynamoDB or an SQS.
#[derive(Clone)]
pub(crate) struct Proxy {
    to: Arc<str>,
    http: reqwest::Client,
    trouble: Arc<Mutex<Trouble>>,
    calls: Arc<AtomicU32>,
    answers: Arc<Mutex<HashMap<Bytes, Bytes>>>,
}

impl Proxy {
    /// Starts before what is at `to`, and gives its own address.
    pub(crate) async fn start(to: &str) -> (Self, String) {
        // Another test of this process may have been quicker.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let proxy = Self {
            to: to.into(),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client can be made"),
            trouble: Arc::new(Mutex::new(Trouble::None)),
            calls: Arc::default(),
            answers: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let router = Router::new().fallback(answer).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (proxy, format!("http://{address}"))
    }

    /// From now on this goes wrong.
    pub(crate) fn set(&self, trouble: Trouble) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Trouble {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        let mut call = self.http.post(&*self.to).body(body);
        for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
            if let Some(value) = headers.get(name) {
                call = call.header(name, value);
            }
        }
        let answer = call.send().await.expect("the emulator answers");
        let status = StatusCode::from_u16(answer.status().as_u16()).expect("it is a status");
        let body = answer.bytes().await.expect("the emulator answers");
        (status, body).into_response()
    }
}

async fn answer(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX).await.expect("the body comes");
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let operation = text("x-amz-target").rsplit('.').next().unwrap_or_default();
    let is_first_write = WRITES.contains(&operation) && text("amz-sdk-request").starts_with("attempt=1");
    match proxy.trouble() {
        Trouble::Throttled(percent) if is_turned_away(&proxy, percent) => refusal(text("x-amz-target")),
        Trouble::Slow(wait) => {
            tokio::time::sleep(wait).await;
            proxy.forward(&parts.headers, body).await
        }
        Trouble::AnswersLost if is_first_write => {
            proxy.forward(&parts.headers, body).await;
            tokio::time::sleep(FOR_EVER).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Trouble::AnswersBroken if is_first_write => {
            proxy.forward(&parts.headers, body).await;
            let error = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Oops"}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, error).into_response()
        }
        Trouble::IndexesStandStill if operation == "Query" && has_index(&body) => {
            stood_still(&proxy, &parts.headers, body).await
        }
        _ => proxy.forward(&parts.headers, body).await,
    }
}

/// What the service that is called says when it is called too often.
fn refusal(target: &str) -> Response {
    let refusal = if target.starts_with("AmazonSQS.") {
        r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"Slow down"}"#
    } else {
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Slow down"}"#
    };
    (StatusCode::BAD_REQUEST, refusal).into_response()
}

/// Spread evenly over the calls, so that a run is the same each time.
fn is_turned_away(proxy: &Proxy, percent: u32) -> bool {
    let call = proxy.calls.fetch_add(1, Ordering::Relaxed);
    call.wrapping_mul(2_654_435_761) % 100 < percent
}

fn has_index(body: &Bytes) -> bool {
    body.windows(11).any(|window| window == b"\"IndexName\"")
}

async fn stood_still(proxy: &Proxy, headers: &HeaderMap, body: Bytes) -> Response {
    let told = proxy
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&body)
        .cloned();
    if let Some(told) = told {
        return told.into_response();
    }
    let answer = proxy.forward(headers, body.clone()).await;
    let fresh = to_bytes(answer.into_body(), BODY_MAX).await.expect("it is in memory");
    proxy
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(body, fresh.clone());
    fresh.into_response()
}
