//! What is the same on every route.

use std::sync::Arc;

use queue::Store;
use serde_json::json;

use crate::{Call, World};

/// `400 malformed_json`, whatever is wrong with it.
pub async fn malformed_json_is_told(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let deep = "[".repeat(200) + &"]".repeat(200);
    for body in [
        "",
        "{",
        "{\"workflow\":\"a\"} x",
        "{'a':1}",
        "\u{feff}{}",
        r#"{"workflow":"\ud800"}"#,
        &deep,
    ] {
        let call = Call::new("POST", "/v1/jobs")
            .key(&world.admin)
            .body("application/json", body);
        world.send(call).await.refuses(400, "malformed_json");
    }
    let call = Call::new("POST", "/v1/jobs")
        .key(&world.admin)
        .body("application/json", vec![b'"', 0xff, b'"']);
    world.send(call).await.refuses(400, "malformed_json");
}

/// `422 invalid` with every pointer, unknown fields included.
pub async fn every_mistake_of_a_body_is_told_with_its_pointer(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let body = json!({
        "workflow": "", "priority": "high", "delay_seconds": 5, "run_at": "2026-11-21T13:00:00Z", "typo": 1,
        "retry": { "max_attempts": 0, "jitter": 2, "backoff": 1 }, "requires": { "capabilities": ["ok", ""] },
        "labels": { "UPPER": "x", "ok": 1 }, "dedup": { "on_conflict": "explode" }, "a/b": 1,
    });
    world.post("/v1/jobs", &body).await.is_invalid_at(&[
        "/workflow",
        "/priority",
        "/delay_seconds",
        "/typo",
        "/retry/max_attempts",
        "/retry/jitter",
        "/retry/backoff",
        "/requires/capabilities/1",
        "/labels/UPPER",
        "/labels/ok",
        "/dedup/on_conflict",
        "/dedup/key",
        "/a~1b",
    ]);
    let twice = Call::new("POST", "/v1/jobs").key(&world.admin);
    let twice = twice.body("application/json", r#"{"workflow":"a","queue":"q","queue":"r"}"#);
    world.send(twice).await.is_invalid_at(&["/queue"]);
    world.post("/v1/jobs", &json!([])).await.is_invalid_at(&[""]);
}

/// Another content type, or none, with a body: `415`.
pub async fn another_content_type_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let body = r#"{"workflow":"a"}"#;
    let submit = || Call::new("POST", "/v1/jobs").key(&world.admin);
    for content_type in [
        "text/plain",
        "application/xml",
        "application/json; charset=latin1",
        "application/jsonx",
        "",
    ] {
        world
            .send(submit().body(content_type, body))
            .await
            .refuses(415, "unsupported_media_type");
    }
    let packed = submit()
        .body("application/json", body)
        .header("content-encoding", "gzip");
    world.send(packed).await.refuses(415, "unsupported_media_type");
    for content_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
    ] {
        assert_eq!(
            world.send(submit().body(content_type, body)).await.status,
            201,
            "{content_type}"
        );
    }
}

/// An unknown path `404`, a wrong method `405` with `Allow`; neither needs a key.
pub async fn an_unknown_path_and_a_wrong_method_are_told(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    for path in [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/jobs/",
        "/v2/jobs",
        "/v1/jobs/x/y/z",
        "/%ff",
    ] {
        world.send(Call::new("GET", path)).await.refuses(404, "not_found");
    }
    for (method, path, allowed) in [
        ("DELETE", "/v1/jobs", ["GET", "POST"].as_slice()),
        ("GET", "/v1/jobs/bulk-cancel", &["POST"]),
        ("POST", "/health", &["GET"]),
        ("PATCH", "/v1/queues/default", &["PUT"]),
        ("OPTIONS", "/v1/jobs", &["GET", "POST"]),
    ] {
        let reply = world.send(Call::new(method, path)).await;
        reply.refuses(405, "method_not_allowed");
        let allow = reply.header("allow").unwrap_or_default();
        assert!(
            allowed.iter().all(|method| allow.contains(method)),
            "{method} {path}: {allow}"
        );
    }
}

/// Every answer carries `x-request-id`: the one that came, if it is one, or a new one.
pub async fn every_answer_has_an_id(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    for path in ["/health", "/v1/jobs", "/nowhere"] {
        let reply = world.send(Call::new("GET", path)).await;
        assert!(
            reply.header("x-request-id").is_some_and(|id| id.len() >= 16),
            "{path}: {reply}"
        );
    }
    let reply = world
        .send(Call::new("GET", "/v1/jobs").header("x-request-id", "mine-1"))
        .await;
    assert_eq!(reply.refuses(401, "unauthorized")["request_id"], "mine-1");
    let reply = world
        .send(Call::new("GET", "/health").header("x-request-id", "has a space"))
        .await;
    assert_ne!(reply.header("x-request-id"), Some("has a space"));
}

/// A request over 1 MiB, a bulk over 5 MiB: `413 too_large` before it is parsed.
pub async fn a_body_that_is_too_large_is_refused_before_it_is_parsed(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let send = |path: &str, bytes: usize| {
        let call = Call::new("POST", path).key(&world.admin);
        world.send(call.body("application/json", vec![b'{'; bytes]))
    };
    send("/v1/jobs", (1 << 20) + 1).await.refuses(413, "too_large");
    send("/v1/jobs", 1 << 20).await.refuses(400, "malformed_json");
    send("/v1/jobs/bulk", (5 << 20) + 1).await.refuses(413, "too_large");
    send("/v1/jobs/bulk", 5 << 20).await.refuses(400, "malformed_json");
}

/// Path and method, then the key, then its scope, then the body.
pub async fn the_order_of_refusals_is_the_same_everywhere(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let reader = world.mint("default", &[queue::Scope::JobsRead]).await;
    let bad = |call: Call| call.body("text/html", "{");
    world
        .send(bad(Call::new("POST", "/v1/job")))
        .await
        .refuses(404, "not_found");
    world
        .send(bad(Call::new("POST", "/v1/jobs")))
        .await
        .refuses(401, "unauthorized");
    let refused = world.send(bad(Call::new("POST", "/v1/jobs").key(&reader))).await;
    assert_eq!(refused.refuses(403, "missing_scope")["scope"], "jobs:write");
    world
        .send(bad(Call::new("POST", "/v1/jobs").key(&world.admin)))
        .await
        .refuses(415, "unsupported_media_type");
    let cancel = "/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057/cancel";
    world
        .post(cancel, &json!({ "typo": 1 }))
        .await
        .is_invalid_at(&["/typo"]);
    world.post(cancel, &json!({})).await.refuses(404, "not_found");
}
