//! A server that answers from a script, and the command run against it.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use serde_json::{Value, json};

/// The id of the job that the tests speak of.
pub(crate) const JOB: &str = "0190f1f0-0000-7000-8000-000000000001";

/// The largest request that a test sends.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method, path and query, like `GET /v1/jobs?limit=50`.
    pub(crate) line: String,
    /// The `Idempotency-Key` header.
    pub(crate) idempotency_key: Option<String>,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
    /// The body as JSON; null where there was none.
    pub(crate) body: Value,
}

/// What the server answers.
pub(crate) enum Reply {
    /// A status and a body.
    Said(u16, String),
    /// The connection stays open, and nothing comes.
    Silence,
}

type Script = dyn FnMut(&Seen) -> Reply + Send;

/// A server of its own for one test.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Receiver<Seen>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<Box<Script>>>,
    seen: Sender<Seen>,
}

impl Server {
    /// A server that answers each request by `script`.
    pub(crate) fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = channel();
        let shared = Shared {
            script: Arc::new(Mutex::new(Box::new(script))),
            seen: sender,
        };
        let router = Router::new().fallback(answer).with_state(shared);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Server {
            address,
            seen,
            _runtime: runtime,
        }
    }

    /// The command, set up to speak to this server and to nothing else.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        remuda(&format!("http://{}", self.address), words)
    }

    /// Runs the command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The next request that came; waits for it.
    pub(crate) fn next_seen(&self) -> Seen {
        self.seen.recv().unwrap()
    }

    /// Every request that came and was not asked for yet.
    pub(crate) fn all_seen(&self) -> Vec<Seen> {
        self.seen.try_iter().collect()
    }
}

/// The command, knowing this server and the key `rk_test`, reading nothing from its surroundings.
pub(crate) fn remuda(url: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remuda"));
    command
        .args(words)
        .env_clear()
        .env("REMUDA_URL", url)
        .env("REMUDA_KEY", "rk_test")
        .stdin(Stdio::null());
    command
}

async fn answer(State(shared): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(body, REQUEST_BYTES_MAX).await.unwrap();
    let seen = Seen {
        line: format!("{} {}", head.method, head.uri),
        idempotency_key: header("idempotency-key"),
        authorization: header("authorization"),
        body: if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        },
    };
    let reply = shared.script.lock().unwrap()(&seen);
    let _ = shared.seen.send(seen);
    let Reply::Said(status, body) = reply else {
        std::future::pending().await
    };
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

/// The server's consent.
pub(crate) fn ok(body: &Value) -> Reply {
    Reply::Said(200, body.to_string())
}

/// The server's refusal.
pub(crate) fn problem(status: u16, code: &str, errors: &Value) -> Reply {
    let body = json!({ "type": "about:blank", "title": "Refused", "status": status, "code": code,
        "detail": "in words", "request_id": "r1", "errors": errors });
    Reply::Said(status, body.to_string())
}

/// A job as the API writes it, with `changes` on top.
pub(crate) fn job(changes: &Value) -> Value {
    let mut job = json!({
        "id": JOB, "tenant": "default", "workflow": "invoice-export",
        "workflow_version": null, "payload": null, "queue": "default", "priority": 5, "run_at": null, "deadline": null,
        "timeouts": { "queue_seconds": null, "run_seconds": 3600 },
        "retry": { "max_attempts": 3, "initial_seconds": 10, "max_seconds": 3600, "multiplier": 2.0, "jitter": 0.2 },
        "requires": { "capabilities": [], "environment": null, "robot": null },
        "prefers": { "capabilities": [], "robot": null }, "on_lost": "retry", "dedup": null, "labels": {},
        "state": "ready", "reason": null, "attempt": 0, "attempts_left": 3, "robot": null, "progress": null,
        "result": null, "error": null, "created_at": "2026-11-21T12:00:00.000Z", "ready_at": null, "leased_at": null,
        "started_at": null, "finished_at": null, "cancel_requested_at": null, "retry_of": null, "version": 1
    });
    for (name, value) in changes.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

/// What the command wrote to stdout.
pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// What the command wrote to stderr.
pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}
