//! What only shows at the edge of HTTP: panics, bodies of no known length or no end, methods that share a route.

use std::{sync::Arc, time::Duration};

use api_tests::{Call, Reply, World};
use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
    routing::get,
};
use futures::stream;
use http_body_util::BodyExt as _;
use queue::memory::MemoryStore;
use serde_json::json;
use tower::ServiceExt as _;

async fn world() -> World {
    World::on(Arc::new(MemoryStore::new())).await
}

async fn send(router: Router, request: Request<Body>) -> Reply {
    let response = router.oneshot(request).await.expect("the router answers");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body comes").to_bytes().to_vec();
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_problem_and_the_next_call_is_answered() {
    async fn panics() {
        panic!("a secret of the handler");
    }
    let world = world().await;
    let router = app::http::finish(Router::new().route("/panics", get(panics)), &world.app);
    for _ in 0..2 {
        let reply = send(
            router.clone(),
            Call::new("GET", "/panics").request().expect("a request"),
        )
        .await;
        reply.refuses(500, "internal");
        assert!(!reply.text().contains("secret"), "{reply}");
    }
    assert_eq!(
        send(router, Call::new("GET", "/other").request().expect("a request"))
            .await
            .status,
        404
    );
}

/// A body that comes in parts, without a length.
fn streamed(world: &World, path: &str, parts: Vec<Result<Bytes, std::io::Error>>) -> Request<Body> {
    Request::post(path)
        .header("authorization", format!("Bearer {}", world.admin))
        .header("content-type", "application/json")
        .body(Body::from_stream(stream::iter(parts)))
        .expect("the parts make a request")
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let world = world().await;
    let endless = (0..100_000).map(|_| Ok(Bytes::from_static(&[b' '; 1_024]))).collect();
    let reply = send(world.router.clone(), streamed(&world, "/v1/jobs", endless)).await;
    reply.refuses(413, "too_large");
    let parts = vec![
        Ok(Bytes::from_static(b"{\"workflow\":")),
        Ok(Bytes::from_static(b"\"a\"}")),
    ];
    assert_eq!(
        send(world.router.clone(), streamed(&world, "/v1/jobs", parts))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_fault_of_the_server() {
    let world = world().await;
    let broken = vec![
        Ok(Bytes::from_static(b"{\"work")),
        Err(std::io::Error::other("the wire was cut")),
    ];
    let reply = send(world.router.clone(), streamed(&world, "/v1/jobs", broken)).await;
    reply.refuses(400, "malformed_body");
}

#[tokio::test]
async fn a_declared_length_is_enough_to_refuse() {
    let world = world().await;
    let mut request = streamed(&world, "/v1/jobs", Vec::new());
    request.headers_mut().insert("content-length", (2_u64 << 20).into());
    send(world.router.clone(), request).await.refuses(413, "too_large");
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let world = world().await;
    let reply = world.send(Call::new("HEAD", "/health")).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let reply = world.send(Call::new("HEAD", "/v1/jobs")).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_wait_ends_when_the_job_does() {
    let world = world().await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    let path = format!("/v1/jobs/{}/wait?seconds=20", job["id"].as_str().expect("an id"));
    let report = json!({ "outcome": "succeeded" });
    let (waited, _) = tokio::join!(world.get(&path), robot.finish(&lease, &report));
    assert_eq!(waited.json()["state"], "succeeded");
}

#[tokio::test]
async fn health_is_read_anew_after_five_seconds_and_not_before() {
    let world = world().await;
    let ready = async || world.send(Call::new("GET", "/health")).await.json()["queue"]["ready"].clone();
    assert_eq!(ready().await, 0);
    world.submit(&json!({ "workflow": "a" })).await;
    world.clock.advance(Duration::from_millis(4_999));
    assert_eq!(ready().await, 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(ready().await, 1);
}

#[tokio::test]
async fn a_body_that_need_not_be_there_may_be_null() {
    let world = world().await;
    let robot = world.robot(&json!({ "name": "r" })).await;
    assert_eq!(robot.open_session(&json!(null)).await, 2);
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let path = format!("/v1/jobs/{}/cancel", job["id"].as_str().expect("an id"));
    assert_eq!(world.post(&path, &json!(null)).await.status, 200);
}

#[tokio::test]
async fn a_filter_of_nothing_but_null_is_refused() {
    let world = world().await;
    let body = json!({ "filter": { "queue": null, "state": null } });
    let reply = world.post("/v1/jobs/bulk-cancel", &body).await;
    reply.is_invalid_at(&["/filter/queue", "/filter/state"]);
}

#[tokio::test]
async fn what_is_taken_is_no_deeper_than_readers_go_wherever_it_is_answered() {
    let world = world().await;
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let submit = async |depth: usize| {
        let body = format!(r#"{{"workflow":"a","payload":{}}}"#, nested(depth));
        let call = Call::new("POST", "/v1/jobs").key(&world.admin);
        world.send(call.body("application/json", body)).await
    };
    submit(app::json::DEPTH_MAX).await.refuses(400, "malformed_json");
    assert_eq!(submit(app::json::DEPTH_MAX - 1).await.status, 201);
    // The reader of these tests goes as deep as most do.
    assert_eq!(world.get("/v1/jobs").await.json()["items"][0]["workflow"], "a");
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    let checkpoint = nested(app::json::DEPTH_MAX);
    let reply = robot.put(&lease, "checkpoints/c", "application/json", checkpoint.as_bytes());
    assert_eq!(reply.await.status, 204);
    robot.open_session(&json!({})).await;
    let given = robot.sync(1, &[]).await;
    assert!(given["assign"][0]["checkpoints"]["c"].is_array(), "{given}");
}
