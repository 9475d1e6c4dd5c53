//! Taking jobs in.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use queue::Store;
use serde_json::{Value, json};

use crate::{Call, NOW, Reply, World};

/// Submits with an idempotency key.
async fn submit_keyed(world: &World, key: &str, body: &str) -> Reply {
    let call = Call::new("POST", "/v1/jobs")
        .key(&world.admin)
        .header("idempotency-key", key);
    world.send(call.body("application/json", body)).await
}

/// Every field of a job is there, with its default; what is absent is `null`.
pub async fn a_new_job_is_answered_in_full(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let reply = world.post("/v1/jobs", &json!({ "workflow": "invoice-export" })).await;
    assert_eq!(reply.status, 201, "{reply}");
    let job = reply.json();
    let id = job["id"].as_str().expect("an id").to_owned();
    assert_eq!(reply.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
    let now = NOW.to_string();
    let expected = json!({
        "id": id, "tenant": "default", "workflow": "invoice-export", "workflow_version": null, "payload": null,
        "queue": "default", "priority": 5, "run_at": null, "deadline": null,
        "timeouts": { "queue_seconds": null, "run_seconds": 3600 },
        "retry": { "max_attempts": 3, "initial_seconds": 10, "max_seconds": 3600, "multiplier": 2.0, "jitter": 0.2 },
        "requires": { "capabilities": [], "environment": null, "robot": null },
        "prefers": { "capabilities": [], "robot": null },
        "on_lost": "retry", "dedup": null, "labels": {}, "state": "ready", "reason": null, "attempt": 0,
        "attempts_left": 3, "robot": null, "progress": null, "result": null, "error": null,
        "created_at": now, "ready_at": now, "leased_at": null, "started_at": null, "finished_at": null,
        "cancel_requested_at": null, "retry_of": null, "version": 1,
    });
    assert_eq!(job, expected);
    assert_eq!(world.job(&id).await, expected);
}

/// What was asked is what is shown.
pub async fn every_field_of_a_job_is_kept(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let body = json!({
        "workflow": "Rechnung ☂", "workflow_version": "3", "payload": { "b": [1, null], "a": "x\u{0}y" }, "queue": "slow.1",
        "priority": 20, "run_at": "2026-11-21T13:30:00+01:00", "deadline": "2026-12-01T00:00:00.125Z",
        "timeouts": { "queue_seconds": 60, "run_seconds": 604_800 },
        "retry": { "max_attempts": 1, "initial_seconds": 0, "max_seconds": 86_400, "multiplier": 1.5, "jitter": 0.0 },
        "requires": { "capabilities": ["browser", "ocr"], "environment": "prod", "robot": "rob_1" },
        "prefers": { "capabilities": ["gpu"], "robot": "rob_2" },
        "on_lost": "fail", "dedup": { "key": "october", "on_conflict": "reject" }, "labels": { "team": "finance" },
    });
    let job = world.submit(&body).await;
    for (name, value) in body.as_object().expect("an object") {
        if name != "run_at" {
            assert_eq!(job[name], *value, "{name}");
        }
    }
    assert_eq!(job["run_at"], "2026-11-21T12:30:00.000Z");
    assert_eq!(
        (job["state"].as_str(), job["attempts_left"].as_u64()),
        (Some("scheduled"), Some(1))
    );
    let defaults = world
        .submit(&json!({ "workflow": "a", "dedup": { "key": "k" }, "retry": null, "labels": null }))
        .await;
    assert_eq!(defaults["dedup"], json!({ "key": "k", "on_conflict": "return" }));
}

/// Numbers keep every digit, strings every character.
pub async fn json_is_kept_as_it_means(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let payload = r#"{"z":123456789012345678901234567890.12345,"a":[1e400,-0.0],"n":"\u0000\ud83d\ude00"}"#;
    let call = Call::new("POST", "/v1/jobs").key(&world.admin);
    let body = format!(r#"{{ "workflow": "a", "payload": {} }}"#, payload.replace(',', " ,\n "));
    let reply = world.send(call.body("application/json", body)).await;
    assert_eq!(reply.status, 201, "{reply}");
    assert!(reply.text().contains(payload), "{reply}");
    for payload in [json!(false), json!(0), json!(""), json!([]), json!({})] {
        let job = world.submit(&json!({ "workflow": "a", "payload": payload })).await;
        assert_eq!(job["payload"], payload);
    }
}

/// The ends of each range are taken, what lies beyond is not.
pub async fn numbers_out_of_range_are_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let long = |chars: usize| "x".repeat(chars);
    let labels = |count: usize| -> Value { (0..count).map(|place| (format!("l{place}"), json!(""))).collect() };
    let words = |count: usize| -> Value { (0..count).map(|place| format!("c{place}")).collect() };
    let cases = [
        ("/workflow", json!(long(200)), json!(long(201))),
        ("/workflow_version", json!(long(100)), json!(long(101))),
        ("/queue", json!(long(63)), json!(long(64))),
        ("/priority", json!(0), json!(-1)),
        ("/priority", json!(20.0), json!(21)),
        ("/priority", json!(7), json!(7.5)),
        ("/delay_seconds", json!(31_622_400), json!(31_622_401)),
        ("/run_at", json!("2027-11-20T12:00:00Z"), json!("2027-12-21T12:00:00Z")),
        ("/run_at", json!("2001-01-01T00:00:00Z"), json!("tomorrow")),
        (
            "/deadline",
            json!("2026-11-21T12:00:00.001Z"),
            json!("2026-11-21T12:00:00Z"),
        ),
        ("/timeouts/queue_seconds", json!(1), json!(0)),
        ("/timeouts/run_seconds", json!(604_800), json!(604_801)),
        ("/retry/max_attempts", json!(100), json!(101)),
        ("/retry/initial_seconds", json!(86_400), json!(86_401)),
        ("/retry/max_seconds", json!(0), json!(-1)),
        ("/retry/multiplier", json!(10), json!(10.1)),
        ("/retry/jitter", json!(1), json!(-0.1)),
        ("/requires/capabilities", words(20), words(21)),
        ("/requires/environment", json!(long(100)), json!("")),
        ("/requires/robot", json!("rob_1"), json!("robby")),
        ("/on_lost", json!("fail"), json!("explode")),
        ("/dedup/key", json!(long(255)), json!(long(256))),
        ("/labels", labels(20), labels(21)),
        ("/labels/team", json!(long(200)), json!(long(201))),
    ];
    for (pointer, right, wrong) in cases {
        let reply = world.post("/v1/jobs", &with(pointer, right)).await;
        assert_eq!(reply.status, 201, "{pointer}: {reply}");
        world
            .post("/v1/jobs", &with(pointer, wrong))
            .await
            .is_invalid_at(&[pointer]);
    }
    let heavy: Value = (0..6).map(|place| format!("{place}{}", long(99))).collect();
    let reply = world.post("/v1/jobs", &with("/prefers/capabilities", heavy)).await;
    reply.is_invalid_at(&["/prefers/capabilities"]);
}

/// A job with one value at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = json!({ "workflow": "a" });
    let names: Vec<&str> = pointer.split('/').skip(1).collect();
    let (last, before) = names.split_last().expect("a pointer has a name");
    let place = before.iter().fold(&mut body, |object, name| &mut object[*name]);
    place[*last] = value;
    body
}

