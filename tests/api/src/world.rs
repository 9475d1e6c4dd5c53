//! A whole server on one store, with a clock that tests move.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use app::{App, clock::SystemEntropy, http, keys::NewKey, openapi};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header},
};
use domain::{TenantName, Timestamp};
use http_body_util::BodyExt as _;
use queue::{Clock, Engine, Scope, Store, hints::NoHints};
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;

use crate::{reply::Reply, robot::TestRobot};

/// When every world begins: 2026-11-21T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct MovableClock(Arc<AtomicI64>);

impl MovableClock {
    /// Moves it on.
    pub fn advance(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a test moves no further");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for MovableClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NOW.as_micros())))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// The routers of all functions as one, as the local server has them.
pub fn router(app: &App) -> Router {
    let (submit, _) = submit::router(app.clone());
    let (robots, _) = robot_callback::router(app.clone());
    let (control, _) = control::router(app.clone());
    http::finish(submit.merge(robots).merge(control), app)
}

/// The document of all functions, from what their handlers say.
pub fn document(app: &App) -> OpenApi {
    let (_, submit) = submit::router(app.clone());
    let (_, robots) = robot_callback::router(app.clone());
    let (_, control) = control::router(app.clone());
    openapi::merged([submit, robots, control])
}

/// A server on one store.
pub struct World {
    /// The server.
    pub router: Router,
    /// What lies below it.
    pub app: App,
    /// Its clock.
    pub clock: MovableClock,
    /// A key of the tenant `default` with the scope `admin`.
    pub admin: String,
}

/// One request on its way.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A request without key and body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With a body.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut call = self.header("content-type", content_type);
        call.body = body.into();
        call
    }

    /// The request, if its parts make one.
    pub fn request(self) -> Option<Request<Body>> {
        let mut builder = Request::builder().method(self.method.as_bytes()).uri(&self.path);
        for (name, value) in &self.headers {
            builder = builder.header(name, value.as_bytes());
        }
        builder.body(Body::from(self.body)).ok()
    }
}

impl World {
    /// A server on `store`, which is empty but for its schema.
    pub async fn on(store: Arc<dyn Store>) -> Self {
        Self::with_settings(store, queue::Settings::default()).await
    }

    /// A server on `store` with `settings`.
    pub async fn with_settings(store: Arc<dyn Store>, settings: queue::Settings) -> Self {
        let (clock, entropy) = (MovableClock::default(), Arc::new(SystemEntropy));
        let engine = Engine::new(
            store,
            Arc::new(NoHints),
            Arc::new(clock.clone()),
            entropy.clone(),
            settings,
        );
        let app = App::new(engine, entropy);
        let mut world = Self {
            router: router(&app),
            app,
            clock,
            admin: String::new(),
        };
        world.admin = world.mint("default", &[Scope::Admin]).await;
        world
    }

    /// A new key of `tenant` with `scopes`.
    pub async fn mint(&self, tenant: &str, scopes: &[Scope]) -> String {
        self.mint_until(tenant, scopes, None).await
    }

    /// A new key of `tenant` with `scopes` that ends at `expires_at`.
    pub async fn mint_until(&self, tenant: &str, scopes: &[Scope], expires_at: Option<Timestamp>) -> String {
        let (key, text) = self.app.mint(NewKey {
            tenant: TenantName::parse(tenant).expect("a tenant's name"),
            name: "a test's".to_owned(),
            scopes: scopes.iter().copied().collect::<BTreeSet<_>>(),
            robot: None,
            expires_at,
        });
        self.app.engine.create_key(key).await.expect("the key is stored");
        text.reveal().to_owned()
    }

    /// Sends `call` and takes the whole answer.
    pub async fn send(&self, call: Call) -> Reply {
        let request = call.request().expect("the parts make a request");
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body comes").to_bytes().to_vec();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// `GET` with the admin's key.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Call::new("GET", path).key(&self.admin)).await
    }

    /// `POST` of JSON with the admin's key.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Call::new("POST", path).key(&self.admin).json(body)).await
    }

    /// `PUT` of JSON with the admin's key.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Call::new("PUT", path).key(&self.admin).json(body)).await
    }

    /// `DELETE` with the admin's key.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Call::new("DELETE", path).key(&self.admin)).await
    }

    /// Submits a job that must be taken, and gives it.
    pub async fn submit(&self, body: &Value) -> Value {
        let reply = self.post("/v1/jobs", body).await;
        assert_eq!(reply.status, 201, "{reply}");
        reply.json()
    }

    /// The job `id` as it is.
    pub async fn job(&self, id: &str) -> Value {
        let reply = self.get(&format!("/v1/jobs/{id}")).await;
        assert_eq!(reply.status, 200, "{reply}");
        reply.json()
    }

    /// Registers a robot that must be taken, with a session.
    pub async fn robot(&self, body: &Value) -> TestRobot<'_> {
        TestRobot::start(self, body).await
    }

    /// Moves the clock on and fires what is due by then.
    pub async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.app.engine.sweep().await.expect("the sweep is done");
    }
}

/// Whether the answer is JSON by its headers.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/json")
}
