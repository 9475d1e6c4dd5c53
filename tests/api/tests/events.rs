//! Every sample event through the handler that AWS would give it to, conversion included.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use api_tests::{
    FlakyStore, World,
    samples::{HTTP, MIGRATE, OTHERS},
};
use app::{App, OpenStore, Settings, gateway, http, settings};
use axum::Router;
use lambda_http::{Context, LambdaEvent, lambda_runtime::Service as _, request::LambdaRequest};
use queue::memory::MemoryStore;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn sample(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.json"))).expect("the sample is there")
}

/// The router that the function's `main` serves.
fn function(name: &str, app: &App) -> Router {
    let (router, _) = match name.split('/').next() {
        Some("submit") => submit::router(app.clone()),
        Some("robot-callback") => robot_callback::router(app.clone()),
        _ => control::router(app.clone()),
    };
    http::finish(router, app)
}

#[tokio::test]
async fn every_http_sample_is_answered_as_it_should_be() {
    for (name, status, word) in HTTP {
        let world = World::on(Arc::new(MemoryStore::new())).await;
        let text = sample(name).replace("Bearer KEY", &format!("Bearer {}", world.admin));
        let answer = invoke(function(name, &world.app), &text).await;
        assert_eq!(answer["statusCode"], *status, "{name}: {answer}");
        let body = answer["body"].as_str().expect("a body");
        assert!(body.contains(word), "{name}: {body}");
        assert_eq!(
            answer["headers"]["x-request-id"], "JKJaXmPLvHcESHA=",
            "{name}: the gateway's id is kept"
        );
        assert_eq!(answer["isBase64Encoded"], false, "{name}");
    }
}

/// What the function that serves `router` answers the event `text` with.
async fn invoke(router: Router, text: &str) -> Value {
    let request: LambdaRequest = serde_json::from_str(text).expect("the sample is an event");
    let answer = gateway::service(router)
        .call(LambdaEvent::new(request, Context::default()))
        .await
        .expect("the handler answers");
    serde_json::to_value(answer).expect("an answer is JSON")
}

#[tokio::test]
async fn an_event_that_is_no_request_is_refused_and_not_a_fault_of_the_server() {
    let world = World::on(Arc::new(MemoryStore::new())).await;
    let event = |path: &str, query: &str, host: &str, body: &str| {
        let mut event: Value = serde_json::from_str(&sample("control/list")).expect("the sample is JSON");
        event["headers"]["authorization"] = format!("Bearer {}", world.admin).into();
        event["headers"]["host"] = host.into();
        event["requestContext"]["domainName"] = host.into();
        event["rawPath"] = path.into();
        event["rawQueryString"] = query.into();
        event["body"] = body.into();
        event["isBase64Encoded"] = true.into();
        event.to_string()
    };
    for (path, query, host, body, status) in [
        ("/v1/jobs", "workflow=a", "remuda.example", "", 200),
        ("/v1/jobs", "workflow=%3Cé|\"^`", "remuda.example", "", 200),
        ("/v1/jobs", "workflow=a", "[a host", "%", 200),
        ("/v1/jobs", "colour=<red>#", "a:b:c", "", 422),
        ("v1/jobs", "", "remuda.example", "", 200),
        (":80/v1/jobs", "", "remuda.example", "", 404),
        ("", "", "", "", 404),
    ] {
        let answer = invoke(function("control", &world.app), &event(path, query, host, body)).await;
        assert_eq!(answer["statusCode"], status, "{path} {query}: {answer}");
    }
}

/// A world with a ready job, a robot that is about to ask for one, and a job whose time has come.
async fn waiting() -> World {
    let world = World::on(Arc::new(MemoryStore::new())).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    world.submit(&json!({ "workflow": "a", "delay_seconds": 3 })).await;
    world.put("/v1/queues/default", &json!({ "paused": true })).await;
    world.submit(&json!({ "workflow": "a" })).await;
    robot.sync(1, &[]).await;
    world.put("/v1/queues/default", &json!({ "paused": false })).await;
    world.clock.advance(std::time::Duration::from_secs(28));
    world
}

