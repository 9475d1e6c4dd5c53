//! Answers as they are printed.

use serde_json::{Value, json};

use crate::support::{Reply, Server, job, ok, problem, remuda, stdout};

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
fn a_path_given_as_an_id_stays_an_id() {
    let server = Server::start(|_| problem(404, "not_found", &json!([])));
    server.run(&["jobs", "show", "a/../b?c"]);
    assert_eq!(server.next_seen().line, "GET /v1/jobs/a%2F..%2Fb%3Fc");
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = remuda("http://127.0.0.1:1", &["completions", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(stdout(&output).contains("dead-letters"), "{shell}");
    }
}
