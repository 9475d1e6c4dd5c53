//! The whole matrix, store by store.

use std::path::Path;

use crash_tests::{matrix, place::Ground};

/// The program that is killed.
const PROGRAM: &str = env!("CARGO_BIN_EXE_crash-matrix");

/// Runs the whole matrix on `DynamoDB`, which takes about twenty minutes, when it is set.
const WHOLE: &str = "REMUDA_CRASH_WHOLE";

/// What is tried there otherwise.
const SAMPLE: &str = "submit: in the place of the job that holds the dedup key";

#[tokio::test]
async fn whatever_is_killed_wherever_comes_right_on_sqlite() {
    comes_right(Ground::Sqlite, |_| true).await;
}

#[tokio::test]
async fn whatever_is_killed_wherever_comes_right_on_postgres() {
    comes_right(Ground::Postgres, |_| true).await;
}

#[tokio::test]
async fn what_is_killed_comes_right_on_dynamodb() {
    let whole = std::env::var_os(WHOLE).is_some();
    comes_right(Ground::Dynamodb, |name| whole || name == SAMPLE).await;
}

async fn comes_right(ground: Ground, is_wanted: impl Fn(&str) -> bool) {
    let matrix = matrix::run(ground, Path::new(PROGRAM), is_wanted)
        .await
        .expect("the store is there");
    println!("{matrix}");
    assert!(matrix.crashes() > 0, "somebody was killed");
    assert!(matrix.faults().is_empty(), "{}", matrix.faults().join("\n"));
}
