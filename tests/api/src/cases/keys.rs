//! Who may do what.

use std::{sync::Arc, time::Duration};

use queue::{Scope, Store};
use serde_json::{Value, json};

use crate::{Call, NOW, World};

/// `201`, the key once.
pub async fn a_key_is_shown_once_and_listed_without_its_text(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let body = json!({ "name": "ci", "scopes": ["jobs:write", "jobs:read"], "expires_at": "2027-01-01T00:00:00Z" });
    let reply = world.post("/v1/keys", &body).await;
    assert_eq!(reply.status, 201, "{reply}");
    let made = reply.json();
    let text = made["key"].as_str().expect("a key");
    let mut kept = made.clone();
    kept.as_object_mut().expect("an object").remove("key");
    assert_eq!(
        kept,
        json!({
            "id": made["id"], "tenant": "default", "name": "ci", "scopes": ["jobs:read", "jobs:write"], "robot": null,
            "created_at": NOW.to_string(), "expires_at": "2027-01-01T00:00:00.000Z",
        })
    );
    let list = world.get("/v1/keys").await;
    assert!(
        list.json()["items"].as_array().expect("items").contains(&kept),
        "{list}"
    );
    let secret = text.split('_').nth(2).expect("a secret");
    assert!(!list.text().contains(secret));
    assert_eq!(world.send(Call::new("GET", "/v1/jobs").key(text)).await.status, 200);
    let bad = json!({ "name": "", "scopes": ["root"], "expires_at": NOW.to_string(), "tenant": "other" });
    world
        .post("/v1/keys", &bad)
        .await
        .is_invalid_at(&["/name", "/scopes/0", "/expires_at", "/tenant"]);
    world
        .post("/v1/keys", &json!({ "name": "x", "scopes": [] }))
        .await
        .is_invalid_at(&["/scopes"]);
}

/// Refused from the next request on.
pub async fn a_revoked_or_expired_key_is_refused_at_once(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let made = world
        .post("/v1/keys", &json!({ "name": "ci", "scopes": ["jobs:read"] }))
        .await
        .json();
    let (id, text) = (
        made["id"].as_str().expect("an id"),
        made["key"].as_str().expect("a key"),
    );
    let ask = |key: &str| world.send(Call::new("GET", "/v1/jobs").key(key));
    assert_eq!(ask(text).await.status, 200);
    assert_eq!(world.delete(&format!("/v1/keys/{id}")).await.status, 204);
    let refused = ask(text).await;
    refused.refuses(401, "unauthorized");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    for gone in [id, "key_none", "nonsense"] {
        world
            .delete(&format!("/v1/keys/{gone}"))
            .await
            .refuses(404, "not_found");
    }
    let short = world
        .mint_until("default", &[Scope::JobsRead], Some(NOW + Duration::from_mins(1)))
        .await;
    assert_eq!(ask(&short).await.status, 200);
    world.clock.advance(Duration::from_mins(1));
    ask(&short).await.refuses(401, "unauthorized");
}

/// `Authorization: Bearer KEY` or `X-API-Key: KEY`.
pub async fn a_key_may_come_in_either_header(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let ask = |name: &str, value: &str| world.send(Call::new("GET", "/v1/jobs").header(name, value));
    let key = &world.admin;
    assert_eq!(ask("authorization", &format!("bearer {key}")).await.status, 200);
    assert_eq!(ask("x-api-key", key).await.status, 200);
    for (name, value) in [
        ("authorization", key.clone()),
        ("authorization", format!("Basic {key}")),
        ("authorization", "Bearer".to_owned()),
        ("authorization", "Bearer ".to_owned()),
        ("authorization", "ü".to_owned()),
        ("x-api-key", format!("{key}x")),
        ("x-api-key", String::new()),
        ("cookie", format!("key={key}")),
    ] {
        ask(name, &value).await.refuses(401, "unauthorized");
    }
    world
        .send(Call::new("GET", &format!("/v1/jobs?key={key}")))
        .await
        .refuses(401, "unauthorized");
}