#[tokio::test]
async fn every_other_sample_is_answered_as_it_should_be() {
    for (name, expected) in OTHERS {
        let world = waiting().await;
        let answer = handle(name, &world.app).await.expect("the handler answers");
        assert_eq!(answer.to_string(), *expected, "{name}");
    }
}

#[tokio::test]
async fn a_hint_of_a_timer_has_the_sweep_look_first() {
    for name in ["dispatch/hints-timer", "dispatch/hints-traced", "dispatch/direct-timer"] {
        let world = waiting().await;
        let scheduled = async || {
            let jobs = world.get("/v1/jobs?state=scheduled").await.json();
            jobs["items"].as_array().expect("jobs").len()
        };
        handle("dispatch/hints", &world.app).await.expect("the handler answers");
        assert_eq!(scheduled().await, 1, "{name}");
        handle(name, &world.app).await.expect("the handler answers");
        assert_eq!(scheduled().await, 0, "{name}");
    }
}

async fn handle(name: &str, app: &App) -> Result<Value, lambda_runtime::Error> {
    let event: Value = serde_json::from_str(&sample(name)).expect("the sample is JSON");
    match name.split('/').next() {
        Some("dispatch") => dispatch::handle(app, event).await,
        _ => timeout_sweep::handle(app).await,
    }
}

#[tokio::test]
async fn with_the_store_away_a_tick_fails_and_every_hint_comes_again() {
    let store = Arc::new(FlakyStore::new(Arc::new(MemoryStore::new())));
    let world = World::on(store.clone()).await;
    store.set_away(true);
    for name in ["dispatch/schedule", "dispatch/direct-queue", "timeout-sweep/schedule"] {
        assert!(handle(name, &world.app).await.is_err(), "{name}");
    }
    let answer = handle("dispatch/hints-one-malformed", &world.app)
        .await
        .expect("a batch is answered");
    let failed = answer["batchItemFailures"].as_array().expect("failures").iter();
    let mut failed: Vec<&str> = failed
        .filter_map(|failure| failure["itemIdentifier"].as_str())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["m-1", "m-2", "m-3"]);
}

#[tokio::test]
async fn every_sample_of_migrate_is_answered_on_a_new_store() {
    let in_memory = |name: &str| (name == settings::STORE).then(|| "sqlite::memory:".to_owned());
    let settings = Settings::from_variables(in_memory).expect("a store");
    let store = OpenStore::open(&settings).await.expect("opens");
    let app = App::on(&store, &settings);
    for (name, fields) in MIGRATE {
        let event: Value = serde_json::from_str(&sample(name)).expect("the sample is JSON");
        let answer = migrate::handle(&store, &app, event).await.expect("the handler answers");
        let answered: Vec<&String> = answer.as_object().expect("an object").keys().collect();
        assert_eq!(answered, *fields, "{name}");
    }
}

#[tokio::test]
async fn an_event_that_is_none_of_these_is_refused() {
    let world = World::on(Arc::new(MemoryStore::new())).await;
    for event in [
        json!({ "queue": "default" }),
        json!({ "tenant": "A", "queue": "q" }),
        json!([1]),
        json!("x"),
        json!(null),
    ] {
        assert!(dispatch::handle(&world.app, event.clone()).await.is_err(), "{event}");
    }
}

#[test]
fn every_sample_is_run() {
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    for function in fs::read_dir(folder()).expect("the folder is there").flatten() {
        for file in fs::read_dir(function.path()).expect("a folder a function").flatten() {
            let name = file.file_name().to_string_lossy().trim_end_matches(".json").to_owned();
            kept.insert(format!("{}/{name}", function.file_name().to_string_lossy()), 0);
        }
    }
    let run = HTTP
        .iter()
        .map(|(name, _, _)| *name)
        .chain(OTHERS.iter().map(|(name, _)| *name))
        .chain(MIGRATE.iter().map(|(name, _)| *name));
    let run: BTreeMap<String, usize> = run.map(|name| (name.to_owned(), 0)).collect();
    assert_eq!(kept, run);
}
