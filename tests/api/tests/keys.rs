//! Who gets in, on every route that the document names.

use std::sync::Arc;

use api_tests::{Call, World, document};
use queue::{Scope, memory::MemoryStore};
use serde_json::{Value, json};

/// What a route is, as far as keys go.
struct Route {
    method: String,
    path: String,
    /// The scope, `robot`, or nothing.
    scope: Option<String>,
}

/// A world with a job, a robot that runs it, a queue and a key, and a path to each.
struct Things {
    world: World,
    robot: String,
    robot_key: String,
    other_robot_key: String,
    job: String,
    key: String,
    token: String,
}

async fn things() -> Things {
    let world = World::on(Arc::new(MemoryStore::new())).await;
    let job = world.submit(&json!({ "workflow": "a" })).await;
    let (robot, robot_key, token, other_robot_key) = {
        let robot = world.robot(&json!({ "name": "r" })).await;
        let lease = robot.take().await;
        let other = world.robot(&json!({ "name": "other" })).await;
        let token = lease["lease_token"].as_str().expect("a token").to_owned();
        (robot.id.clone(), robot.key.clone(), token, other.key.clone())
    };
    let key = world
        .post("/v1/keys", &json!({ "name": "k", "scopes": ["jobs:read"] }))
        .await
        .json();
    Things {
        job: job["id"].as_str().expect("an id").to_owned(),
        key: key["id"].as_str().expect("an id").to_owned(),
        world,
        robot,
        robot_key,
        other_robot_key,
        token,
    }
}

impl Things {
    /// A call of `route` on what is there, right in all but its key.
    fn call(&self, route: &Route) -> Call {
        let id = match route.path.as_str() {
            path if path.starts_with("/v1/robots") => &self.robot,
            path if path.starts_with("/v1/keys") => &self.key,
            _ => &self.job,
        };
        let path = route
            .path
            .replace("{id}", id)
            .replace("{n}", "1")
            .replace("{seq}", "0")
            .replace("{name}", "default");
        let path = if path.ends_with("/wait") {
            format!("{path}?seconds=0")
        } else {
            path
        };
        let call = Call::new(&route.method, &path).header("x-lease-token", &self.token);
        match self.body(&route.path) {
            _ if route.path.ends_with("{seq}") => call.body("text/plain", "x"),
            Some(body) => call.json(&body),
            None => call,
        }
    }

    fn body(&self, path: &str) -> Option<Value> {
        let last = path.rsplit('/').next().unwrap_or_default();
        Some(match (path, last) {
            ("/v1/jobs", _) => json!({ "workflow": "a" }),
            ("/v1/jobs/bulk", _) => json!({ "jobs": [{ "workflow": "a" }] }),
            ("/v1/robots", _) => json!({ "name": "r" }),
            ("/v1/keys", _) => json!({ "name": "k", "scopes": ["jobs:read"] }),
            (_, "bulk-cancel" | "bulk-retry") => json!({ "filter": { "queue": "nothing" } }),
            (_, "sync") => json!({ "epoch": 1, "seq": 99, "state": "idle", "free_slots": 0 }),
            (_, "finish") => json!({ "lease_token": self.token, "outcome": "succeeded" }),
            (_, "release") => json!({ "lease_token": self.token }),
            (_, "session" | "cancel" | "retry" | "requeue" | "discard" | "resolve" | "drain" | "resume" | "{name}") => {
                json!({})
            }
            _ => return None,
        })
    }
}

/// Every route of the document.
fn routes(world: &World) -> Vec<Route> {
    let document = serde_json::to_value(document(&world.app)).expect("the document is JSON");
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                scope: operation["security"][0]["bearer"][0].as_str().map(str::to_owned),
            });
        }
    }
    routes
}

#[tokio::test]
async fn routes_without_a_key_are_those_of_the_contract() {
    let things = things().await;
    let open: Vec<String> = routes(&things.world)
        .into_iter()
        .filter(|route| route.scope.is_none())
        .map(|route| route.path)
        .collect();
    assert_eq!(open, ["/health", "/openapi.json", "/ready"]);
}

