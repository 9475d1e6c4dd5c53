//! What clients ask about a job, and do to it.

use std::{sync::Arc, time::Duration};

use queue::Store;
use serde_json::{Value, json};

use crate::{Call, World};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn id(job: &Value) -> &str {
    job["id"].as_str().expect("an id")
}

/// `404` for an id that is not there and for one that cannot be.
pub async fn a_job_that_is_not_there_is_not_found(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    for job in [NOBODY, "nonsense", "01890A5DAC96774BBCCEB302099A8057", "%00"] {
        for rest in ["", "/history", "/explain", "/logs", "/wait?seconds=0"] {
            world
                .get(&format!("/v1/jobs/{job}{rest}"))
                .await
                .refuses(404, "not_found");
        }
        for rest in ["cancel", "retry"] {
            world
                .post(&format!("/v1/jobs/{job}/{rest}"), &json!({}))
                .await
                .refuses(404, "not_found");
        }
        for rest in ["requeue", "discard", "resolve"] {
            world
                .post(&format!("/v1/dead-letters/{job}/{rest}"), &json!({}))
                .await
                .refuses(404, "not_found");
        }
    }
}

/// Scheduled, ready or leased: `cancelled` at once. Running: asked to stop. Asked again: the same.
pub async fn cancel_is_at_once_unless_a_robot_works_on_it(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let cancel = async |job: &str, body: Value| world.post(&format!("/v1/jobs/{job}/cancel"), &body).await;
    let scheduled = world.submit(&json!({ "workflow": "a", "delay_seconds": 60 })).await;
    let ready = world.submit(&json!({ "workflow": "a", "queue": "nobody" })).await;
    for job in [&scheduled, &ready] {
        let reply = cancel(id(job), json!({ "reason": "wrong month" })).await;
        let cancelled = reply.json();
        assert_eq!((reply.status, &cancelled["state"]), (200, &json!("cancelled")));
        assert_eq!(cancelled["reason"], "cancelled_by_client");
        let again = cancel(id(job), json!({})).await;
        assert_eq!((again.status, again.json()), (200, cancelled));
    }
    let running = world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    robot.take().await;
    let asked = cancel(id(&running), json!({})).await.json();
    assert_eq!(asked["state"], "running");
    assert!(asked["cancel_requested_at"].is_string());
    let bare = Call::new("POST", &format!("/v1/jobs/{}/cancel", id(&running))).key(&world.admin);
    assert_eq!(world.send(bare).await.status, 200, "a body is not needed");
}

/// Terminal otherwise: `409 job_finished`.
pub async fn a_finished_job_is_not_cancelled(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    robot
        .finish(&lease, &json!({ "outcome": "succeeded", "result": { "pages": 3 } }))
        .await;
    world
        .post(&format!("/v1/jobs/{}/cancel", id(&job)), &json!({}))
        .await
        .refuses(409, "job_finished");
    let done = world.job(id(&job)).await;
    assert_eq!(
        (&done["state"], &done["result"]),
        (&json!("succeeded"), &json!({ "pages": 3 }))
    );
    world
        .post(&format!("/v1/jobs/{}/retry", id(&job)), &json!({}))
        .await
        .refuses(409, "job_not_retryable");
}

/// `201`, a new job linked by `retry_of`; a job that is not over is not retried.
pub async fn a_job_that_failed_is_tried_again_as_a_new_one(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world
        .submit(&json!({ "workflow": "a", "payload": { "n": 1 }, "labels": { "team": "x" } }))
        .await;
    let retry = format!("/v1/jobs/{}/retry", id(&job));
    world.post(&retry, &json!({})).await.refuses(409, "job_not_retryable");
    world.post(&format!("/v1/jobs/{}/cancel", id(&job)), &json!({})).await;
    world.post(&retry, &json!({ "x": 1 })).await.is_invalid_at(&["/x"]);
    let reply = world.send(Call::new("POST", &retry).key(&world.admin)).await;
    let new = reply.json();
    assert_eq!(
        (reply.status, &new["retry_of"], &new["state"]),
        (201, &job["id"], &json!("ready"))
    );
    assert_eq!((&new["payload"], &new["labels"]), (&job["payload"], &job["labels"]));
    assert_eq!(
        reply.header("location"),
        Some(format!("/v1/jobs/{}", id(&new)).as_str())
    );
}

