//! `cargo lambda invoke --data-file events/FUNCTION/CASE.json FUNCTION`, the ticks of the schedules, and how all of it ends.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use api_tests::{Call, samples};
use app::{App, Settings, http, settings};
use lambda_tests::{Local, LocalBuilder, root};
use nix::sys::signal::Signal;
use remuda_client::Client;
use serde_json::{Value, json};
use servers::cargo_lambda;
use tower::ServiceExt as _;

/// How long the schedules, which tick each second, and the end of processes may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_answered_schedules_tick_and_nothing_is_left_behind() {
    let mut local = LocalBuilder {
        tick_seconds: 1,
        visibility_seconds: 30,
        receives: 5,
    }
    .start();
    assert!(!local.processes().is_empty(), "the test sees no process at all");
    every_http_sample_is_answered(&local);
    every_other_sample_is_answered(&local);
    every_sample_of_migrate_is_answered(&local);
    a_job_that_nobody_hints_at_is_found_by_the_schedules(&local).await;

    // No way of its own to end: what it started has to see to that.
    local.end(Signal::SIGKILL);
    until_nothing_is_left(&local).await;
}

fn every_http_sample_is_answered(local: &Local) {
    // Those that only look come first: what others make would be in their lists.
    let mut rows: Vec<_> = samples::HTTP.iter().collect();
    rows.sort_by_key(|(name, ..)| !name.starts_with("control/"));
    for (name, status, word) in rows {
        let answer = invoke(local, name);
        assert_eq!(answer["statusCode"], *status, "{name}: {answer}");
        let body = answer["body"].as_str().expect("a body");
        assert!(body.contains(word), "{name}: {body}");
    }
}

fn every_other_sample_is_answered(local: &Local) {
    for (name, expected) in samples::OTHERS {
        let (answer, expected) = (invoke(local, name), read(expected));
        // How much there was to do hangs on the moment; which messages failed does not.
        assert_eq!(fields(&answer), fields(&expected), "{name}: {answer}");
        assert_eq!(answer["batchItemFailures"], expected["batchItemFailures"], "{name}");
    }
}

fn every_sample_of_migrate_is_answered(local: &Local) {
    for (name, expected) in samples::MIGRATE {
        assert_eq!(fields(&invoke(local, name)), *expected, "{name}");
    }
}

/// What `cargo lambda invoke` prints when it is given the sample of this name, with the admin's key in it.
fn invoke(local: &Local, name: &str) -> Value {
    let (function, _) = name.split_once('/').expect("a sample is named FUNCTION/CASE");
    let sample = fs::read_to_string(root().join("events").join(name).with_extension("json"));
    let key = format!("Bearer {}", local.place("admin_key"));
    let file = local.folder().join("event.json");
    fs::write(&file, sample.expect("the sample is there").replace("Bearer KEY", &key)).expect("is written");
    let output = command(local, function, &file).output().expect("cargo-lambda runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    read(&String::from_utf8_lossy(&output.stdout))
}

fn command(local: &Local, function: &str, file: &Path) -> Command {
    let (_, port) = local.place("url").rsplit_once(':').expect("the URL names the port");
    let mut command = Command::new(cargo_lambda().expect("is there"));
    command
        .args([
            "lambda",
            "invoke",
            "--invoke-address",
            "127.0.0.1",
            "--invoke-port",
            port,
        ])
        .arg("--data-file")
        .arg(file)
        .arg(function)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// Submitted by a server that sends no hints, so that only the schedules can find that its time has come.
async fn a_job_that_nobody_hints_at_is_found_by_the_schedules(local: &Local) {
    let admin = local.admin();
    let id = submit_without_a_hint(local).await;
    let ready = async |client: &Client| {
        let job: Value = client.get(&format!("/v1/jobs/{id}"), &[]).await.expect("is answered");
        job["state"] == "ready"
    };
    let until = Instant::now() + PATIENCE;
    while !ready(&admin).await {
        assert!(Instant::now() < until, "no schedule found the job");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn submit_without_a_hint(local: &Local) -> String {
    let store = format!("sqs://{}?dynamodb={}", local.place("table"), local.place("dynamodb"));
    let set = Settings::from_variables(|name| (name == settings::STORE).then(|| store.clone()));
    let app = App::open(&set.expect("a store")).await.expect("is there");
    let (router, _) = submit::router(app.clone());
    let call = Call::new("POST", "/v1/jobs").key(local.place("admin_key"));
    let call = call.json(&json!({ "workflow": "a", "delay_seconds": 1 }));
    let answer = http::finish(router, &app)
        .oneshot(call.request().expect("a request"))
        .await;
    let answer = answer.expect("the router answers");
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().expect("is text");
    location.rsplit('/').next().expect("it ends in the id").to_owned()
}

async fn until_nothing_is_left(local: &Local) {
    let until = Instant::now() + PATIENCE;
    while !local.processes().is_empty() {
        assert!(Instant::now() < until, "left behind: {:?}", local.processes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn fields(value: &Value) -> Vec<&String> {
    value.as_object().expect("an object").keys().collect()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("is JSON")
}