/// A key makes keys in its own tenant only.
pub async fn a_key_makes_keys_in_its_own_tenant_only(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let other = world.mint("other", &[Scope::Admin]).await;
    let body = json!({ "name": "theirs", "scopes": ["admin"] });
    let made = world
        .send(Call::new("POST", "/v1/keys").key(&other).json(&body))
        .await
        .json();
    assert_eq!(made["tenant"], "other");
    let list = world.get("/v1/keys").await.json();
    assert!(
        list["items"]
            .as_array()
            .expect("items")
            .iter()
            .all(|key| key["tenant"] == "default"),
        "{list}"
    );
    let revoke = format!("/v1/keys/{}", made["id"].as_str().expect("an id"));
    world.delete(&revoke).await.refuses(404, "not_found");
}

/// Another tenant's id is `404`, as one that does not exist; its things are in no list.
pub async fn another_tenants_things_are_not_there(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    world.submit(&json!({ "workflow": "a", "queue": "mine" })).await;
    let robot = world.robot(&json!({ "name": "r", "queues": ["mine"] })).await;
    let other = world.mint("other", &[Scope::Admin]).await;
    for list in ["jobs", "dead-letters", "queues", "robots"] {
        let page = world
            .send(Call::new("GET", &format!("/v1/{list}")).key(&other))
            .await
            .json();
        assert_eq!(page["items"], json!([]), "{list}");
    }
    let stats = world.send(Call::new("GET", "/v1/stats").key(&other)).await.json();
    assert_eq!(stats["queues"], json!([]));
    let theirs = world.send(
        Call::new("POST", "/v1/robots")
            .key(&other)
            .json(&json!({ "name": "x", "queues": ["mine"] })),
    );
    let theirs = theirs.await.json();
    let (id, key) = (
        theirs["robot_id"].as_str().expect("an id"),
        theirs["key"].as_str().expect("a key"),
    );
    let post = async |rest: &str, body: Value| {
        world
            .send(
                Call::new("POST", &format!("/v1/robots/{id}/{rest}"))
                    .key(key)
                    .json(&body),
            )
            .await
    };
    assert_eq!(post("session", json!({})).await.status, 200);
    let sync = json!({ "epoch": 1, "seq": 1, "state": "idle", "free_slots": 1 });
    assert_eq!(
        post("sync", sync).await.json()["assign"],
        json!([]),
        "no job crosses tenants"
    );
    let lease = robot.take().await;
    let finish = crate::TestRobot::path(&lease, "finish");
    let report = json!({ "lease_token": lease["lease_token"], "outcome": "succeeded" });
    world
        .send(Call::new("POST", &finish).key(key).json(&report))
        .await
        .refuses(404, "not_found");
}

/// Write does not include read; `admin` includes all but what is a robot's own.
pub async fn write_does_not_include_read_and_admin_includes_all(store: Arc<dyn Store>) {
    let world = World::on(store).await;
    let writer = world
        .mint("default", &[Scope::JobsWrite, Scope::RobotsWrite, Scope::QueuesWrite])
        .await;
    for (path, scope) in [
        ("/v1/jobs", "jobs:read"),
        ("/v1/robots", "robots:read"),
        ("/v1/queues", "jobs:read"),
        ("/v1/keys", "admin"),
    ] {
        let refused = world.send(Call::new("GET", path).key(&writer)).await;
        assert_eq!(refused.refuses(403, "missing_scope")["scope"], scope);
        assert_eq!(world.get(path).await.status, 200);
    }
    let robot = world.robot(&json!({ "name": "r" })).await;
    let refused = world.send(Call::new("GET", "/v1/jobs").key(&robot.key)).await;
    assert_eq!(refused.refuses(403, "missing_scope")["scope"], "jobs:read");
    let sync = world.post(&format!("/v1/robots/{}/sync", robot.id), &json!({})).await;
    assert_eq!(sync.refuses(403, "missing_scope")["scope"], "robot");
}
