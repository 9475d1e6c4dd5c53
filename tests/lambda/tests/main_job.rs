//! The main job through `cargo lambda watch`: over HTTP, with real robots, hints from SQS and nothing else that drives.

use std::time::Duration;

use lambda_tests::{Local, LocalBuilder, Robot};
use nix::sys::signal::Signal;
use remuda_client::Client;
use serde_json::{Value, json};
use servers::shared_sqs;

/// Longer than the test: whatever is done on time is done by a hint.
const NEVER_SECONDS: u32 = 3_600;

/// How many plain jobs there are.
const JOBS: usize = 12;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// What a robot does: one job says hello, the other fails at the first attempt.
const WORKFLOWS: [(&str, &str); 2] = [
    ("greet", r#"printf '{"said": "hello"}' > "$REMUDA_RESULT_FILE""#),
    ("flaky", r#"test "$REMUDA_ATTEMPT" -gt 1"#),
];

/// How often a job is waited for, which each time takes up to twenty seconds.
const WAITS_MAX: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_by_hints_alone_while_a_malformed_one_ends_in_the_dead_letters() {
    let mut local = LocalBuilder {
        tick_seconds: NEVER_SECONDS,
        visibility_seconds: 3,
        receives: 2,
    }
    .start();
    let admin = local.admin();
    let robots = robots(&local, &admin).await;

    send_beside_a_good_hint(&local, "no hint at all");
    let jobs = submit(&admin).await;
    for id in &jobs {
        let job = ended(&admin, id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(job["result"], json!({ "said": "hello" }), "{job}");
    }
    let retried = submit_traced(&admin).await;
    let job = ended(&admin, &retried).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(2)),
        "{job}"
    );
    assert_eq!(dead_letters(&local), ["no hint at all"]);

    // What the message of a hint says beside its body has come through to the function.
    let log = local.log();
    let told = log
        .lines()
        .any(|line| line.contains("Hint for queue") && line.contains(TRACE_ID));
    assert!(told, "no hint with the trace of its job");

    drop(robots);
    // As Ctrl-C does.
    local.end(Signal::SIGINT);
    assert_eq!(local.processes(), [] as [String; 0], "left behind");
}

async fn robots(local: &Local, admin: &Client) -> [Robot; 2] {
    let asked = json!({ "name": "robots", "scopes": ["robots:register"] });
    let key: Value = admin.post("/v1/keys", &asked).await.expect("a key is made");
    let key = key["key"].as_str().expect("the key is shown");
    ["desk-1", "desk-2"].map(|name| Robot::start(&local.folder().join(name), local.place("url"), key, &WORKFLOWS))
}

async fn submit(admin: &Client) -> Vec<String> {
    let jobs = vec![json!({ "workflow": "greet" }); JOBS];
    let answer: Value = admin
        .post("/v1/jobs/bulk", &json!({ "jobs": jobs }))
        .await
        .expect("is taken");
    let results = answer["results"].as_array().expect("results").iter();
    let ids: Vec<String> = results.filter_map(|it| it["id"].as_str().map(str::to_owned)).collect();
    assert_eq!(ids.len(), JOBS, "{answer}");
    ids
}

async fn submit_traced(admin: &Client) -> String {
    let job = json!({ "workflow": "flaky", "retry": { "initial_seconds": 1 } });
    let call = admin.request(remuda_client::Method::POST, "/v1/jobs");
    let call = call.header("traceparent", &format!("00-{TRACE_ID}-b7ad6b7169203331-01"));
    let job: Value = call.json(&job).send().await.expect("is taken");
    job["id"].as_str().expect("it has an id").to_owned()
}

/// The job once it has ended.
async fn ended(admin: &Client, id: &str) -> Value {
    let mut job = Value::Null;
    for _ in 0..WAITS_MAX {
        let path = format!("/v1/jobs/{id}/wait");
        let query = [("seconds", "20".to_owned())];
        let call = admin.request(remuda_client::Method::GET, &path).query(&query);
        job = call.timeout(Duration::from_mins(1)).send().await.expect("is answered");
        if job["finished_at"].is_string() {
            break;
        }
    }
    job
}

/// Both in one call, so that they are handed over together.
fn send_beside_a_good_hint(local: &Local, body: &str) {
    let good = json!({ "tenant": "default", "queue": "default" }).to_string();
    let input = json!({
        "QueueUrl": local.place("queue"),
        "Entries": [{ "Id": "1", "MessageBody": body }, { "Id": "2", "MessageBody": good }],
    });
    let sqs = shared_sqs().expect("SQS is there");
    sqs.call("SendMessageBatch", &input.to_string()).expect("is taken");
}

/// The bodies of what is in the dead letters, once anything is.
fn dead_letters(local: &Local) -> Vec<String> {
    let input = json!({ "QueueUrl": local.place("dead_letters"), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20 });
    let sqs = shared_sqs().expect("SQS is there");
    let answer = sqs.call("ReceiveMessage", &input.to_string()).expect("is answered");
    let answer: Value = serde_json::from_str(&answer).expect("in JSON");
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .filter_map(|it| it["Body"].as_str().map(str::to_owned))
        .collect()
}
