//! What robots report of an attempt, and write beside it.

use std::{io::Write as _, sync::Arc, time::Duration};

use flate2::{Compression, write::GzEncoder};
use queue::Store;
use serde_json::{Value, json};

use crate::{Call, TestRobot, World};

/// A world's job that a robot runs: the robot and the lease.
async fn running<'a>(world: &'a World, body: &Value) -> (TestRobot<'a>, Value) {
    world.submit(body).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    (robot, lease)
}

fn job_of(lease: &Value) -> &str {
    lease["job_id"].as_str().expect("a job")
}

/// The same body by meaning: the same answer, no second effect. Another outcome or result: `409 outcome_conflict`.
pub async fn a_report_sent_again_has_no_second_effect(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let report = json!({ "outcome": "succeeded", "result": { "a": 1, "b": [1.50] } });
    let reply = robot.finish(&lease, &report).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "state": "succeeded" })));
    let before = world.job(job_of(&lease)).await;
    let token = lease["lease_token"].as_str().expect("a token");
    let same = format!(r#"{{"result": {{"b":[15e-1],"a":1.0}}, "lease_token":"{token}","outcome":"succeeded"}}"#);
    let call = Call::new("POST", &TestRobot::path(&lease, "finish"))
        .key(&robot.key)
        .body("application/json", same);
    assert_eq!(world.send(call).await.status, 200);
    assert_eq!(world.job(job_of(&lease)).await, before);
    for other in [
        json!({ "outcome": "succeeded", "result": 2 }),
        json!({ "outcome": "failed" }),
    ] {
        robot.finish(&lease, &other).await.refuses(409, "outcome_conflict");
    }
    assert_eq!(world.job(job_of(&lease)).await, before);
}

/// A wrong token, or a lease that a later attempt overtook: `409 lease_lost`.
pub async fn a_report_of_a_lost_lease_changes_nothing(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let mut wrong = lease.clone();
    wrong["lease_token"] = json!("lt_wrong");
    robot
        .finish(&wrong, &json!({ "outcome": "succeeded" }))
        .await
        .refuses(409, "lease_lost");
    world.pass(Duration::from_mins(1)).await;
    let second = robot.take().await;
    assert_eq!(second["attempt"], 2);
    robot
        .finish(&lease, &json!({ "outcome": "succeeded" }))
        .await
        .refuses(409, "lease_lost");
    assert_eq!(
        robot
            .put(&lease, "log/0", "text/plain", b"x")
            .await
            .refuses(409, "lease_lost")["status"],
        409
    );
    robot
        .put(&lease, "checkpoints/c", "application/json", b"1")
        .await
        .refuses(409, "lease_lost");
    assert_eq!(world.job(job_of(&lease)).await["state"], "running");
}

/// `application` errors back off, `business` errors end; `retry_after_seconds` takes the place of the backoff.
pub async fn a_failure_is_tried_again_and_a_business_error_is_not(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a", "retry": { "max_attempts": 2 } })).await;
    let report = json!({
        "outcome": "failed", "retry_after_seconds": 90,
        "error": { "kind": "application", "code": "E_NET", "message": "line 1\nline\u{0}2" },
    });
    assert_eq!(
        robot.finish(&lease, &report).await.json(),
        json!({ "state": "scheduled" })
    );
    let waiting = world.job(job_of(&lease)).await;
    assert_eq!(
        (&waiting["reason"], &waiting["attempts_left"]),
        (&json!("retry_backoff"), &json!(1))
    );
    let error = json!({ "kind": "application", "code": "E_NET", "message": "line 1\nline\u{fffd}2" });
    assert_eq!(waiting["error"], error);
    world.pass(Duration::from_secs(89)).await;
    assert_eq!(world.job(job_of(&lease)).await["state"], "scheduled");
    world.pass(Duration::from_secs(1)).await;
    let lease = robot.take().await;
    assert_eq!(
        robot.finish(&lease, &json!({ "outcome": "failed" })).await.json(),
        json!({ "state": "failed" })
    );
    assert_eq!(world.job(job_of(&lease)).await["reason"], "application_error");
    let (robot, lease) = running(&world, &json!({ "workflow": "b" })).await;
    let business = json!({ "outcome": "failed", "error": { "kind": "business", "message": "no IBAN" } });
    assert_eq!(
        robot.finish(&lease, &business).await.json(),
        json!({ "state": "failed" })
    );
    assert_eq!(world.job(job_of(&lease)).await["reason"], "business_error");
}

