//! What is not copied, what is said of it, and the exit code.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{copy, run, sqlite, sqs};

/// A file with a schema and a key in it.
fn filled(folder: &TempDir, name: &str) -> String {
    let store = sqlite(folder, name);
    let migrated = run(&["store", "migrate", "--store", &store]);
    assert_eq!(migrated.exit, Some(0), "{migrated:?}");
    let words = [
        "keys", "create", "--store", &store, "--tenant", "acme", "--name", "ci", "--scope", "admin",
    ];
    let created = run(&words);
    assert_eq!(created.exit, Some(0), "{created:?}");
    store
}

#[test]
fn a_target_that_is_not_empty_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (from, other) = (filled(&folder, "from.db"), filled(&folder, "other.db"));
    let table = sqs();
    assert_eq!(copy(&other, &table, &[]).exit, Some(0));
    for (number, to) in [other, table].into_iter().enumerate() {
        let before = contents(&folder, &to, &format!("before-{number}.db"));
        let refused = copy(&from, &to, &[]);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        let said = &refused.stderr;
        assert!(said.starts_with("error: the target is not empty: it holds "), "{said}");
        assert!(said.ends_with("\n  name a target that is empty\n"), "{said}");

        let refused = copy(&from, &to, &["--json"]);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        let error = refused.error();
        assert_eq!(error["exit_code"], 1, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("the target is not empty"), "{message}");
        assert_eq!(contents(&folder, &to, &format!("after-{number}.db")), before);
    }
}

/// What a store holds, as a copy of it to this file tells.
fn contents(folder: &TempDir, store: &str, file: &str) -> Value {
    let copied = copy(store, &sqlite(folder, file), &["--json"]);
    assert_eq!(copied.exit, Some(0), "{copied:?}");
    copied.json()["kinds"].clone()
}

#[test]
fn a_target_that_has_a_schema_and_nothing_else_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(&folder, "from.db");
    for to in [sqlite(&folder, "to.db"), sqs()] {
        let migrated = run(&["store", "migrate", "--store", &to]);
        assert_eq!(migrated.exit, Some(0), "{migrated:?}");
        let copied = copy(&from, &to, &[]);
        assert_eq!((copied.exit, copied.stderr.as_str()), (Some(0), ""), "{copied:?}");
        let lines: Vec<Vec<&str>> = copied
            .stdout
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["KIND", "RECORDS", "BLOBS", "BYTES"]);
        let counts = lines[1..].iter().map(|line| line[..3].join(" "));
        assert_eq!(counts.collect::<Vec<_>>(), ["keys 1 0", "tenants 1 0", "all 2 0"]);
    }
}

#[test]
fn an_address_that_is_none_is_a_mistake_of_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (filled(&folder, "from.db"), sqlite(&folder, "to.db"));
    for (from, to, told) in [
        (
            from.as_str(),
            "sqs://ab",
            "error: --to cannot be used: a table's name has 3 to 255",
        ),
        (
            "sqs://table?colour=red",
            &to,
            "error: --from cannot be used: its parameters are",
        ),
        (&from, "sqs://table?queue=hints", "`queue` must be the URL of a queue"),
        (&from, "mysql://me:secret@host/x", "error: --to must be sqlite:PATH"),
        ("sqlite::memory:", &to, "error: --from is in memory"),
        (&from, &from, "error: --from and --to are the same store"),
    ] {
        let refused = copy(from, to, &[]);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains(told), "{refused:?}");
        assert!(!refused.stderr.contains("secret"), "{refused:?}");
        assert_eq!(copy(from, to, &["--json"]).error()["exit_code"], 2);
    }
    let refused = run(&["store", "copy", "--from", &from]);
    assert_eq!(refused.exit, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--to <STORE>"), "{refused:?}");
    assert!(!folder.path().join("to.db").exists());
}

#[test]
fn a_store_that_is_not_there_is_told_and_no_target_is_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (filled(&folder, "from.db"), sqlite(&folder, "to.db"));
    let nowhere = "http://127.0.0.1:1";
    for (from, to, side, told) in [
        (
            sqlite(&folder, "missing.db"),
            to.clone(),
            "the source: ",
            "remuda store migrate",
        ),
        (sqs(), to.clone(), "the source: ", "there is no such table"),
        (
            format!("sqs://table?dynamodb={nowhere}"),
            to.clone(),
            "the source: ",
            "Connection refused",
        ),
        (
            from.clone(),
            format!("sqs://table?dynamodb={nowhere}"),
            "the target: ",
            "Connection refused",
        ),
        (
            "postgres://127.0.0.1:1/x".to_owned(),
            to.clone(),
            "the source: ",
            "the store is out of reach",
        ),
    ] {
        let refused = copy(&from, &to, &["--json"]);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(3), ""), "{refused:?}");
        let error = refused.error();
        assert_eq!(error["exit_code"], 3, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(side) && message.contains(told), "{error}");
    }
    let files = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["from.db"]);
}
