//! A system that was at work moves from a file to DynamoDB and back, and goes on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::program::{copy, sqlite, sqs};
use crate::system::{Server, contents, fill};

#[tokio::test(flavor = "multi_thread")]
async fn a_system_moves_from_a_file_to_dynamodb_and_back_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (key, from, between, to) = (
        folder.path().join("admin.key"),
        sqlite(&folder, "from.db"),
        sqs(),
        sqlite(&folder, "to.db"),
    );
    let server = Server::start(&from, &key);
    let mut robot = fill(&server.admin()).await;
    let before = contents(&server.admin()).await;
    assert_eq!(states(&before["/v1/jobs"]), all_states());
    server.stop();

    let there = moved(&from, &between);
    let back = moved(&between, &to);
    // Each kind's records, with all that lies beside them, by count and checksum.
    assert_eq!(there["kinds"], back["kinds"]);
    assert_eq!(copy(&from, &to, &[]).exit, Some(1), "a copy is no empty target");

    let server = Server::start(&to, &key);
    let admin = server.admin();
    let after = contents(&admin).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (path, found) in &after {
        assert_eq!(found, &before[path], "{path}");
    }
    // The robot goes on with its key, its session and its leases.
    let answer = robot.sync(&admin, 0, &["runs", "leased"]).await;
    let leases = answer["leases"].as_array().unwrap().iter();
    assert_eq!(leases.map(|lease| &lease["status"]).collect::<Vec<_>>(), ["renewed"; 2]);
    for workflow in ["runs", "leased"] {
        let state = robot.finish(&admin, workflow, json!({ "outcome": "succeeded" })).await;
        assert_eq!(state, "succeeded", "{workflow}");
    }
    server.stop();
}

/// Copies, and gives what `--json` says of it.
fn moved(from: &str, to: &str) -> Value {
    let copied = copy(from, to, &["--json"]);
    assert_eq!((copied.exit, copied.stderr.as_str()), (Some(0), ""), "{copied:?}");
    let summary = copied.json();
    assert_eq!((&summary["from"], &summary["to"]), (&json!(from), &json!(to)));
    assert_eq!(summary["resumed"], false);
    let kinds = summary["kinds"].as_array().unwrap();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["jobs", "keys", "queues", "robots", "tenants"]));
    for field in ["records", "blobs", "bytes"] {
        let sum: u64 = kinds.iter().map(|kind| kind[field].as_u64().unwrap()).sum();
        assert_eq!(summary[field], sum, "{field}");
    }
    assert!(kinds.iter().all(|kind| kind["checksum"].as_str().unwrap().len() == 32));
    summary
}

fn states(jobs: &Value) -> BTreeSet<&str> {
    let jobs = jobs["items"].as_array().unwrap();
    jobs.iter().map(|job| job["state"].as_str().unwrap()).collect()
}

fn all_states() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "scheduled",
        "ready",
        "leased",
        "running",
        "succeeded",
        "failed",
        "timed_out",
        "cancelled",
    ])
}