/// Every transition, oldest first.
pub async fn history_tells_every_transition(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a", "delay_seconds": 10 })).await;
    world.pass(Duration::from_secs(10)).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    robot
        .finish(
            &lease,
            &json!({ "outcome": "failed", "error": { "kind": "business", "message": "no" } }),
        )
        .await;
    let history = world.get(&format!("/v1/jobs/{}/history", id(&job))).await.json();
    let steps = history["items"].as_array().expect("items");
    let told: Vec<(u64, Value, Value, u64, Value)> = steps
        .iter()
        .map(|step| {
            let count = |name: &str| step[name].as_u64().expect("a count");
            (
                count("seq"),
                step["from"].clone(),
                step["to"].clone(),
                count("attempt"),
                step["reason"].clone(),
            )
        })
        .collect();
    let step = |seq, from: Value, to: &str, attempt, reason: Value| (seq, from, json!(to), attempt, reason);
    assert_eq!(
        told,
        [
            step(1, json!(null), "scheduled", 0, json!(null)),
            step(2, json!("scheduled"), "ready", 0, json!(null)),
            step(3, json!("ready"), "leased", 1, json!(null)),
            step(4, json!("leased"), "running", 1, json!(null)),
            step(5, json!("running"), "failed", 1, json!("business_error")),
        ]
    );
    assert_eq!(steps[1]["actor"], "sweep");
    assert_eq!(steps[4]["actor"], json!(robot.id));
    assert!(
        steps
            .iter()
            .all(|step| step["at"].as_str().is_some_and(|at| at.ends_with('Z'))),
        "{history}"
    );
}

/// `explain` has a live, exact answer.
pub async fn explain_tells_what_holds_a_job_back(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let explain = async |job: &Value| world.get(&format!("/v1/jobs/{}/explain", id(job))).await.json();
    let code = |explanation: &Value| explanation["reasons"][0]["code"].as_str().map(str::to_owned);
    let later = world.submit(&json!({ "workflow": "a", "delay_seconds": 60 })).await;
    let told = explain(&later).await;
    assert_eq!(
        (code(&told).as_deref(), &told["state"]),
        (Some("not_before"), &json!("scheduled"))
    );
    assert_eq!(told["reasons"][0]["until"], later["run_at"]);
    let job = world
        .submit(&json!({ "workflow": "a", "requires": { "capabilities": ["browser"] } }))
        .await;
    assert_eq!(code(&explain(&job).await).as_deref(), Some("no_robot_online"));
    let robot = world.robot(&json!({ "name": "r", "capabilities": ["ocr"] })).await;
    let told = explain(&job).await;
    assert_eq!(code(&told).as_deref(), Some("no_capable_robot"));
    assert_eq!(told["reasons"][0]["missing"], json!(["capability:browser"]));
    assert_eq!(
        told["nearest_robots"],
        json!([{ "id": robot.id, "missing": ["capability:browser"] }])
    );
    assert!(
        told["reasons"][0]["message"]
            .as_str()
            .is_some_and(|message| message.contains("browser"))
    );
    world.put("/v1/queues/default", &json!({ "paused": true })).await;
    assert_eq!(code(&explain(&job).await).as_deref(), Some("queue_paused"));
    world.put("/v1/queues/default", &json!({ "paused": false })).await;
    let capable = world.robot(&json!({ "name": "c", "capabilities": ["browser"] })).await;
    assert_eq!(code(&explain(&job).await).as_deref(), Some("waiting_for_robot"));
    let lease = capable.take().await;
    assert_eq!(code(&explain(&job).await).as_deref(), Some("running"));
    let second = world
        .submit(&json!({ "workflow": "a", "requires": { "capabilities": ["browser"] } }))
        .await;
    assert_eq!(code(&explain(&second).await).as_deref(), Some("all_robots_busy"));
    capable.finish(&lease, &json!({ "outcome": "succeeded" })).await;
    let told = explain(&job).await;
    assert_eq!(
        (code(&told).as_deref(), &told["nearest_robots"]),
        (Some("finished"), &json!([]))
    );
}

