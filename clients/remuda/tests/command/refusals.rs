//! What goes wrong, how it is told, and the exit code.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{JOB, Reply, Server, job, ok, problem, remuda, stderr, stdout};

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
