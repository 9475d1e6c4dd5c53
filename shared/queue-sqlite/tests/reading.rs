//! How `SQLite` goes about each statement: by an index whose entries it reads in order, never over the whole table.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs};

use queue_sqlite::SqliteStore;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// The files that hold statements.
const SOURCES: [&str; 3] = ["src/reads.rs", "src/commit.rs", "src/blobs.rs"];

#[tokio::test]
async fn no_statement_goes_over_a_whole_table_or_sorts_what_an_index_has_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let path = path.to_str().unwrap();
    SqliteStore::open(path).await.unwrap().migrate().await.unwrap();
    let mut connection = SqliteConnection::connect(path).await.unwrap();

    let mut found = BTreeSet::new();
    let sources = SOURCES.map(|source| fs::read_to_string(source).unwrap());
    for source in &sources {
        for (name, statement) in statements(source) {
            found.insert(name);
            let plan = plan(&mut connection, statement).await;
            for step in &plan {
                let whole =
                    step.starts_with("SCAN ") && !is_small(step) && !(name == "DEPTH" && step.contains("record_ready"));
                assert!(!whole, "{name}: {plan:#?}");
            }
            // What is put together from several lanes or shelves is sorted, and no more of it than was asked for.
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            assert!(!sorts || ["READY", "LIST"].contains(&name), "{name}: {plan:#?}");
        }
    }
    let expected = [
        "LOAD", "LANES", "READY", "DUE", "LIST", "COUNT", "DEPTH", "SCAN", "INSERT", "UPDATE", "EXPIRED", "BLOBS",
        "NAMES",
    ];
    assert!(expected.iter().all(|name| found.contains(name)), "{found:?}");
}

/// The statements of a source by the names of their constants.
fn statements(source: &str) -> Vec<(&str, &str)> {
    let constants = source.split("const ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(": &str = \"")?;
        Some((name, rest.split_once("\";")?.0))
    });
    constants
        .filter(|(_, text)| text.contains("record") || text.contains("blob"))
        .collect()
}

/// Whether a step goes over what was asked for, or found so far, and not over a table.
fn is_small(step: &str) -> bool {
    ["VIRTUAL TABLE", "SCAN found", "SCAN (subquery", "CONSTANT ROW"]
        .iter()
        .any(|small| step.contains(small))
}

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("explain query plan {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}
