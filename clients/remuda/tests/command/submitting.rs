//! Jobs sent, one by one and line by line.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{JOB, Reply, Server, job, ok, problem, stderr, stdout};

#[test]
fn a_submit_prints_the_id_alone_and_carries_key_and_idempotency_key() {
    let server = Server::start(|_| Reply::Said(201, job(&json!({})).to_string()));
    let output = server.run(&[
        "submit",
        "invoice-export",
        "--payload",
        "{\"n\": 1}",
        "--idempotency-key",
        "mine",
    ]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(0), format!("{JOB}\n").as_str())
    );
    let seen = server.next_seen();
    assert_eq!(seen.line, "POST /v1/jobs");
    assert_eq!(seen.authorization.as_deref(), Some("Bearer rk_test"));
    assert_eq!(seen.idempotency_key.as_deref(), Some("mine"));
    assert_eq!(
        seen.body,
        json!({ "workflow": "invoice-export", "payload": { "n": 1 } })
    );
}

#[test]
fn a_submit_that_the_server_could_not_take_is_sent_again_with_the_same_key() {
    let mut calls = 0;
    let server = Server::start(move |_| {
        calls += 1;
        if calls == 1 {
            problem(503, "store_unavailable", &json!([]))
        } else {
            ok(&job(&json!({})))
        }
    });
    assert_eq!(server.run(&["submit", "w"]).status.code(), Some(0));
    let keys: Vec<_> = server
        .all_seen()
        .into_iter()
        .map(|seen| seen.idempotency_key.unwrap())
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

/// Takes every job of a bulk but those of workflow `bad`.
fn take_bulk(body: &Value) -> Reply {
    let jobs = body["jobs"].as_array().unwrap();
    let results: Vec<Value> = (0..)
        .zip(jobs)
        .map(|(index, job)| match job["workflow"].as_str() {
            Some("bad") => json!({ "index": index, "status": 422, "id": null, "error": { "code": "invalid",
                "title": "Invalid", "status": 422, "detail": "a field is wrong",
                "errors": [{ "pointer": "/priority", "message": "is above 20" }] } }),
            _ => json!({ "index": index, "status": 201, "id": format!("job-{index}"), "error": null }),
        })
        .collect();
    ok(&json!({ "results": results }))
}

fn submit_lines(server: &Server, words: &[&str], lines: &str) -> std::process::Output {
    let mut child = server
        .command(&[&["submit", "--jsonl", "-"], words].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn refused_lines_are_told_by_their_numbers_and_the_others_are_taken() {
    let server = Server::start(|seen| take_bulk(&seen.body));
    let lines = "{\"workflow\":\"a\"}\n\n{\"workflow\":\"bad\"}\nnonsense\n{\"workflow\":\"b\"}\n";
    let output = submit_lines(&server, &[], lines);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "2 jobs made, 0 there already, 2 refused\n");
    assert!(
        stderr(&output).contains("line 3: invalid: a field is wrong\n  /priority: is above 20"),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("line 4: not JSON"), "{}", stderr(&output));
}

#[test]
fn the_results_of_lines_are_one_document() {
    let server = Server::start(|seen| take_bulk(&seen.body));
    let output = submit_lines(
        &server,
        &["--json"],
        "{\"workflow\":\"a\"}\n7\n{\"workflow\":\"bad\"}\n",
    );
    let document: Value = serde_json::from_str(stdout(&output)).unwrap();
    let mut told: Vec<(u64, u64)> = document["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["line"].as_u64().unwrap(), result["status"].as_u64().unwrap()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(1, 201), (2, 400), (3, 422)]);
}

#[test]
fn the_same_lines_are_sent_with_the_same_keys_also_after_a_failure() {
    let mut calls = 0;
    let server = Server::start(move |seen| {
        calls += 1;
        if calls == 1 {
            problem(503, "overloaded", &json!([]))
        } else {
            take_bulk(&seen.body)
        }
    });
    let lines = "{\"workflow\":\"a\"}\n{\"workflow\":\"a\"}\n{\"workflow\":\"b\",\"idempotency_key\":\"mine\"}\n";
    for _ in 0..2 {
        assert_eq!(submit_lines(&server, &[], lines).status.code(), Some(0));
    }
    let bodies: Vec<Value> = server.all_seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let key = |index: usize| bodies[0]["jobs"][index]["idempotency_key"].as_str().unwrap();
    assert_ne!(key(0), key(1));
    assert_eq!(key(2), "mine");
}