/// Its lease over, but no later attempt begun and the job not ended: accepted.
pub async fn a_late_report_that_nobody_overtook_is_taken(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    world.pass(Duration::from_mins(2)).await;
    assert_eq!(world.job(job_of(&lease)).await["state"], "ready");
    assert_eq!(
        robot.finish(&lease, &json!({ "outcome": "succeeded" })).await.json(),
        json!({ "state": "succeeded" })
    );
    assert_eq!(world.job(job_of(&lease)).await["attempts_left"], 2);
}

/// Every mistake of a report has its pointer.
pub async fn a_report_that_contradicts_itself_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let error = json!({ "kind": "application", "message": "x" });
    for (body, pointers) in [
        (json!({}), vec!["/outcome"]),
        (json!({ "outcome": "done", "typo": 1 }), vec!["/outcome", "/typo"]),
        (json!({ "outcome": "succeeded", "error": error }), vec!["/error"]),
        (
            json!({ "outcome": "cancelled", "retry_after_seconds": 1 }),
            vec!["/retry_after_seconds"],
        ),
        (
            json!({ "outcome": "failed", "error": { "kind": "odd", "code": 1, "x": 1 } }),
            vec!["/error/kind", "/error/code", "/error/message", "/error/x"],
        ),
        (
            json!({ "outcome": "failed", "error": { "kind": "business", "message": "x".repeat(4_001) } }),
            vec!["/error/message"],
        ),
    ] {
        robot.finish(&lease, &body).await.is_invalid_at(&pointers);
    }
    let missing = robot
        .post(&TestRobot::path(&lease, "finish"), &json!({ "outcome": "failed" }))
        .await;
    missing.is_invalid_at(&["/lease_token"]);
    let nulls = json!({ "outcome": "succeeded", "error": null, "result": null, "retry_after_seconds": null });
    assert_eq!(robot.finish(&lease, &nulls).await.status, 200);
}

/// Another robot's path is `403 wrong_robot`, and so is another robot's lease.
pub async fn another_robots_attempt_is_out_of_reach(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let thief = world.robot(&json!({ "name": "thief" })).await;
    thief
        .finish(&lease, &json!({ "outcome": "succeeded" }))
        .await
        .refuses(403, "wrong_robot");
    let release = json!({ "lease_token": lease["lease_token"] });
    thief
        .post(&TestRobot::path(&lease, "release"), &release)
        .await
        .refuses(403, "wrong_robot");
    thief
        .put(&lease, "log/0", "text/plain", b"x")
        .await
        .refuses(403, "wrong_robot");
    thief
        .put(&lease, "checkpoints/c", "application/json", b"1")
        .await
        .refuses(403, "wrong_robot");
    for rest in ["session", "sync"] {
        thief
            .post(&format!("/v1/robots/{}/{rest}", robot.id), &json!({}))
            .await
            .refuses(403, "wrong_robot");
    }
    assert_eq!(world.job(job_of(&lease)).await["state"], "running");
}

