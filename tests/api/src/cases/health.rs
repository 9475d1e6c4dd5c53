//! How it all does, and what is refused when it does not do well.

use std::{sync::Arc, time::Duration};

use queue::{Settings, Store};
use serde_json::json;

use crate::{Call, FlakyStore, World};

/// `/health` is true and not constant; `/health`, `/ready` and `/openapi.json` need no key.
pub async fn health_is_true_and_needs_no_key(store: Arc<dyn Store>) {
    let kind = store.name();
    let world = World::on(store).await;
    let ask = |path: &str| world.send(Call::new("GET", path));
    let healthy = ask("/health").await;
    assert_eq!(
        (healthy.status, healthy.json()),
        (
            200,
            json!({
                "status": "healthy", "store": { "kind": kind, "status": "healthy" },
                "queue": { "status": "normal", "ready": 0 }, "robots_online": 0,
            })
        )
    );
    let jobs = json!({ "jobs": vec![json!({ "workflow": "a" }); 1_000] });
    world.post("/v1/jobs/bulk", &jobs).await;
    world.robot(&json!({ "name": "r" })).await;
    world.clock.advance(Duration::from_secs(5));
    let later = ask("/health").await.json();
    assert_eq!(later["queue"], json!({ "status": "warning", "ready": 1_000 }));
    assert_eq!(
        (&later["robots_online"], &later["status"]),
        (&json!(1), &json!("healthy"))
    );
    assert_eq!(ask("/ready").await.status, 200);
    let document = ask("/openapi.json").await.json();
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with('3'))
    );
    world
        .send(Call::new("GET", "/metrics"))
        .await
        .refuses(401, "unauthorized");
}

/// The store away: `503` with `Retry-After`, `/ready` 503, health degraded; all of it back when the store is.
pub async fn a_store_out_of_reach_is_told_and_comes_back(store: Arc<dyn Store>) {
    let flaky = Arc::new(FlakyStore::new(store));
    let world = World::on(flaky.clone()).await;
    let job = json!({ "workflow": "a" });
    world.submit(&job).await;
    assert_eq!(
        world.send(Call::new("GET", "/health")).await.json()["status"],
        "healthy"
    );
    flaky.set_away(true);
    world.clock.advance(Duration::from_secs(5));
    for reply in [
        world.post("/v1/jobs", &job).await,
        world.get("/v1/jobs").await,
        world.get("/metrics").await,
        world.send(Call::new("GET", "/ready")).await,
    ] {
        let problem = reply.refuses(503, "store_unavailable");
        assert!(problem["retry_after_seconds"].is_u64(), "{reply}");
        assert!(!reply.text().contains("5432"), "a driver's words stay inside: {reply}");
    }
    let health = world.send(Call::new("GET", "/health")).await;
    let told = health.json();
    assert_eq!((health.status, &told["status"]), (200, &json!("degraded")));
    assert_eq!(
        (&told["queue"]["status"], &told["queue"]["ready"]),
        (&json!("unknown"), &json!(null))
    );
    assert_eq!(
        (&told["store"]["status"], &told["robots_online"]),
        (&json!("unreachable"), &json!(null))
    );
    flaky.set_away(false);
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(world.send(Call::new("GET", "/ready")).await.status, 200);
    assert_eq!(
        world.send(Call::new("GET", "/health")).await.json()["status"],
        "healthy"
    );
    assert_eq!(
        world.get("/v1/jobs").await.json()["items"].as_array().map(Vec::len),
        Some(1)
    );
}

/// `503 overloaded` with `Retry-After`; robots' calls and reads are never refused for load.
pub async fn overload_is_refused_honestly_and_robots_are_not(store: Arc<dyn Store>) {
    let settings = Settings {
        backlog_max: 2,
        ..Settings::default()
    };
    let world = World::with_settings(store, settings).await;
    let job = json!({ "workflow": "a" });
    world.submit(&job).await;
    world.submit(&job).await;
    world.clock.advance(Duration::from_secs(5));
    for reply in [
        world.post("/v1/jobs", &job).await,
        world.post("/v1/jobs/bulk", &json!({ "jobs": [job] })).await,
    ] {
        let problem = reply.refuses(503, "overloaded");
        assert!(
            problem["retry_after_seconds"].is_u64() && problem["detail"].as_str().is_some_and(|it| it.contains('2'))
        );
    }
    let robot = world.robot(&json!({ "name": "r" })).await;
    let lease = robot.take().await;
    assert_eq!(
        robot.finish(&lease, &json!({ "outcome": "succeeded" })).await.status,
        200
    );
    assert_eq!(world.get("/v1/jobs").await.status, 200);
    world.clock.advance(Duration::from_secs(5));
    world.submit(&job).await;
}
