//! The command as a script sees it: what it sends, what it prints, how it ends.

mod support;

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::{Reply, Server, job, problem, remuda, stderr, stdout};

const JOB: &str = "0190f1f0-0000-7000-8000-000000000001";

fn ok(body: &Value) -> Reply {
    Reply::Said(200, body.to_string())
}

#[test]
fn a_server_that_is_not_there_is_named_with_what_to_do() {
    // Nothing listens on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = remuda(&format!("http://{free}"), &["stats"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).starts_with(&format!("error: cannot reach http://{free}")),
        "{}",
        stderr(&output)
    );
    assert!(stderr(&output).contains("remuda dev"));
}

#[test]
fn each_kind_of_refusal_has_its_exit_code() {
    for (status, code, exit) in [
        (401, "unauthorized", 5),
        (403, "missing_scope", 5),
        (404, "not_found", 4),
        (409, "job_finished", 1),
    ] {
        let server = Server::start(move |_| problem(status, code, &json!([])));
        let output = server.run(&["jobs", "cancel", JOB]);
        assert_eq!(output.status.code(), Some(exit), "{code}");
        assert!(stderr(&output).contains(code), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_mistake_on_the_command_line_reaches_no_server() {
    let server = Server::start(|_| Reply::Silence);
    for words in [
        &["jobs", "list", "--state", "sleeping"][..],
        &["submit"],
        &["submit", "w", "--payload", "{"],
        &["submit", "--file", "/nowhere/job.json"],
        &["jobs", "bulk-cancel"],
        &["queues", "set", "default"],
        &["stats", "--url", "not an address"],
    ] {
        assert_eq!(server.run(words).status.code(), Some(2), "{words:?}");
    }
    assert!(server.all_seen().is_empty());
}

#[test]
fn every_wrong_field_is_printed_with_its_pointer() {
    let errors = json!([{ "pointer": "/labels/Team", "message": "is no label's name" }]);
    let server = Server::start(move |_| problem(422, "invalid", &errors));
    let output = server.run(&["submit", "w", "--label", "Team=x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("\n  /labels/Team: is no label's name"),
        "{}",
        stderr(&output)
    );
}

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

#[test]
fn json_is_exactly_what_the_server_said() {
    // The order of members, the space between them and numbers beyond a float's digits stay as they are.
    let said = r#"{ "store" : {"status":"healthy","kind":"sqlite"}, "n": 0.1234567890123456789, "added": [ 1 ]}"#;
    let server = Server::start(move |_| Reply::Said(200, said.to_owned()));
    let output = server.run(&["stats", "--json"]);
    assert_eq!(stdout(&output), format!("{said}\n"));
}

#[test]
fn all_pages_of_a_list_make_one_document_of_the_same_shape() {
    let server = Server::start(|seen| {
        let (id, next) = if seen.line.contains("cursor=two") {
            ("b", Value::Null)
        } else {
            ("a", json!("two"))
        };
        ok(&json!({ "items": [job(&json!({ "id": id }))], "next_cursor": next }))
    });
    let output = server.run(&[
        "jobs", "list", "--all", "--json", "--queue", "slow", "--label", "team=a b",
    ]);
    let list: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| &job["id"])
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(list["next_cursor"], Value::Null);
    let lines: Vec<String> = server.all_seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/jobs?queue=slow&label.team=a+b&limit=200",
            "GET /v1/jobs?queue=slow&label.team=a+b&limit=200&cursor=two"
        ]
    );
}

#[test]
fn a_limit_above_a_page_is_read_in_pages_and_kept() {
    let server = Server::start(|seen| {
        let count: usize = seen
            .line
            .split("limit=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let items: Vec<Value> = (0..count).map(|_| job(&json!({}))).collect();
        ok(&json!({ "items": items, "next_cursor": format!("after-{count}") }))
    });
    let output = server.run(&["jobs", "list", "--limit", "250", "--json"]);
    let list: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 250);
    assert_eq!(list["next_cursor"], "after-50");
}

#[test]
fn a_reader_that_leaves_early_is_no_mistake() {
    let items: Vec<Value> = (0..200).map(|_| job(&json!({}))).collect();
    let server = Server::start(move |_| ok(&json!({ "items": items, "next_cursor": null })));
    let mut child = server
        .command(&["jobs", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
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

/// A job that runs, writes and then ends so.
fn job_that_ends(end: &Value) -> impl FnMut(&support::Seen) -> Reply + Send + use<> {
    let end = end.clone();
    let mut asked = 0;
    move |seen| {
        let path = seen.line.split(['?', ' ']).nth(1).unwrap();
        if path.ends_with("/history") {
            let steps = [
                ("ready", "leased"),
                ("leased", "running"),
                ("running", end["state"].as_str().unwrap()),
            ];
            let items: Vec<Value> = (1..)
                .zip(steps)
                .take(if asked > 1 { 3 } else { 2 })
                .map(|(seq, (from, to))| {
                    json!({ "seq": seq, "at": "2026-11-21T12:00:01.000Z", "from": from, "to": to, "attempt": 1,
                        "actor": null, "reason": null })
                })
                .collect();
            return ok(&json!({ "items": items }));
        }
        if path.ends_with("/logs") {
            let log = if asked > 1 { "opened page\nlast words" } else { "opened" };
            return Reply::Said(200, log.to_owned());
        }
        asked += 1;
        let running = json!({ "state": "running", "attempt": 1, "version": 3 });
        ok(&job(if asked > 1 { &end } else { &running }))
    }
}

#[test]
fn a_job_is_followed_to_its_end_with_all_it_wrote() {
    let end = json!({ "state": "succeeded", "attempt": 1, "version": 4, "result": { "pages": 3 } });
    let server = Server::start(job_that_ends(&end));
    let output = server.run(&["jobs", "watch", JOB]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "12:00:01  ready → leased  (attempt 1)\n12:00:01  leased → running  (attempt 1)\n  | opened page\n  | last words\n\
         12:00:01  running → succeeded  (attempt 1)\nresult\n{\n  \"pages\": 3\n}\n"
    );
}

#[test]
fn a_job_that_fails_fails_the_command_that_waited_for_it() {
    let end = json!({ "state": "failed", "reason": "poison", "attempt": 1, "version": 4 });
    for words in [&["jobs", "watch", JOB][..], &["submit", "w", "--wait"]] {
        let server = Server::start(job_that_ends(&end));
        let output = server.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(
            stderr(&output).contains(&format!("job {JOB} failed (poison)")),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_watched_job_in_json_is_the_job_as_it_ended() {
    let end = json!({ "state": "succeeded", "attempt": 1, "version": 4 });
    let server = Server::start(job_that_ends(&end));
    let output = server.run(&["jobs", "watch", JOB, "--json"]);
    let shown: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(shown, job(&end));
}

#[test]
fn ctrl_c_leaves_the_job_alone() {
    let server = Server::start(|seen| {
        if seen.line.contains("seconds=0") {
            ok(&job(&json!({})))
        } else {
            Reply::Silence
        }
    });
    let child = server
        .command(&["jobs", "watch", JOB, "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = vec![server.next_seen().line];
    while !lines.last().unwrap().contains("seconds=20") {
        lines.push(server.next_seen().line);
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("goes on"), "{}", stderr(&output));
    lines.extend(server.all_seen().into_iter().map(|seen| seen.line));
    assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
}

#[test]
fn a_path_given_as_an_id_stays_an_id() {
    let server = Server::start(|_| problem(404, "not_found", &json!([])));
    server.run(&["jobs", "show", "a/../b?c"]);
    assert_eq!(server.next_seen().line, "GET /v1/jobs/a%2F..%2Fb%3Fc");
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let server = Server::start(|seen| match seen.line.as_str() {
        "GET /health" => ok(&json!({ "status": "healthy", "store": { "kind": "sqlite", "status": "healthy" } })),
        "GET /ready" => ok(&json!({})),
        _ => problem(401, "unauthorized", &json!([])),
    });
    let output = server.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(5));
    let document: Value = serde_json::from_str(stdout(&output)).unwrap();
    let marks: Vec<(&str, &str)> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["check"].as_str().unwrap(), check["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        marks,
        [
            ("server", "ok"),
            ("health", "ok"),
            ("clock", "ok"),
            ("ready", "ok"),
            ("key", "fail")
        ]
    );
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = remuda("http://127.0.0.1:1", &["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(stdout(&output).contains("dead-letters"), "{shell}");
    }
}