/// A gap: `416` with `next_seq`. The same chunk again: `204`. Another body: `409 chunk_conflict`.
pub async fn a_log_has_no_gap_and_no_second_body(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let log = async |seq: &str, body: &[u8]| {
        robot
            .put(&lease, &format!("log/{seq}"), "text/plain; charset=utf-8", body)
            .await
    };
    assert_eq!(log("1", b"late").await.refuses(416, "log_gap")["next_seq"], 0);
    assert_eq!(log("0", b"one\n").await.status, 204);
    assert_eq!(log("0", b"one\n").await.status, 204);
    log("0", b"other").await.refuses(409, "chunk_conflict");
    assert_eq!(log("1", "zwei ☂\n".as_bytes()).await.status, 204);
    assert_eq!(log("5", b"x").await.refuses(416, "log_gap")["next_seq"], 2);
    log("x", b"x").await.is_invalid_at(&["path/seq"]);
    let big = vec![b'x'; (256 << 10) + 1];
    assert_eq!(log("2", &big[1..]).await.status, 204);
    log("3", &big).await.refuses(413, "too_large");
    robot
        .put(&lease, "log/3", "application/json", b"x")
        .await
        .refuses(415, "unsupported_media_type");
    let path = TestRobot::path(&lease, "log/3");
    let tokenless = Call::new("PUT", &path).key(&robot.key).body("text/plain", "x");
    world.send(tokenless).await.is_invalid_at(&["header/x-lease-token"]);
    let read = world.get(&format!("/v1/jobs/{}/logs", job_of(&lease))).await;
    assert_eq!(read.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(read.text(), format!("one\nzwei ☂\n{}", "x".repeat(256 << 10)));
    assert_eq!(
        world
            .get(&format!("/v1/jobs/{}/logs?attempt=1", job_of(&lease)))
            .await
            .body,
        read.body
    );
    assert_eq!(
        world
            .get(&format!("/v1/jobs/{}/logs?attempt=2", job_of(&lease)))
            .await
            .text(),
        ""
    );
    world
        .get(&format!("/v1/jobs/{}/logs?attempt=0", job_of(&lease)))
        .await
        .is_invalid_at(&["query/attempt"]);
    robot.finish(&lease, &json!({ "outcome": "succeeded" })).await;
    log("3", b"after").await.refuses(409, "lease_lost");
}

/// `Content-Encoding: gzip` is taken; a bomb is not.
pub async fn a_packed_chunk_is_kept_unpacked(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let pack = |bytes: &[u8], level| {
        let mut encoder = GzEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    let put = async |encoding: &str, body: Vec<u8>| {
        let token = lease["lease_token"].as_str().expect("a token");
        let call = Call::new("PUT", &TestRobot::path(&lease, "log/0"))
            .key(&robot.key)
            .header("x-lease-token", token);
        world
            .send(call.header("content-encoding", encoding).body("text/plain", body))
            .await
    };
    put("gzip", pack(&vec![0; 50 << 20], Compression::best()))
        .await
        .refuses(413, "too_large");
    put("gzip", b"no gzip".to_vec()).await.refuses(400, "malformed_body");
    put("br", b"x".to_vec()).await.refuses(415, "unsupported_media_type");
    assert_eq!(put("gzip", pack(b"hello", Compression::fast())).await.status, 204);
    assert_eq!(
        put("GZIP", pack(b"hello", Compression::best())).await.status,
        204,
        "the same, packed otherwise"
    );
    assert_eq!(put("identity", b"hello".to_vec()).await.status, 204);
    assert_eq!(
        world.get(&format!("/v1/jobs/{}/logs", job_of(&lease))).await.text(),
        "hello"
    );
}

/// The next attempt gets all of them in `assign`.
pub async fn checkpoints_reach_the_next_attempt(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let keep = async |name: &str, body: &str| {
        robot
            .put(
                &lease,
                &format!("checkpoints/{name}"),
                "application/json",
                body.as_bytes(),
            )
            .await
    };
    assert_eq!(keep("page", "{ \"n\": 3 }").await.status, 204);
    assert_eq!(keep("page", "{ \"n\": 1234567890123456789012 }").await.status, 204);
    assert_eq!(keep("none", "null").await.status, 204);
    keep("UPPER", "1").await.is_invalid_at(&["path/name"]);
    keep("page", "{").await.refuses(400, "malformed_json");
    let big = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(keep("big", &big(64 << 10)).await.status, 204);
    keep("bigger", &big((64 << 10) + 1)).await.refuses(413, "too_large");
    robot
        .put(&lease, "checkpoints/page", "text/plain", b"1")
        .await
        .refuses(415, "unsupported_media_type");
    world.pass(Duration::from_mins(1)).await;
    let reply = robot.try_sync(1, &[]).await;
    assert!(
        reply.text().contains(r#""page":{"n":1234567890123456789012}"#),
        "{reply}"
    );
    let checkpoints = reply.json()["assign"][0]["checkpoints"].clone();
    assert_eq!(
        checkpoints.as_object().map(serde_json::Map::len),
        Some(3),
        "{checkpoints}"
    );
    assert_eq!(checkpoints["none"], json!(null));
}

/// A result over 256 KiB as compact JSON: `413 payload_too_large`; progress messages have their length.
pub async fn results_and_notes_are_bounded(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let (robot, lease) = running(&world, &json!({ "workflow": "a" })).await;
    let result = |bytes: usize| json!({ "outcome": "succeeded", "result": "x".repeat(bytes - 2) });
    robot
        .finish(&lease, &result((256 << 10) + 1))
        .await
        .refuses(413, "payload_too_large");
    let mut listed = lease.clone();
    listed["progress"] = json!({ "percent": 101, "message": "x".repeat(1_001), "z": 1 });
    robot.try_sync(0, &[listed]).await.is_invalid_at(&[
        "/running/0/progress/percent",
        "/running/0/progress/message",
        "/running/0/progress/z",
    ]);
    assert_eq!(robot.finish(&lease, &result(256 << 10)).await.status, 200);
}
