//! The API itself: an HTTP server on loopback that hands out events and takes answers.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    task::JoinHandle,
};

/// What Lambda lets a function answer.
const ANSWER_BYTES_MAX: usize = 6 << 20;

/// How long a function is told that it has for an event.
const DEADLINE: Duration = Duration::from_secs(30);

/// The API, served until it is dropped. Each process that is started has a part of its own.
pub struct RuntimeApi {
    address: SocketAddr,
    runs: Runs,
    server: JoinHandle<io::Result<()>>,
}

/// What a function said, and when it had been heard.
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) what: Saying,
}

/// One call of a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Saying {
    /// It asked for an event.
    Polled,
    /// It answered the event that it was given last.
    Answered(Bytes),
    /// It could not start, or not answer.
    Failed(Bytes),
}

/// The part of one process.
pub(crate) struct Run {
    number: u64,
    address: SocketAddr,
    said: UnboundedReceiver<Said>,
    runs: Runs,
}

#[derive(Clone, Default)]
struct Runs(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    last: u64,
    open: HashMap<u64, Open>,
}

/// What is left to hand out to a process, and who hears what it says.
struct Open {
    events: VecDeque<String>,
    given: u64,
    hears: UnboundedSender<Said>,
}

impl RuntimeApi {
    /// Serves the API on a free port of loopback; a runtime of tokio is needed.
    pub async fn serve() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port on loopback")?;
        let address = listener.local_addr()?;
        let runs = Runs::default();
        let server = tokio::spawn(axum::serve(listener, router(runs.clone())).into_future());
        Ok(Self { address, runs, server })
    }

    /// Opens a part for a process that is to be given `events`, in this order.
    pub(crate) fn open(&self, events: Vec<String>) -> Run {
        let (hears, said) = mpsc::unbounded_channel();
        let mut known = self.runs.known();
        known.last += 1;
        let number = known.last;
        let open = Open {
            events: events.into(),
            given: 0,
            hears,
        };
        known.open.insert(number, open);
        Run {
            number,
            address: self.address,
            said,
            runs: self.runs.clone(),
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Run {
    /// What goes into `AWS_LAMBDA_RUNTIME_API`: the runtime library puts its paths behind it.
    pub(crate) fn address(&self) -> String {
        format!("http://{}/{}", self.address, self.number)
    }

    /// The next thing that the process says.
    pub(crate) async fn next(&mut self) -> Said {
        self.said
            .recv()
            .await
            .expect("the part is open, and its sender with it, until the run is dropped")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.known().open.remove(&self.number);
    }
}

impl Runs {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what process `run` said; false if there is none of that number.
    fn note(&self, run: u64, at: Instant, what: Saying) -> bool {
        let known = self.known();
        let open = known.open.get(&run);
        open.is_some_and(|open| open.hears.send(Said { at, what }).is_ok())
    }

    /// The next event for process `run`, with its number.
    fn take(&self, run: u64) -> Option<(u64, String)> {
        let mut known = self.known();
        let open = known.open.get_mut(&run)?;
        let event = open.events.pop_front()?;
        open.given += 1;
        Some((open.given, event))
    }

    fn is_given(&self, run: u64, event: &str) -> bool {
        let known = self.known();
        known
            .open
            .get(&run)
            .is_some_and(|open| open.given > 0 && open.given.to_string() == event)
    }
}

fn router(runs: Runs) -> Router {
    Router::new()
        .route("/{run}/2018-06-01/runtime/invocation/next", get(next))
        .route("/{run}/2018-06-01/runtime/invocation/{event}/response", post(response))
        .route("/{run}/2018-06-01/runtime/invocation/{event}/error", post(error))
        .route("/{run}/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_BYTES_MAX))
        .with_state(runs)
}

async fn next(State(runs): State<Runs>, Path(run): Path<u64>) -> Response {
    let at = Instant::now();
    if !runs.note(run, at, Saying::Polled) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match runs.take(run) {
        Some((number, event)) => handed(number, event),
        // Lambda would freeze it here; whoever started it ends it.
        None => std::future::pending().await,
    }
}

fn handed(number: u64, event: String) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", number.to_string()),
        ("lambda-runtime-deadline-ms", (now + DEADLINE).as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:measured".to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0".to_owned(),
        ),
    ];
    (headers, event).into_response()
}

async fn response(State(runs): State<Runs>, Path((run, event)): Path<(u64, String)>, body: Bytes) -> StatusCode {
    heard(&runs, run, &event, Saying::Answered(body))
}

async fn error(State(runs): State<Runs>, Path((run, event)): Path<(u64, String)>, body: Bytes) -> StatusCode {
    heard(&runs, run, &event, Saying::Failed(body))
}

async fn init_error(State(runs): State<Runs>, Path(run): Path<u64>, body: Bytes) -> StatusCode {
    accepted(runs.note(run, Instant::now(), Saying::Failed(body)))
}

/// Takes what is said of an event, if it is the one that was handed out last.
fn heard(runs: &Runs, run: u64, event: &str, what: Saying) -> StatusCode {
    let at = Instant::now();
    accepted(runs.is_given(run, event) && runs.note(run, at, what))
}

fn accepted(known: bool) -> StatusCode {
    if known {
        StatusCode::ACCEPTED
    } else {
        StatusCode::NOT_FOUND
    }
}
