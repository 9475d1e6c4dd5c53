//! Whatever is sent to a route, it is neither a fault of the server nor a panic, and a refusal is a problem document.

use std::sync::{Arc, OnceLock};

use api_tests::{Call, Reply, World};
use proptest::prelude::*;
use queue::memory::MemoryStore;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// How many requests each route gets.
const CASES: u32 = 150;

/// A world that all requests of this file go to, with a robot that runs a job.
struct Target {
    runtime: Runtime,
    world: World,
    robot: String,
    robot_key: String,
    job: String,
    token: String,
}

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime starts");
        let world = runtime.block_on(World::on(Arc::new(MemoryStore::new())));
        let (robot, robot_key, lease) = runtime.block_on(async {
            world.submit(&json!({ "workflow": "a" })).await;
            let robot = world.robot(&json!({ "name": "r" })).await;
            let lease = robot.take().await;
            (robot.id.clone(), robot.key.clone(), lease)
        });
        let text = |name: &str| lease[name].as_str().expect("text").to_owned();
        Target {
            runtime,
            robot,
            robot_key,
            job: text("job_id"),
            token: text("lease_token"),
            world,
        }
    })
}

/// What is sent beside method and route.
#[derive(Clone, Debug)]
struct Sent {
    parts: [String; 3],
    query: String,
    headers: Vec<(String, String)>,
    content_type: String,
    body: Vec<u8>,
}

/// A text that is sometimes what the route expects and sometimes anything.
fn path_part() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("known".to_owned()),
        1 => "[0-9]{1,25}",
        1 => "[a-z0-9._-]{1,80}",
        1 => "(%[0-9a-f]{2}|[A-Za-z~!$&'()*+,;=:@]){1,30}",
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("workflow"),
        Just("queue"),
        Just("priority"),
        Just("payload"),
        Just("retry"),
        Just("max_attempts"),
        Just("labels"),
        Just("dedup"),
        Just("key"),
        Just("jobs"),
        Just("filter"),
        Just("state"),
        Just("name"),
        Just("scopes"),
        Just("holding"),
        Just("running"),
        Just("job_id"),
        Just("attempt"),
        Just("lease_token"),
        Just("epoch"),
        Just("seq"),
        Just("free_slots"),
        Just("outcome"),
        Just("result"),
        Just("error"),
        Just("kind"),
        Just("message"),
        Just("progress"),
        Just("percent"),
        Just("paused"),
        Just("strategy"),
        Just("lease_seconds"),
        Just("deadline"),
        Just("run_at"),
        Just("delay_seconds"),
        Just("timeouts"),
        Just("requires"),
        Just("capabilities"),
        Just("expires_at"),
        Just("reason"),
        Just("note"),
    ];
    let text = prop_oneof![
        any::<String>(),
        word.clone().prop_map(str::to_owned),
        Just("succeeded".to_owned()),
        Just("failed".to_owned()),
        Just("idle".to_owned()),
        Just("business".to_owned()),
        Just("admin".to_owned()),
        Just("2027-01-01T00:00:00Z".to_owned()),
        Just("+999999-01-01T00:00:00Z".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-3_i64..30).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\",:0-9eE.+\\\\u-]{0,60}".prop_map(String::into_bytes),
        1 => Just(Vec::new()),
    ]
}

fn header_value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,60}",
        "[\\x20-\\x7e\\u{80}-\\u{ff}]{0,300}",
        Just("gzip".to_owned()),
        Just("identity".to_owned())
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let headers = prop::collection::vec(
        (
            prop_oneof![
                Just("idempotency-key"),
                Just("x-lease-token"),
                Just("traceparent"),
                Just("content-encoding"),
                Just("content-length"),
                Just("x-request-id"),
                Just("x-api-key"),
                Just("accept"),
            ],
            header_value(),
        ),
        0..4,
    );
    let query = prop_oneof![
        2 => Just(String::new()),
        1 => "(limit|cursor|state|queue|label\\.[a-z]|seconds|attempt|[a-z]{1,5})=[a-z0-9%+]{0,8}(&limit=[0-9]{1,4})?",
        1 => "[!-\"$-;=?-_a-z~]{0,60}",
    ];
    let content_type = prop_oneof![
        6 => Just("application/json".to_owned()), 1 => Just("text/plain".to_owned()), 1 => header_value(),
    ];
    let parts = [path_part(), path_part(), path_part()];
    (parts, query, headers, content_type, body()).prop_map(|(parts, query, headers, content_type, body)| Sent {
        parts,
        query,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        content_type,
        body,
    })
}

/// `route` with its open parts filled: by what is there where `sent` says `known`, by what it says otherwise.
fn path(route: &str, sent: &Sent, id: &str) -> String {
    let part = |place: usize, known: &str| match sent.parts[place].as_str() {
        "known" => known.to_owned(),
        other => other.to_owned(),
    };
    let filled = route.replace("{id}", &part(0, id)).replace("{n}", &part(1, "1"));
    let filled = filled
        .replace("{seq}", &part(2, "0"))
        .replace("{name}", &part(2, "default"));
    // Nothing but what is given is to be waited for.
    let query = if route.ends_with("/wait") {
        sent.query.replace("seconds=", "seconds=0")
    } else {
        sent.query.clone()
    };
    let query = if route.ends_with("/wait") && !query.contains("seconds=") {
        "seconds=0".to_owned()
    } else {
        query
    };
    if query.is_empty() {
        filled
    } else {
        format!("{filled}?{query}")
    }
}

