//! A whole server in memory that is the same each time: its clock stands still, and its chance counts.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{App, http, keys::NewKey};
use axum::{Router, body::Body, http::Request, response::Response};
use domain::{TenantName, Timestamp};
use http_body_util::BodyExt as _;
use queue::{Clock, Engine, Entropy, Scope, Settings, hints::NoHints, memory::MemoryStore};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::timeout};
use tower::ServiceExt as _;

use crate::{
    call::Call,
    holding::{Answer, hold},
};

/// When it always is: 2026-11-21T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

/// How long an answer may take that does not come at once. Only a wait for a job takes any time on this store.
const WAIT_MAX: Duration = Duration::from_millis(5);

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread needs nothing that could be missing");
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Runs `future` on this thread's runtime.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// What `future` gives, unless it waits.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> Option<T> {
    timeout(WAIT_MAX, future).await.ok()
}

/// Runs `look` on a world as it always begins, and then holds that what it left behind is whole.
pub(crate) fn on_world(look: impl FnOnce(&World)) {
    let world = WORLD.take().unwrap_or_else(World::new);
    look(&world);
    if world.changed.get() {
        world.audit();
    } else {
        WORLD.set(Some(world));
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// Gives other bytes each time, and the same ones in each world.
#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn draw(&self) -> [u8; 16] {
        let count = u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        // An odd factor makes different bytes of different counts, and uses all of them.
        count
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
    }
}

/// A server with an admin's key, and a robot that runs one job, was given another, and failed at a third.
pub(crate) struct World {
    router: Router,
    app: App,
    names: Vec<(&'static str, String)>,
    changed: Cell<bool>,
}

impl World {
    fn new() -> Self {
        let entropy = Arc::new(Counted::default());
        let engine = Engine::new(
            Arc::new(MemoryStore::new()),
            Arc::new(NoHints),
            Arc::new(Still),
            entropy.clone(),
            Settings::default(),
        );
        let app = App::new(engine, entropy);
        let mut world = Self {
            router: router(&app),
            app,
            names: Vec::new(),
            changed: Cell::new(false),
        };
        world.begin();
        world.changed.set(false);
        world
    }

    fn begin(&mut self) {
        let admin = NewKey {
            tenant: TenantName::default_tenant(),
            name: "an admin's".to_owned(),
            scopes: BTreeSet::from([Scope::Admin]),
            robot: None,
            expires_at: None,
        };
        let made = wait_for(self.app.create_key(admin)).expect("the store takes a key");
        self.name("$ADMIN", made.1.reveal());
        let robot = self.did("POST", "/v1/robots", "$ADMIN", &json!({ "name": "r", "max_jobs": 3 }));
        self.name("$ROBOT_KEY", text(&robot["key"]));
        self.name("$ROBOT", text(&robot["robot_id"]));
        self.did("POST", "/v1/robots/$ROBOT/session", "$ROBOT_KEY", &json!({}));
        for (priority, workflow) in [(20, "dead"), (15, "running"), (10, "leased"), (5, "waiting")] {
            let job = json!({ "workflow": workflow, "priority": priority, "labels": { "team": "finance" } });
            let job = self.did("POST", "/v1/jobs", "$ADMIN", &job);
            if workflow == "waiting" {
                self.name("$READY", text(&job["id"]));
            }
        }
        let given = self.sync(1, 3, &json!([]))["assign"].clone();
        for (place, job, token) in [
            (0, "$DEAD", "$DEAD_TOKEN"),
            (1, "$JOB", "$TOKEN"),
            (2, "$LEASED", "$LEASED_TOKEN"),
        ] {
            self.name(job, text(&given[place]["job_id"]));
            self.name(token, text(&given[place]["lease_token"]));
        }
        let failed = json!({ "lease_token": "$DEAD_TOKEN", "outcome": "failed", "error": { "kind": "business", "message": "no" } });
        self.did("POST", "/v1/jobs/$DEAD/attempts/1/finish", "$ROBOT_KEY", &failed);
        self.sync(
            2,
            0,
            &json!([{ "job_id": "$JOB", "attempt": 1, "lease_token": "$TOKEN" }]),
        );
    }

    fn sync(&self, seq: u64, free_slots: u32, running: &Value) -> Value {
        let body = json!({ "epoch": 1, "seq": seq, "state": "busy", "free_slots": free_slots, "running": running });
        self.did("POST", "/v1/robots/$ROBOT/sync", "$ROBOT_KEY", &body)
    }

    /// Sends what must be taken, and gives the answer.
    fn did(&self, method: &str, path: &str, key: &str, body: &Value) -> Value {
        let answer = self.send(&Call::new(method, path).key(key).json(body.to_string()));
        let answer = answer.expect("the parts make a request");
        assert!(answer.status < 300, "{method} {path}: {answer}");
        answer.json()
    }

    /// From now on `$name` stands for `text` wherever a call has it.
    fn name(&mut self, name: &'static str, text: &str) {
        self.names.push((name, text.to_owned()));
        // Of two names of which one begins with the other, the longer one is meant.
        self.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    }

    /// What `name` stands for.
    pub(crate) fn named(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_str()).expect("every world has this name")
    }

    /// `bytes` with every name replaced by what it stands for.
    pub(crate) fn filled(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut filled, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
        while let Some((first, after)) = rest.split_first() {
            let named = self.names.iter().find(|(name, _)| rest.starts_with(name.as_bytes()));
            if let Some((name, text)) = named {
                filled.extend_from_slice(text.as_bytes());
                rest = &rest[name.len()..];
            } else {
                filled.push(*first);
                rest = after;
            }
        }
        filled
    }

    /// Sends `call` and holds what must hold of every answer; nothing when its parts make no request, or when it waits.
    pub(crate) fn send(&self, call: &Call) -> Option<Answer> {
        let request = call.request(|bytes| self.filled(bytes))?;
        let (reads, waits) = (request.method().is_safe(), request.uri().path().ends_with("/wait"));
        let Some(answer) = wait_for(in_time(answered(self.router(), request))) else {
            assert!(waits, "{call} is not answered at once");
            return None;
        };
        if !reads && answer.status < 400 {
            self.changed.set(true);
        }
        hold(call, &answer);
        Some(answer)
    }

    /// Sends what makes a request whatever the input is.
    pub(crate) fn ask(&self, call: &Call) -> Answer {
        self.send(call).expect("only the body is not ours")
    }

    /// The answer to a read by the admin.
    pub(crate) fn read(&self, path: &str) -> Answer {
        self.ask(&Call::new("GET", path).key("$ADMIN"))
    }

    /// The routers of all functions as one.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// What the functions that are not called over HTTP stand on. Whoever takes it may change anything.
    pub(crate) fn app(&self) -> &App {
        self.changed.set(true);
        &self.app
    }

    /// Holds that jobs, robots and counts are as they must be.
    fn audit(&self) {
        wait_for(queue_conformance::audit::hold(
            &self.app.engine,
            &TenantName::default_tenant(),
        ));
    }
}

fn router(app: &App) -> Router {
    let router = submit::routes(app.clone())
        .merge(robot_callback::routes(app.clone()))
        .merge(control::routes(app.clone()));
    http::finish(router, app)
}

async fn answered(router: Router, request: Request<Body>) -> Answer {
    let response: Response = router.oneshot(request).await.expect("a router has no errors");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body in memory does not break off");
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.to_bytes().to_vec(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("the answer has this text")
}