#[tokio::test]
async fn without_a_key_that_is_known_nobody_gets_in() {
    let things = things().await;
    let gone = things.world.mint("default", &[Scope::Admin]).await;
    let id = format!("key_{}", gone.split('_').nth(1).expect("an id"));
    assert_eq!(things.world.delete(&format!("/v1/keys/{id}")).await.status, 204);
    for route in routes(&things.world).iter().filter(|route| route.scope.is_some()) {
        let world = &things.world;
        let forged = forged(&world.admin);
        for call in [
            things.call(route),
            things.call(route).key("rk_nonsense"),
            things.call(route).key(&gone),
            things.call(route).key(&forged),
        ] {
            let reply = world.send(call).await;
            assert_eq!(reply.status, 401, "{} {}: {reply}", route.method, route.path);
            reply.refuses(401, "unauthorized");
        }
    }
}

/// The id of `key` with another secret, and the checksum that goes with it.
fn forged(key: &str) -> String {
    let parts: Vec<&str> = key.split('_').collect();
    let body = format!("{}_{}_{}", parts[0], parts[1], "0".repeat(parts[2].len()));
    let sum = crc32fast::hash(body.as_bytes());
    format!("{body}_{sum:08x}")
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_it_lacks() {
    let things = things().await;
    for route in routes(&things.world).iter().filter(|route| route.scope.is_some()) {
        let needed = route.scope.as_deref().unwrap_or_default();
        for scope in Scope::ALL
            .into_iter()
            .filter(|scope| scope.as_str() != needed && *scope != Scope::Admin)
        {
            let key = things.world.mint("default", &[scope]).await;
            let refused = things.world.send(things.call(route).key(&key)).await;
            assert_eq!(
                refused.status,
                403,
                "{} {} with {}: {refused}",
                route.method,
                route.path,
                scope.as_str()
            );
            assert_eq!(refused.refuses(403, "missing_scope")["scope"], needed);
        }
    }
}

#[tokio::test]
async fn the_scope_of_the_document_is_the_one_that_opens() {
    for index in 0..routes(&things().await.world).len() {
        // A world of its own for each, because one call may spoil it for the next.
        let things = things().await;
        let route = &routes(&things.world)[index];
        let scope = match route.scope.as_deref() {
            None => continue,
            Some("robot") => {
                let reply = things.world.send(things.call(route).key(&things.robot_key)).await;
                assert!(
                    reply.status < 500 && !matches!(reply.status, 401 | 403 | 404 | 422),
                    "{} {}: {reply}",
                    route.method,
                    route.path
                );
                continue;
            }
            Some(scope) => Scope::parse(scope).expect("a scope"),
        };
        let key = things.world.mint("default", &[scope]).await;
        let reply = things.world.send(things.call(route).key(&key)).await;
        assert!(
            reply.status < 300 || reply.status == 409,
            "{} {} with {}: {reply}",
            route.method,
            route.path,
            scope.as_str()
        );
    }
}

#[tokio::test]
async fn another_tenants_id_is_not_there() {
    let things = things().await;
    let world = &things.world;
    let admin = world.mint("other", &[Scope::Admin]).await;
    let register = Call::new("POST", "/v1/robots")
        .key(&admin)
        .json(&json!({ "name": "spy" }));
    let spy = world.send(register).await.json();
    let spy_key = spy["key"].as_str().expect("a key");
    for route in routes(world).iter().filter(|route| route.path.contains("{id}")) {
        let is_robots = route.scope.as_deref() == Some("robot");
        let key = if is_robots { spy_key } else { &admin };
        let reply = world.send(things.call(route).key(key)).await;
        // On a robot's own path its key comes first: it is another robot's, wherever that is.
        let expected = if is_robots && route.path.starts_with("/v1/robots") {
            403
        } else {
            404
        };
        assert_eq!(reply.status, expected, "{} {}: {reply}", route.method, route.path);
    }
}

#[tokio::test]
async fn a_robots_key_is_good_for_that_robot_alone() {
    let things = things().await;
    for route in routes(&things.world).iter().filter(|route| route.scope.is_some()) {
        let reply = things.world.send(things.call(route).key(&things.other_robot_key)).await;
        let code = if route.scope.as_deref() == Some("robot") {
            "wrong_robot"
        } else {
            "missing_scope"
        };
        assert_eq!(reply.status, 403, "{} {}: {reply}", route.method, route.path);
        reply.refuses(403, code);
    }
}

#[tokio::test]
async fn an_admins_key_is_no_robots_key() {
    let things = things().await;
    for route in routes(&things.world)
        .iter()
        .filter(|route| route.scope.as_deref() == Some("robot"))
    {
        let refused = things.world.send(things.call(route).key(&things.world.admin)).await;
        assert_eq!(
            refused.refuses(403, "missing_scope")["scope"],
            "robot",
            "{}",
            route.path
        );
    }
}