/// `200` and the job when it is terminal or when the time is up; 0 to 20 seconds.
pub async fn wait_answers_when_the_time_is_up_or_the_job_is_over(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let wait = |seconds: &str| format!("/v1/jobs/{}/wait?seconds={seconds}", id(&job));
    assert_eq!(world.get(&wait("0")).await.json()["state"], "ready");
    for seconds in ["21", "-1", "x", ""] {
        world.get(&wait(seconds)).await.is_invalid_at(&["query/seconds"]);
    }
    let path = wait("20");
    let (waited, _) = tokio::join!(world.get(&path), async {
        world.post(&format!("/v1/jobs/{}/cancel", id(&job)), &json!({})).await
    });
    assert_eq!(waited.json()["state"], "cancelled");
}

/// Failed and timed-out jobs; each verb takes one off the list.
pub async fn dead_letters_are_dealt_with_once(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let mut dead = Vec::new();
    for payload in 0..3 {
        let job = json!({ "workflow": "a", "payload": payload, "priority": 9, "labels": { "n": "x" } });
        world.clock.advance(Duration::from_millis(1));
        dead.push(id(&world.submit(&job).await).to_owned());
        let lease = robot.take().await;
        robot
            .finish(
                &lease,
                &json!({ "outcome": "failed", "error": { "kind": "business", "message": "no" } }),
            )
            .await;
    }
    let alive = world.submit(&json!({ "workflow": "a" })).await;
    let listed = async || -> Vec<String> {
        let list = world.get("/v1/dead-letters").await.json();
        list["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|job| id(job).to_owned())
            .collect()
    };
    assert_eq!(listed().await, dead.iter().rev().cloned().collect::<Vec<_>>());
    let deal = async |job: &str, verb: &str| {
        world
            .post(&format!("/v1/dead-letters/{job}/{verb}"), &json!({ "note": "seen" }))
            .await
    };
    let reply = deal(&dead[0], "requeue").await;
    let new = reply.json();
    assert_eq!((reply.status, &new["retry_of"]), (201, &json!(dead[0])));
    assert_eq!(
        (&new["payload"], &new["priority"], &new["labels"]),
        (&json!(0), &json!(9), &json!({ "n": "x" }))
    );
    for (job, verb) in [(&dead[1], "discard"), (&dead[2], "resolve")] {
        let reply = deal(job, verb).await;
        assert_eq!((reply.status, &reply.json()["id"]), (200, &json!(job)));
    }
    assert_eq!(listed().await, Vec::<String>::new());
    for job in dead.iter().map(String::as_str).chain([id(&alive)]) {
        for verb in ["requeue", "discard", "resolve"] {
            deal(job, verb).await.refuses(409, "not_a_dead_letter");
        }
    }
}

/// `{ "matched", "changed" }`; a dry run only counts; an empty filter is refused.
pub async fn many_jobs_are_cancelled_or_tried_again_by_a_filter(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    for (team, queue) in [("a", "one"), ("a", "two"), ("b", "one")] {
        world
            .submit(&json!({ "workflow": "w", "queue": queue, "labels": { "team": team } }))
            .await;
    }
    let bulk = async |verb: &str, body: Value| world.post(&format!("/v1/jobs/bulk-{verb}"), &body).await;
    // A condition that says nothing is no condition, and must not be taken for every job.
    for (filter, place) in [
        (json!({}), "/filter"),
        (json!({ "state": null }), "/filter/state"),
        (json!(null), "/filter"),
    ] {
        let reply = bulk("cancel", json!({ "filter": filter })).await;
        reply.is_invalid_at(&[place]);
    }
    bulk("cancel", json!({})).await.is_invalid_at(&["/filter"]);
    let bad = json!({ "filter": { "state": "gone", "label.BAD": "x", "queue": 1, "typo": "x" }, "dry_run": 1 });
    bulk("retry", bad).await.is_invalid_at(&[
        "/filter/state",
        "/filter/label.BAD",
        "/filter/queue",
        "/filter/typo",
        "/dry_run",
    ]);
    let team_a = json!({ "label.team": "a", "state": "ready" });
    let dry = bulk("cancel", json!({ "filter": team_a, "dry_run": true })).await;
    assert_eq!(dry.json(), json!({ "matched": 2, "changed": 0 }));
    let done = bulk("cancel", json!({ "filter": team_a })).await;
    assert_eq!((done.status, done.json()), (200, json!({ "matched": 2, "changed": 2 })));
    let again = bulk("retry", json!({ "filter": { "state": "cancelled", "queue": "one" } })).await;
    assert_eq!(again.json(), json!({ "matched": 1, "changed": 1 }));
    let list = world.get("/v1/jobs?state=ready&queue=one").await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
}
