//! What robots say and are told.

use std::{sync::Arc, time::Duration};

use queue::{Scope, Store};
use serde_json::{Value, json};

use crate::{Call, NOW, TestRobot, World};

/// `201 { robot_id, key, settings }`; only `name` is required; the key is shown once.
pub async fn a_robot_is_registered_with_a_key_of_its_own(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let registration = world.mint("default", &[Scope::RobotsRegister]).await;
    let register = |body: &Value| world.send(Call::new("POST", "/v1/robots").key(&registration).json(body));
    let reply = register(&json!({ "name": "desk-7" })).await;
    assert_eq!(reply.status, 201, "{reply}");
    let registered = reply.json();
    assert_eq!(
        registered["settings"],
        json!({ "lease_seconds": 60, "busy_sync_seconds": 5, "idle_sync_seconds": 30 })
    );
    let id = registered["robot_id"].as_str().expect("an id");
    assert!(id.starts_with("rob_") && registered["key"].as_str().is_some_and(|key| key.starts_with("rk_")));
    let robot = world.get(&format!("/v1/robots/{id}")).await.json();
    assert_eq!((&robot["queues"], &robot["max_jobs"]), (&json!(["default"]), &json!(1)));
    assert!(
        !world
            .get("/v1/keys")
            .await
            .text()
            .contains(registered["key"].as_str().expect("a key"))
    );
    register(&json!({
        "name": "", "queues": [], "capabilities": [""], "environment": 1, "max_jobs": 101, "version": "", "labels": { "A": "" }, "x": 1
    })).await.is_invalid_at(&[
        "/name", "/queues", "/capabilities/0", "/environment", "/max_jobs", "/version", "/labels/A", "/x",
    ]);
    register(&json!({})).await.is_invalid_at(&["/name"]);
}

/// A sync that lists the job moves `leased` to `running`; one that does not, does not renew.
pub async fn a_job_runs_once_a_sync_lists_it(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let id = job["id"].as_str().expect("an id");
    let robot = world.robot(&json!({ "name": "r", "max_jobs": 2 })).await;
    let lease = robot.lease().await;
    let leased = world.job(id).await;
    assert_eq!(
        (&leased["state"], &leased["attempt"], &leased["robot"]),
        (&json!("leased"), &json!(1), &json!(robot.id))
    );
    assert_eq!(
        (&leased["leased_at"], &leased["started_at"]),
        (&json!(NOW.to_string()), &json!(null))
    );
    let mut listed = lease.clone();
    listed["progress"] = json!({ "percent": 40, "message": "page\u{0} 3" });
    let answer = robot.sync(1, &[listed]).await;
    let renewed = json!({ "job_id": id, "attempt": 1, "status": "renewed", "ttl_ms": 60_000, "grace_ms": null });
    assert_eq!(answer["leases"], json!([renewed]));
    assert_eq!(
        (&answer["server_time"], &answer["directives"]),
        (&json!(NOW.to_string()), &json!([]))
    );
    let running = world.job(id).await;
    assert_eq!(
        (&running["state"], &running["attempts_left"]),
        (&json!("running"), &json!(2))
    );
    assert_eq!(
        running["progress"],
        json!({ "percent": 40, "message": "page\u{fffd} 3" })
    );
    world.pass(Duration::from_mins(1)).await;
    let lost = world.job(id).await;
    assert_eq!(
        (&lost["state"], &lost["reason"]),
        (&json!("ready"), &json!("lease_lost"))
    );
    let answer = robot.sync(0, &[lease]).await;
    assert_eq!(
        (&answer["leases"][0]["status"], &answer["leases"][0]["ttl_ms"]),
        (&json!("lost"), &json!(null))
    );
}

/// The same `(epoch, seq)` again gives the same `assign` again; an older one is `409 stale_sequence`.
pub async fn the_same_sync_gives_the_same_jobs_again(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    world.submit(&json!({ "workflow": "a", "payload": [1] })).await;
    world.submit(&json!({ "workflow": "b" })).await;
    let robot = world.robot(&json!({ "name": "r", "max_jobs": 5 })).await;
    let first = robot.try_sync(1, &[]).await.json();
    assert_eq!(first["assign"].as_array().map(Vec::len), Some(1));
    let again = robot.repeat_sync(1, &[]).await.json();
    assert_eq!(first["assign"], again["assign"]);
    let path = format!("/v1/robots/{}/sync", robot.id);
    robot.sync(0, &[]).await;
    let old = json!({ "epoch": 1, "seq": 1, "state": "idle", "free_slots": 1 });
    robot.post(&path, &old).await.refuses(409, "stale_sequence");
    let bad =
        json!({ "epoch": -1, "seq": "x", "state": "asleep", "free_slots": 1001, "running": [{ "job_id": 1 }], "x": 1 });
    robot.post(&path, &bad).await.is_invalid_at(&[
        "/epoch",
        "/seq",
        "/state",
        "/free_slots",
        "/running/0/job_id",
        "/running/0/attempt",
        "/running/0/lease_token",
        "/x",
    ]);
}