/// `delay_seconds` and `run_at` come to the same, and the past is now.
pub async fn a_job_waits_for_its_time(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let delayed = world.submit(&json!({ "workflow": "a", "delay_seconds": 60 })).await;
    let later = (NOW + Duration::from_mins(1)).to_string();
    assert_eq!(
        (&delayed["state"], &delayed["run_at"]),
        (&json!("scheduled"), &json!(later))
    );
    let past = world
        .submit(&json!({ "workflow": "a", "run_at": "1999-01-01T00:00:00Z" }))
        .await;
    assert_eq!(
        (&past["state"], &past["run_at"]),
        (&json!("ready"), &json!(NOW.to_string()))
    );
    world.pass(Duration::from_mins(1)).await;
    let due = world.job(delayed["id"].as_str().expect("an id")).await;
    assert_eq!((&due["state"], &due["ready_at"]), (&json!("ready"), &json!(later)));
}

/// The same key and the same body by meaning: `200`, that job as it now is, `Idempotent-Replayed: true`.
pub async fn the_same_key_and_body_give_the_same_job(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let first = submit_keyed(
        &world,
        "k 1",
        r#"{"workflow":"a","priority":7,"payload":{"x":1,"y":"é"}}"#,
    )
    .await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let id = first.json()["id"].clone();
    world
        .post(&format!("/v1/jobs/{}/cancel", id.as_str().expect("an id")), &json!({}))
        .await;
    let again = submit_keyed(
        &world,
        "k 1",
        "{ \"payload\": {\"y\":\"\\u00e9\",\"x\":1.0}, \"priority\":7e0,\n\"workflow\":\"a\"}",
    )
    .await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(
        (&again.json()["id"], &again.json()["state"]),
        (&id, &json!("cancelled"))
    );
    let other = world.mint("other", &[queue::Scope::JobsWrite]).await;
    let call = Call::new("POST", "/v1/jobs")
        .key(&other)
        .header("idempotency-key", "k 1");
    let others = world.send(call.json(&json!({ "workflow": "b" }))).await;
    assert_eq!(others.status, 201, "a key is its tenant's: {others}");
}

