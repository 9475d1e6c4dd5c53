//! A job followed to its end.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{JOB, Reply, Seen, Server, job, ok, stderr, stdout};

/// A job that runs, writes and then ends so.
fn job_that_ends(end: &Value) -> impl FnMut(&Seen) -> Reply + Send + use<> {
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