/// `409 session_superseded` to the older session.
pub async fn a_new_session_supersedes_the_older_one(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let epoch = robot.open_session(&json!({ "holding": [] })).await;
    let path = format!("/v1/robots/{}/sync", robot.id);
    let old = json!({ "epoch": epoch - 1, "seq": 1, "state": "idle", "free_slots": 1 });
    robot.post(&path, &old).await.refuses(409, "session_superseded");
    robot.sync(1, &[]).await;
    let path = format!("/v1/robots/{}/session", robot.id);
    robot
        .post(&path, &json!({ "holding": [{ "job_id": "x" }], "y": 1 }))
        .await
        .is_invalid_at(&[
            "/holding/0/job_id",
            "/holding/0/attempt",
            "/holding/0/lease_token",
            "/y",
        ]);
}

/// `cancel` comes with `grace_ms`; the job ends `cancelled` when the robot says so.
pub async fn a_cancel_reaches_the_robot_with_a_grace(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let id = job["id"].as_str().expect("an id");
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    world
        .post(&format!("/v1/jobs/{id}/cancel"), &json!({ "reason": "no" }))
        .await;
    let answer = robot.sync(0, std::slice::from_ref(&lease)).await;
    assert_eq!(
        (&answer["leases"][0]["status"], &answer["leases"][0]["grace_ms"]),
        (&json!("cancel"), &json!(30_000))
    );
    let reply = robot.finish(&lease, &json!({ "outcome": "cancelled" })).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "state": "cancelled" })));
    assert_eq!(world.job(id).await["reason"], "cancelled_by_client");
}

/// What `assign` has.
pub async fn a_job_comes_with_all_that_a_robot_needs(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({
        "workflow": "w", "workflow_version": "2", "payload": { "z": 1, "a": [null] }, "labels": { "team": "x" },
        "timeouts": { "run_seconds": 77 },
    });
    let call = Call::new("POST", "/v1/jobs")
        .key(&world.admin)
        .header("traceparent", traceparent);
    let job = world.send(call.json(&body)).await.json();
    let robot = world.robot(&json!({ "name": "r" })).await;
    let answer = robot.sync(1, &[]).await;
    let token = answer["assign"][0]["lease_token"].clone();
    assert!(token.is_string());
    assert_eq!(
        answer["assign"],
        json!([{
            "job_id": job["id"], "attempt": 1, "lease_token": token, "lease_ttl_ms": 60_000, "workflow": "w", "workflow_version": "2",
            "payload": { "z": 1, "a": [null] }, "run_timeout_seconds": 77, "labels": { "team": "x" }, "checkpoints": {},
            "traceparent": traceparent,
        }])
    );
    assert!(
        answer["next_sync_ms"].as_u64().is_some_and(|next| next < 5_000),
        "it is to begin soon: {answer}"
    );
}

/// An unstarted job goes back to `ready` and burns nothing; a started one: `409 already_started`.
pub async fn a_job_is_given_back_unstarted(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.lease().await;
    let path = TestRobot::path(&lease, "release");
    robot
        .post(&path, &json!({ "lease_token": "wrong" }))
        .await
        .refuses(409, "lease_lost");
    robot
        .post(&path, &json!({ "lease_token": 1, "x": 1 }))
        .await
        .is_invalid_at(&["/lease_token", "/x"]);
    let reply = robot.post(&path, &json!({ "lease_token": lease["lease_token"] })).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "state": "ready" })));
    let back = world.job(job["id"].as_str().expect("an id")).await;
    assert_eq!(
        (&back["state"], &back["reason"], &back["attempts_left"]),
        (&json!("ready"), &json!("released"), &json!(3))
    );
    let lease = robot.take().await;
    assert_eq!(lease["attempt"], 2);
    let path = TestRobot::path(&lease, "release");
    robot
        .post(&path, &json!({ "lease_token": lease["lease_token"] }))
        .await
        .refuses(409, "already_started");
}

/// Leases that a new session does not list as held end at once with reason `robot_restarted`.
pub async fn a_session_ends_the_leases_it_does_not_list(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let id = job["id"].as_str().expect("an id");
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    robot.open_session(&json!({ "holding": [lease] })).await;
    assert_eq!(world.job(id).await["state"], "running");
    let bare = Call::new("POST", &format!("/v1/robots/{}/session", robot.id)).key(&robot.key);
    assert_eq!(world.send(bare).await.status, 200, "a body is not needed");
    let lost = world.job(id).await;
    assert_eq!(
        (&lost["state"], &lost["reason"]),
        (&json!("ready"), &json!("robot_restarted"))
    );
}