/// Sends it, unless the parts make no request at all.
fn answer(method: &str, route: &str, by_robot: bool, sent: &Sent) -> Option<Reply> {
    let target = target();
    let id = if route.starts_with("/v1/robots") {
        &target.robot
    } else {
        &target.job
    };
    let key = if by_robot {
        &target.robot_key
    } else {
        &target.world.admin
    };
    let mut call = Call::new(method, &path(route, sent, id)).key(key);
    if sent.headers.iter().all(|(name, _)| name != "x-lease-token") {
        call = call.header("x-lease-token", &target.token);
    }
    for (name, value) in &sent.headers {
        call = call.header(name, value);
    }
    let call = call.body(&sent.content_type, sent.body.clone());
    call.clone().request()?;
    Some(target.runtime.block_on(target.world.send(call)))
}

/// What holds for every answer.
fn hold(reply: &Reply) -> Result<(), TestCaseError> {
    prop_assert!(reply.header("x-request-id").is_some(), "{reply}");
    prop_assert!(reply.status < 500, "{reply}");
    if reply.status >= 400 {
        let document = reply.problem();
        prop_assert!(document["code"].is_string());
    }
    Ok(())
}

macro_rules! routes {
    ($($name:ident: $method:literal $route:literal $who:literal;)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

            #[test]
            fn $name(sent in sent()) {
                if let Some(reply) = answer($method, $route, $who == "robot", &sent) {
                    hold(&reply)?;
                }
            }
        }
    )*
        /// Every method and path that is tried here.
        const TRIED: &[(&str, &str)] = &[$(($method, $route)),*];
    };
}

routes! {
    submit: "POST" "/v1/jobs" "admin";
    submit_bulk: "POST" "/v1/jobs/bulk" "admin";
    list_jobs: "GET" "/v1/jobs" "admin";
    get_job: "GET" "/v1/jobs/{id}" "admin";
    history: "GET" "/v1/jobs/{id}/history" "admin";
    logs: "GET" "/v1/jobs/{id}/logs" "admin";
    wait: "GET" "/v1/jobs/{id}/wait" "admin";
    explain: "GET" "/v1/jobs/{id}/explain" "admin";
    cancel: "POST" "/v1/jobs/{id}/cancel" "admin";
    retry: "POST" "/v1/jobs/{id}/retry" "admin";
    bulk_cancel: "POST" "/v1/jobs/bulk-cancel" "admin";
    bulk_retry: "POST" "/v1/jobs/bulk-retry" "admin";
    dead_letters: "GET" "/v1/dead-letters" "admin";
    requeue: "POST" "/v1/dead-letters/{id}/requeue" "admin";
    discard: "POST" "/v1/dead-letters/{id}/discard" "admin";
    resolve: "POST" "/v1/dead-letters/{id}/resolve" "admin";
    register: "POST" "/v1/robots" "admin";
    session: "POST" "/v1/robots/{id}/session" "robot";
    sync: "POST" "/v1/robots/{id}/sync" "robot";
    finish: "POST" "/v1/jobs/{id}/attempts/{n}/finish" "robot";
    release: "POST" "/v1/jobs/{id}/attempts/{n}/release" "robot";
    log: "PUT" "/v1/jobs/{id}/attempts/{n}/log/{seq}" "robot";
    checkpoint: "PUT" "/v1/jobs/{id}/attempts/{n}/checkpoints/{name}" "robot";
    list_queues: "GET" "/v1/queues" "admin";
    set_queue: "PUT" "/v1/queues/{name}" "admin";
    list_robots: "GET" "/v1/robots" "admin";
    get_robot: "GET" "/v1/robots/{id}" "admin";
    drain: "POST" "/v1/robots/{id}/drain" "admin";
    resume: "POST" "/v1/robots/{id}/resume" "admin";
    create_key: "POST" "/v1/keys" "admin";
    list_keys: "GET" "/v1/keys" "admin";
    stats: "GET" "/v1/stats" "admin";
    metrics: "GET" "/metrics" "admin";
    health: "GET" "/health" "admin";
    ready: "GET" "/ready" "admin";
    document: "GET" "/openapi.json" "admin";
}

/// Tried with ids that are not there only: what they remove the others need.
const REMOVALS: &[(&str, &str)] = &[("DELETE", "/v1/robots/{id}"), ("DELETE", "/v1/keys/{id}")];

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn removals(sent in sent(), which in 0..REMOVALS.len()) {
        let (method, route) = REMOVALS[which];
        let sent = Sent { parts: sent.parts.clone().map(|part| if part == "known" { "rob_none".to_owned() } else { part }), ..sent };
        if let Some(reply) = answer(method, route, false, &sent) {
            hold(&reply)?;
        }
    }

    #[test]
    fn any_path_and_method(method in "[A-Z]{1,9}", path in "/[!-\"$->@-~]{0,60}", sent in sent()) {
        let target = target();
        let call = Call::new(&method, &path).key(&target.world.admin).body(&sent.content_type, sent.body);
        if call.clone().request().is_some() {
            hold(&target.runtime.block_on(target.world.send(call)))?;
        }
    }
}

#[test]
fn every_route_of_the_document_is_tried() {
    let target = target();
    let document = serde_json::to_value(api_tests::document(&target.world.app)).expect("the document is JSON");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            let route = (method.to_uppercase(), path.clone());
            let tried = TRIED
                .iter()
                .chain(REMOVALS)
                .any(|(method, path)| (*method, *path) == (&route.0, &route.1));
            assert!(tried, "{route:?}");
        }
    }
}
