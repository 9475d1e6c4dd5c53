//! Lists and their pages.

use std::sync::Arc;

use queue::Store;
use serde_json::{Value, json};

use crate::World;

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Newest first; nothing lost or repeated while rows are added.
pub async fn lists_are_newest_first_and_whole(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let jobs = json!({ "jobs": vec![json!({ "workflow": "a" }); 25] });
    let results = world.post("/v1/jobs/bulk", &jobs).await.json()["results"].clone();
    let mut made: Vec<String> = results
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["id"].as_str().expect("an id").to_owned())
        .collect();
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=10".to_owned();
    for _ in 0..10 {
        let page = world.get(&path).await.json();
        seen.extend(ids(&page));
        world.clock.advance(std::time::Duration::from_millis(1));
        world.submit(&json!({ "workflow": "later" })).await;
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/jobs?limit=10&cursor={cursor}");
    }
    assert_eq!(seen, made);
    assert_eq!(ids(&world.get("/v1/jobs").await.json()).len(), 28);
    let fifty = json!({ "jobs": vec![json!({ "workflow": "a" }); 50] });
    world.post("/v1/jobs/bulk", &fifty).await;
    let page = world.get("/v1/jobs").await.json();
    assert_eq!(
        (ids(&page).len(), page["next_cursor"].is_string()),
        (50, true),
        "50 is the default"
    );
    assert_eq!(ids(&world.get("/v1/jobs?limit=200").await.json()).len(), 78);
}

/// `?state=&queue=&workflow=&robot=&label.team=finance`.
pub async fn lists_are_filtered(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let robot = world.robot(&json!({ "name": "r", "queues": ["served"] })).await;
    let taken = world
        .submit(&json!({ "workflow": "w1", "queue": "served", "labels": { "team": "a b" } }))
        .await;
    robot.lease().await;
    let late = world
        .submit(&json!({ "workflow": "w2", "delay_seconds": 9, "labels": { "team": "c" } }))
        .await;
    let path_of_robot = format!("robot={}", robot.id);
    for (query, job) in [
        ("state=leased", &taken),
        ("state=scheduled", &late),
        ("queue=served", &taken),
        ("workflow=w2", &late),
        (path_of_robot.as_str(), &taken),
        ("label.team=a%20b", &taken),
        ("label.team=a+b", &taken),
        ("label.team=c&queue=default&state=scheduled", &late),
    ] {
        let page = world.get(&format!("/v1/jobs?{query}")).await.json();
        assert_eq!(ids(&page), [job["id"].as_str().expect("an id")], "{query}");
    }
    assert_eq!(
        ids(&world.get("/v1/jobs?queue=served&workflow=w2").await.json()),
        Vec::<String>::new()
    );
}

/// `limit` beyond 1–200, a cursor that is not one of this list, an unknown parameter: `422`.
pub async fn a_bad_query_is_refused(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    for list in ["jobs", "dead-letters", "queues", "robots", "keys"] {
        for limit in ["0", "201", "-1", "1.5", "x", ""] {
            world
                .get(&format!("/v1/{list}?limit={limit}"))
                .await
                .is_invalid_at(&["query/limit"]);
        }
        let bad = world.get(&format!("/v1/{list}?cursor=tampered&typo=1")).await;
        bad.is_invalid_at(&["query/cursor", "query/typo"]);
        assert_eq!(world.get(&format!("/v1/{list}?limit=200")).await.status, 200);
    }
    world.submit(&json!({ "workflow": "a" })).await;
    world.submit(&json!({ "workflow": "a" })).await;
    let page = world.get("/v1/jobs?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    world
        .get(&format!("/v1/keys?cursor={cursor}"))
        .await
        .is_invalid_at(&["query/cursor"]);
    world
        .get("/v1/jobs?state=gone&robot=r2d2&label.X=1&queue=Q&limit=1&limit=2")
        .await
        .is_invalid_at(&[
            "query/state",
            "query/robot",
            "query/label.X",
            "query/queue",
            "query/limit",
        ]);
    let misplaced = json!({ "filter": { "queue": "default" } });
    let bulk = world.post("/v1/jobs/bulk-cancel?dry_run=true", &misplaced).await;
    bulk.is_invalid_at(&["query/dry_run"]);
    world.get("/v1/stats?x=1").await.is_invalid_at(&["query/x"]);
}
