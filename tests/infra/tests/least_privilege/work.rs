//! All that the functions do, once at least.

use std::collections::BTreeMap;
use std::time::Duration;

use api_tests::{Reply, TestRobot};
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::guard::Guard;

/// Longer than what is finished is kept.
const BEYOND_RETENTION: Duration = Duration::from_hours(31 * 24);

/// Longer than a lease, and than a failed job waits to be tried again.
const BEYOND_LEASE: Duration = Duration::from_mins(3);

/// Does it all, each function held by its guard; what a timer sets off once by the sweep and once by dispatch.
pub(crate) async fn all(guards: &BTreeMap<&'static str, Guard>) {
    let deployment = Deployment::new(guards).await;
    for sweeper in ["timeout-sweep", "dispatch"] {
        let name = format!("for-{sweeper}");
        let robot = deployment.world.robot(&json!({ "name": name, "max_jobs": 2 })).await;
        jobs_go_their_way(&deployment, &robot).await;
        timers_fire(&deployment, &robot, sweeper).await;
        operators_ask(&deployment, &robot, sweeper).await;
    }
}

/// Jobs are taken in, run, report, write beside themselves, and end.
async fn jobs_go_their_way(deployment: &Deployment, robot: &TestRobot<'_>) {
    let world = &deployment.world;
    let large = json!({ "workflow": "a", "payload": noise(2_000) });
    world.submit(&large).await;
    done(
        &world
            .post(
                "/v1/jobs/bulk",
                &json!({ "jobs": [{ "workflow": "b" }, { "workflow": "c" }] }),
            )
            .await,
    );
    for _ in 0..2 {
        done(
            &world
                .post(
                    "/v1/jobs",
                    &json!({ "workflow": "d", "dedup": { "key": "k", "on_conflict": "replace" } }),
                )
                .await,
        );
    }
    for outcome in ["succeeded", "cancelled", "failed"] {
        let lease = robot.take().await;
        done(&robot.put(&lease, "log/0", "text/plain", b"a line").await);
        done(&robot.put(&lease, "checkpoints/page", "application/json", b"3").await);
        done(
            &robot
                .finish(&lease, &json!({ "outcome": outcome, "result": noise(2_000) }))
                .await,
        );
        read_all_of(deployment, &lease).await;
    }
    let lease = robot.lease().await;
    let token = json!({ "lease_token": lease["lease_token"] });
    done(&robot.post(&TestRobot::path(&lease, "release"), &token).await);
    robot.open_session(&json!({})).await;
    deployment.dispatch().await;
}

async fn read_all_of(deployment: &Deployment, lease: &Value) {
    let job = lease["job_id"].as_str().expect("a job");
    for rest in ["", "/history", "/logs", "/explain", "/wait?seconds=0"] {
        done(&deployment.world.get(&format!("/v1/jobs/{job}{rest}")).await);
    }
}

/// Leases end, retries and delayed jobs become ready, dedup keys are let go, and what is old enough is removed.
async fn timers_fire(deployment: &Deployment, robot: &TestRobot<'_>, sweeper: &str) {
    let world = &deployment.world;
    // A queue that had no ready job yet: whoever makes its first one ready has to note the queue.
    let later = format!("later-{sweeper}");
    world
        .submit(&json!({ "workflow": "e", "queue": later, "delay_seconds": 60 }))
        .await;
    world
        .submit(&json!({ "workflow": "f", "priority": 20, "dedup": { "key": sweeper } }))
        .await;
    let lost = robot.take().await;
    assert_eq!(lost["attempt"], 1);
    world.clock.advance(BEYOND_LEASE);
    deployment.sweep(sweeper).await;
    for _ in 0..TAKEN_MAX {
        let answer = robot.sync(1, &[]).await;
        let Some(given) = answer["assign"].get(0) else { break };
        done(&robot.finish(given, &json!({ "outcome": "succeeded" })).await);
    }
    for _ in 0..2 {
        world.clock.advance(BEYOND_RETENTION);
        deployment.sweep(sweeper).await;
    }
}

/// More jobs than wait at any time here.
const TAKEN_MAX: usize = 20;

/// Operators read, change and remove.
async fn operators_ask(deployment: &Deployment, robot: &TestRobot<'_>, sweeper: &str) {
    let world = &deployment.world;
    for path in [
        "/health",
        "/ready",
        "/metrics",
        "/v1/stats",
        "/v1/jobs",
        "/v1/jobs?state=ready",
        "/v1/dead-letters",
        "/v1/queues",
        "/v1/robots",
        "/v1/keys",
    ] {
        done(&world.get(path).await);
    }
    done(&world.put("/v1/queues/default", &json!({ "paused": false })).await);
    // Cancelled before it was ever ready, and tried again: its queue is noted then.
    let queue = format!("again-{sweeper}");
    let job = world
        .submit(&json!({ "workflow": "g", "queue": queue, "delay_seconds": 600 }))
        .await;
    let path = |verb: &str| format!("/v1/jobs/{}/{verb}", job["id"].as_str().expect("an id"));
    done(&world.post(&path("cancel"), &json!({})).await);
    done(&world.post(&path("retry"), &json!({})).await);
    for bulk in ["bulk-cancel", "bulk-retry"] {
        done(
            &world
                .post(&format!("/v1/jobs/{bulk}"), &json!({ "filter": { "queue": queue } }))
                .await,
        );
    }
    dead_letters_are_dealt_with(deployment, robot).await;
    let key = world
        .post("/v1/keys", &json!({ "name": "short", "scopes": ["jobs:read"] }))
        .await;
    done(&key);
    done(
        &world
            .delete(&format!("/v1/keys/{}", key.json()["id"].as_str().expect("an id")))
            .await,
    );
    for verb in ["drain", "resume"] {
        done(&world.post(&format!("/v1/robots/{}/{verb}", robot.id), &json!({})).await);
    }
    done(&world.delete(&format!("/v1/robots/{}", robot.id)).await);
}

async fn dead_letters_are_dealt_with(deployment: &Deployment, robot: &TestRobot<'_>) {
    let world = &deployment.world;
    for verb in ["requeue", "discard", "resolve"] {
        world.submit(&json!({ "workflow": "h", "priority": 20 })).await;
        let lease = robot.take().await;
        let business = json!({ "outcome": "failed", "error": { "kind": "business", "message": "no such invoice" } });
        done(&robot.finish(&lease, &business).await);
        let job = lease["job_id"].as_str().expect("a job");
        done(&world.post(&format!("/v1/dead-letters/{job}/{verb}"), &json!({})).await);
    }
}

/// What a guard refused comes to a caller as 503.
fn done(reply: &Reply) {
    assert!(reply.status < 300, "{reply}");
}

/// Text that no packing makes small.
fn noise(bytes: usize) -> String {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let character = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + u8::try_from((state >> 33) % 56).expect("is small"))
    };
    std::iter::repeat_with(character).take(bytes).collect()
}