/// Another body: `409 idempotency_conflict`, nothing written.
pub async fn the_same_key_with_another_body_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let first = submit_keyed(&world, "k", r#"{"workflow":"a"}"#).await.json();
    let reply = submit_keyed(&world, "k", r#"{"workflow":"b"}"#).await;
    assert_eq!(reply.refuses(409, "idempotency_conflict")["job_id"], first["id"]);
    let list = world.get("/v1/jobs").await.json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
}

/// A refused request does not use up its key.
pub async fn a_refused_request_does_not_use_up_its_key(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    submit_keyed(&world, "k", r#"{"workflow":""}"#)
        .await
        .is_invalid_at(&["/workflow"]);
    world.submit(&json!({ "workflow": "a", "dedup": { "key": "d" } })).await;
    let reject = r#"{"workflow":"a","dedup":{"key":"d","on_conflict":"reject"}}"#;
    submit_keyed(&world, "k", reject).await.refuses(409, "duplicate");
    assert_eq!(submit_keyed(&world, "k", r#"{"workflow":"a"}"#).await.status, 201);
}

/// 1 to 255 printable ASCII characters, else `422`.
pub async fn a_bad_idempotency_key_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let body = r#"{"workflow":"a"}"#;
    for key in ["", "ümlaut", &"k".repeat(256), "tab\there"] {
        submit_keyed(&world, key, body)
            .await
            .is_invalid_at(&["header/idempotency-key"]);
    }
    assert_eq!(submit_keyed(&world, &"k".repeat(255), body).await.status, 201);
}

/// One unfinished job per tenant, queue and key.
pub async fn a_held_dedup_key_returns_rejects_or_replaces(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = |on_conflict: &str| json!({ "workflow": "a", "dedup": { "key": "k", "on_conflict": on_conflict } });
    let first = world.submit(&job("return")).await;
    let reply = world.post("/v1/jobs", &job("return")).await;
    assert_eq!((reply.status, &reply.json()["id"]), (200, &first["id"]));
    assert_eq!(reply.header("idempotent-replayed"), None);
    let reply = world.post("/v1/jobs", &job("reject")).await;
    assert_eq!(reply.refuses(409, "duplicate")["job_id"], first["id"]);
    let second = world.submit(&job("replace")).await;
    let replaced = world.job(first["id"].as_str().expect("an id")).await;
    assert_eq!(
        (&replaced["state"], &replaced["reason"]),
        (&json!("cancelled"), &json!("replaced"))
    );
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.lease().await;
    assert_eq!(lease["job_id"], second["id"]);
    let reply = world.post("/v1/jobs", &job("replace")).await;
    assert_eq!((reply.status, &reply.json()["id"]), (200, &second["id"]));
    let mut elsewhere = job("reject");
    elsewhere["queue"] = json!("other");
    world.submit(&elsewhere).await;
    robot.take_up(&lease).await;
    assert_eq!(
        robot.finish(&lease, &json!({ "outcome": "succeeded" })).await.status,
        200
    );
    world.submit(&job("reject")).await;
}

/// A payload over 256 KiB as compact JSON: `413 payload_too_large`.
pub async fn a_payload_that_is_too_large_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let job = |bytes: usize| json!({ "workflow": "a", "payload": "x".repeat(bytes - 2) });
    assert_eq!(world.post("/v1/jobs", &job(256 << 10)).await.status, 201);
    world
        .post("/v1/jobs", &job((256 << 10) + 1))
        .await
        .refuses(413, "payload_too_large");
    let spaced = format!(r#"{{"workflow":"a","payload":[1{}]}}"#, " ".repeat(300 << 10));
    let call = Call::new("POST", "/v1/jobs")
        .key(&world.admin)
        .body("application/json", spaced);
    assert_eq!(world.send(call).await.status, 201, "white space does not count");
}

/// A bad job does not stop the others.
pub async fn jobs_of_a_bulk_stand_alone(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let held = world.submit(&json!({ "workflow": "a", "dedup": { "key": "k" } })).await;
    let jobs = json!({ "jobs": [
        { "workflow": "a", "payload": 1 },
        { "workflow": "", "priority": 99, "typo": 1 },
        { "workflow": "a", "dedup": { "key": "k" } },
        { "workflow": "a", "dedup": { "key": "k", "on_conflict": "reject" } },
        "no object",
        { "workflow": "a", "payload": "x".repeat(300 << 10) },
        { "workflow": "b", "payload": 2 },
    ] });
    let reply = world.post("/v1/jobs/bulk", &jobs).await;
    assert_eq!(reply.status, 200, "{reply}");
    let results = reply.json()["results"].clone();
    let statuses: Vec<u64> = results
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|one| one["status"].as_u64())
        .collect();
    assert_eq!(statuses, [201, 422, 200, 409, 422, 413, 201]);
    for (place, one) in results.as_array().expect("results").iter().enumerate() {
        assert_eq!(one["index"], place);
        assert_eq!(one["id"].is_null(), !one["error"].is_null(), "{one}");
    }
    let pointers: Vec<&str> = results[1]["error"]["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    assert_eq!(pointers, ["/workflow", "/priority", "/typo"]);
    assert_eq!(results[2]["id"], held["id"]);
    assert_eq!(results[3]["error"]["code"], "duplicate");
    assert_eq!(world.job(results[6]["id"].as_str().expect("an id")).await["payload"], 2);
    let first = world.job(results[0]["id"].as_str().expect("an id")).await;
    assert_eq!(first["payload"], 1);
}

/// 1 to 1000 jobs, and nothing beside them.
pub async fn a_bulk_has_one_to_a_thousand_jobs(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let jobs = |count: usize| json!({ "jobs": vec![json!({ "workflow": "a" }); count] });
    for count in [0, 1_001] {
        world
            .post("/v1/jobs/bulk", &jobs(count))
            .await
            .is_invalid_at(&["/jobs"]);
    }
    let reply = world.post("/v1/jobs/bulk", &jobs(1_000)).await;
    let ids: std::collections::BTreeSet<String> = reply.json()["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|one| one["id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 1_000);
    world
        .post("/v1/jobs/bulk", &json!({ "jobs": 1, "x": 1 }))
        .await
        .is_invalid_at(&["/jobs", "/x"]);
    world.post("/v1/jobs/bulk", &json!({})).await.is_invalid_at(&["/jobs"]);
}

/// In a bulk each job may carry `idempotency_key`; it is the same key as the header's.
pub async fn a_bulk_knows_its_idempotency_keys(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let single = submit_keyed(&world, "k1", r#"{"workflow":"a"}"#).await.json();
    let jobs = json!({ "jobs": [
        { "workflow": "a", "idempotency_key": "k1" },
        { "workflow": "a", "idempotency_key": "k2" },
        { "workflow": "a", "idempotency_key": "k2" },
        { "workflow": "b", "idempotency_key": "k2" },
        { "workflow": "a", "idempotency_key": "" },
    ] });
    let results = world.post("/v1/jobs/bulk", &jobs).await.json()["results"].clone();
    let statuses: Vec<u64> = results
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|one| one["status"].as_u64())
        .collect();
    assert_eq!(statuses, [200, 201, 200, 409, 422]);
    assert_eq!(results[0]["id"], single["id"]);
    assert_eq!(results[1]["id"], results[2]["id"]);
    assert_eq!(results[3]["error"]["code"], "idempotency_conflict");
    let traced = Call::new("POST", "/v1/jobs/bulk")
        .key(&world.admin)
        .header("idempotency-key", "k");
    world
        .send(traced.json(&jobs))
        .await
        .is_invalid_at(&["header/idempotency-key"]);
    assert!(Timestamp::parse(single["created_at"].as_str().expect("a time")).is_some());
}
