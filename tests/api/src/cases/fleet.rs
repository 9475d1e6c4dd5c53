//! Queues, robots, counts, as operators see them.

use std::{sync::Arc, time::Duration};

use queue::Store;
use serde_json::{Value, json};

use crate::{Call, NOW, World};

/// `PUT` changes what is named; what is left out stays.
pub async fn queues_are_listed_and_set(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    world.submit(&json!({ "workflow": "a", "queue": "first" })).await;
    world.clock.advance(Duration::from_secs(1));
    let put = async |body: Value| world.put("/v1/queues/second", &body).await;
    let reply = put(json!({ "paused": true, "strategy": "affinity" })).await;
    let created_at = (NOW + Duration::from_secs(1)).to_string();
    let expected = json!({
        "name": "second", "paused": true, "strategy": "affinity", "lease_seconds": 60, "created_at": created_at,
    });
    assert_eq!((reply.status, reply.json()), (200, expected));
    let set = put(json!({ "lease_seconds": 3600, "paused": null })).await.json();
    assert_eq!((&set["paused"], &set["lease_seconds"]), (&json!(true), &json!(3600)));
    let list = world.get("/v1/queues").await.json();
    let names: Vec<&str> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!((names, &list["next_cursor"]), (vec!["second", "first"], &json!(null)));
    put(json!({ "paused": 1, "strategy": "best", "lease_seconds": 9, "x": 1 }))
        .await
        .is_invalid_at(&["/paused", "/strategy", "/lease_seconds", "/x"]);
    put(json!({ "lease_seconds": 3601 }))
        .await
        .is_invalid_at(&["/lease_seconds"]);
    world
        .put("/v1/queues/NOT-ONE", &json!({}))
        .await
        .is_invalid_at(&["path/name"]);
    assert_eq!(
        world.get("/v1/queues?limit=1").await.json()["items"][0]["name"],
        "second"
    );
}

/// `state`: idle, busy, draining, offline; a removed robot's key is refused from then on.
pub async fn robots_are_listed_drained_and_removed(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let robot = world
        .robot(&json!({ "name": "desk", "capabilities": ["browser"], "labels": { "site": "b" } }))
        .await;
    let path = format!("/v1/robots/{}", robot.id);
    let state = async || world.get(&path).await.json()["state"].clone();
    assert_eq!(state().await, "idle");
    let job = world.submit(&json!({ "workflow": "a" })).await;
    robot.take().await;
    let seen = world.get(&path).await.json();
    assert_eq!(
        (&seen["state"], &seen["jobs"]),
        (&json!("busy"), &json!([{ "job_id": job["id"], "attempt": 1 }]))
    );
    assert_eq!(
        (&seen["capabilities"], &seen["labels"]),
        (&json!(["browser"]), &json!({ "site": "b" }))
    );
    let drained = world.post(&format!("{path}/drain"), &json!({})).await;
    assert_eq!((drained.status, &drained.json()["state"]), (200, &json!("draining")));
    assert_eq!(robot.sync(1, &[]).await["directives"], json!(["drain"]));
    let bare = Call::new("POST", &format!("{path}/resume")).key(&world.admin);
    assert_eq!(world.send(bare).await.status, 200);
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(state().await, "offline");
    assert_eq!(world.get("/v1/robots").await.json()["items"][0]["id"], json!(robot.id));
    assert_eq!(world.delete(&path).await.status, 204);
    world.get(&path).await.refuses(404, "not_found");
    robot.try_sync(1, &[]).await.refuses(401, "unauthorized");
    for (method, rest) in [("GET", ""), ("DELETE", ""), ("POST", "/drain"), ("POST", "/resume")] {
        for id in [robot.id.as_str(), "rob_none", "desk"] {
            let call = Call::new(method, &format!("/v1/robots/{id}{rest}")).key(&world.admin);
            world.send(call).await.refuses(404, "not_found");
        }
    }
}

/// Stats say which store it is, and count jobs by queue and state and robots by state.
pub async fn stats_count_what_is_there(store: Arc<dyn Store>) {
    let kind = store.name();
    let world = World::on(store).await;
    world.submit(&json!({ "workflow": "a", "delay_seconds": 60 })).await;
    for _ in 0..3 {
        world.submit(&json!({ "workflow": "a" })).await;
    }
    let robot = world.robot(&json!({ "name": "r", "max_jobs": 2 })).await;
    robot.take().await;
    world.clock.advance(Duration::from_secs(7));
    let stats = world.get("/v1/stats").await.json();
    assert_eq!(
        stats,
        json!({
            "store": { "kind": kind, "status": "healthy" },
            "queues": [{
                "name": "default", "paused": false, "scheduled": 1, "ready": 2, "leased": 0, "running": 1, "oldest_ready_seconds": 7,
            }],
            "robots": { "idle": 0, "busy": 1, "draining": 0, "offline": 0 },
        })
    );
}

/// Prometheus' text; a stale robot moves a counter.
pub async fn metrics_are_text_and_count_lost_leases(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let mut lease = robot.take().await;
    let lost = |text: &str| text.contains("remuda_refusals_total{code=\"lease_lost\"} 1\n");
    let before = world.get("/metrics").await;
    assert!(
        before
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain"))
    );
    assert!(!lost(&before.text()));
    let token = lease["lease_token"].take();
    lease["lease_token"] = json!("lt_wrong");
    robot
        .finish(&lease, &json!({ "outcome": "succeeded" }))
        .await
        .refuses(409, "lease_lost");
    lease["lease_token"] = token;
    robot.finish(&lease, &json!({ "outcome": "succeeded" })).await;
    robot.finish(&lease, &json!({ "outcome": "succeeded" })).await;
    let text = world.get("/metrics").await.text();
    assert!(lost(&text), "{text}");
    for line in [
        "remuda_jobs_submitted_total{how=\"created\"} 1",
        "remuda_attempts_finished_total{outcome=\"succeeded\"} 1",
        "remuda_http_requests_total{method=\"POST\",route=\"/v1/jobs\",status=\"201\"} 1",
        "remuda_jobs{queue=\"default\",state=\"running\"} 0",
        "remuda_robots{state=\"busy\"} 1",
        "# TYPE remuda_jobs gauge",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    let other = world.mint("other", &[queue::Scope::JobsRead]).await;
    let theirs = world.send(Call::new("GET", "/metrics").key(&other)).await.text();
    assert!(!lost(&theirs) && !theirs.contains("queue=\"default\""), "{theirs}");
}
