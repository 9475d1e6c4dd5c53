//! Which route each command calls, and with what.

use serde_json::{Value, json};

use crate::support::{JOB, Reply, Server, job, ok, stdout};

/// What the command calls and sends; the server consents with `reply`.
#[track_caller]
fn check(words: &[&str], reply: Value, line: &str, body: &Value) {
    let server = Server::start(move |_| ok(&reply));
    let output = server.run(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    let seen = server.next_seen();
    assert_eq!((seen.line.as_str(), &seen.body), (line, body), "{words:?}");
}

#[test]
fn jobs_are_asked_about_and_acted_upon_by_their_id() {
    let one = || job(&json!({}));
    let at = |rest: &str| format!("/v1/jobs/{JOB}{rest}");
    check(&["jobs", "show", JOB], one(), &format!("GET {}", at("")), &Value::Null);
    check(
        &["jobs", "cancel", JOB],
        one(),
        &format!("POST {}", at("/cancel")),
        &json!({}),
    );
    let (words, body) = (
        ["jobs", "cancel", JOB, "--reason", "wrong month"],
        json!({ "reason": "wrong month" }),
    );
    check(&words, one(), &format!("POST {}", at("/cancel")), &body);
    check(
        &["jobs", "retry", JOB],
        one(),
        &format!("POST {}", at("/retry")),
        &json!({}),
    );
    check(
        &["jobs", "logs", JOB, "--attempt", "2"],
        json!("text"),
        &format!("GET {}", at("/logs?attempt=2")),
        &Value::Null,
    );
    let explained = json!({ "state": "ready", "reasons": [], "nearest_robots": [] });
    check(
        &["jobs", "explain", JOB],
        explained,
        &format!("GET {}", at("/explain")),
        &Value::Null,
    );
    check(
        &["jobs", "history", JOB],
        json!({ "items": [] }),
        &format!("GET {}", at("/history")),
        &Value::Null,
    );
}

#[test]
fn a_bulk_change_sends_its_filter() {
    let changed = || json!({ "matched": 3, "changed": 2 });
    let words = ["jobs", "bulk-cancel", "--queue", "slow", "--label", "team=finance"];
    let body = json!({ "filter": { "queue": "slow", "label.team": "finance" }, "dry_run": false });
    check(&words, changed(), "POST /v1/jobs/bulk-cancel", &body);
    let words = ["jobs", "bulk-retry", "--state", "timed_out", "--dry-run"];
    let body = json!({ "filter": { "state": "timed_out" }, "dry_run": true });
    check(&words, changed(), "POST /v1/jobs/bulk-retry", &body);
}

#[test]
fn robots_are_directed_by_their_id() {
    let robot = || json!({ "id": "rob_1", "state": "idle" });
    check(
        &["robots", "show", "rob_1"],
        robot(),
        "GET /v1/robots/rob_1",
        &Value::Null,
    );
    check(
        &["robots", "drain", "rob_1"],
        robot(),
        "POST /v1/robots/rob_1/drain",
        &json!({}),
    );
    check(
        &["robots", "resume", "rob_1"],
        robot(),
        "POST /v1/robots/rob_1/resume",
        &json!({}),
    );
    check(
        &["robots", "remove", "rob_1"],
        robot(),
        "DELETE /v1/robots/rob_1",
        &Value::Null,
    );
}

#[test]
fn a_queue_is_sent_only_what_changes() {
    let queue = || json!({ "name": "slow" });
    let (set, at) = (
        ["queues", "set", "slow", "--strategy", "round_robin", "--lease", "2m"],
        "PUT /v1/queues/slow",
    );
    check(
        &set,
        queue(),
        at,
        &json!({ "strategy": "round_robin", "lease_seconds": 120 }),
    );
    check(
        &["queues", "set", "slow", "--paused", "true"],
        queue(),
        at,
        &json!({ "paused": true }),
    );
    check(&["queues", "pause", "slow"], queue(), at, &json!({ "paused": true }));
    check(&["queues", "resume", "slow"], queue(), at, &json!({ "paused": false }));
}

#[test]
fn dead_letters_are_dealt_with_by_the_id_of_their_job() {
    let one = || job(&json!({}));
    let at = |verb: &str| format!("POST /v1/dead-letters/{JOB}/{verb}");
    check(&["dead-letters", "requeue", JOB], one(), &at("requeue"), &json!({}));
    check(&["dead-letters", "discard", JOB], one(), &at("discard"), &json!({}));
    check(
        &["dead-letters", "resolve", JOB, "--note", "by hand"],
        one(),
        &at("resolve"),
        &json!({ "note": "by hand" }),
    );
}

#[test]
fn a_key_is_made_with_its_scopes_and_revoked_by_its_id() {
    let words = [
        "keys",
        "create",
        "ci",
        "--scope",
        "jobs:read,jobs:write",
        "--expires",
        "2030-01-31T08:00:00Z",
    ];
    let body = json!({ "name": "ci", "scopes": ["jobs:read", "jobs:write"], "expires_at": "2030-01-31T08:00:00Z" });
    check(
        &words,
        json!({ "id": "key_1", "key": "rk_new" }),
        "POST /v1/keys",
        &body,
    );
    check(
        &["keys", "revoke", "key_1"],
        Value::Null,
        "DELETE /v1/keys/key_1",
        &Value::Null,
    );
}

#[test]
fn a_new_key_is_all_that_stdout_gets() {
    let server = Server::start(|_| ok(&json!({ "id": "key_1", "name": "ci", "key": "rk_new" })));
    let output = server.run(&["keys", "create", "ci", "--scope", "admin"]);
    assert_eq!(stdout(&output), "rk_new\n");
}

#[test]
fn an_answer_without_a_body_is_null_to_a_machine() {
    let server = Server::start(|_| Reply::Said(204, String::new()));
    let output = server.run(&["robots", "remove", "rob_1", "--json"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "null\n"));
}

#[test]
fn the_queues_that_people_see_have_their_counts_beside_them() {
    let server = Server::start(|seen| {
        if seen.line.starts_with("GET /v1/queues") {
            ok(
                &json!({ "items": [{ "name": "slow", "paused": false, "strategy": "random", "lease_seconds": 60 }],
                "next_cursor": null }),
            )
        } else {
            ok(
                &json!({ "store": { "kind": "memory", "status": "healthy" }, "queues": [{ "name": "slow",
                "paused": false, "scheduled": 1, "ready": 2, "leased": 3, "running": 4, "oldest_ready_seconds": null }],
                "robots": { "idle": 0, "busy": 0, "draining": 0, "offline": 0 } }),
            )
        }
    });
    let output = server.run(&["queues", "list"]);
    let row: Vec<&str> = stdout(&output).lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["slow", "no", "random", "1m", "1", "2", "3", "4", "-"]);
}
