//! What only a file has: it is made, moved, replaced, shared with another process, and full of nonsense.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, pin::pin};

use futures::{FutureExt, future::join_all, poll};
use queue::store::{Committed, Record, Store, StoreError};
use queue_conformance::samples::{job, job_key, load, put};
use queue_sqlite::SqliteStore;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

const NAME: &str = "queue.db";

#[tokio::test]
async fn no_file_is_made_but_by_migrating() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    for error in [
        store.ping().await.unwrap_err(),
        store.load(&[job_key("a")]).await.unwrap_err(),
    ] {
        assert_unavailable(&error, "remuda store migrate");
    }
    assert!(
        store
            .migrations()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied_at.is_none() && step.intact)
    );
    assert!(!folder.path().join(NAME).exists());

    let applied = store.migrate().await.unwrap();
    assert_eq!(applied.len(), store.migrations().await.unwrap().len());
    assert!(
        store
            .migrations()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied_at.is_some() && step.intact)
    );
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_file_without_a_schema_says_what_to_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), "").unwrap();
    let store = open(&folder).await;
    for error in [
        store.ping().await.unwrap_err(),
        store.load(&[job_key("a")]).await.unwrap_err(),
        store.commit(vec![job("a").into()]).await.unwrap_err(),
    ] {
        assert_unavailable(&error, "remuda store migrate");
    }
}

#[tokio::test]
async fn what_was_answered_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = migrated(&folder).await;
    let kept = put(&store, job("kept")).await;
    store.close().await;
    drop(store);
    assert_eq!(load(&open(&folder).await, &kept.key).await, Some(kept));
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_missed_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = migrated(&folder).await;
    let kept = put(&store, job("kept")).await;

    let elsewhere = tempfile::tempdir().unwrap();
    move_all(folder.path(), elsewhere.path());
    for error in [
        store.ping().await.unwrap_err(),
        store.load(&[job_key("kept")]).await.unwrap_err(),
        store.commit(vec![job("lost").into()]).await.unwrap_err(),
    ] {
        assert_unavailable(&error, "there is no file");
    }
    assert!(!folder.path().join(NAME).exists());

    move_all(elsewhere.path(), folder.path());
    assert_eq!(load(&store, &kept.key).await, Some(kept));
    put(&store, job("new")).await;
    assert_eq!(load(&store, &job_key("lost")).await, None);
}

#[tokio::test]
async fn a_file_that_is_replaced_is_told_once_and_then_used() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = migrated(&folder).await;
    put(&store, job("old")).await;
    let backup = migrated(&other).await;
    let restored = put(&backup, job("restored")).await;
    backup.close().await;

    fs::rename(folder.path(), folder.path().with_extension("old")).unwrap();
    fs::rename(other.path(), folder.path()).unwrap();
    assert_unavailable(
        &store.commit(vec![job("new").into()]).await.unwrap_err(),
        "was moved or replaced",
    );
    assert_eq!(load(&store, &restored.key).await, Some(restored));
    assert_eq!(load(&store, &job_key("old")).await, None);
    put(&store, job("new")).await;
    fs::remove_dir_all(folder.path().with_extension("old")).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), "horses, not tables. ".repeat(1_000)).unwrap();
    let error = open(&folder).await.load(&[job_key("a")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_corrupt_and_the_others_can() {
    let folder = tempfile::tempdir().unwrap();
    let store = migrated(&folder).await;
    for id in ["bad", "good"] {
        put(&store, job(id)).await;
    }
    let mut beside = connect(&folder).await;
    sqlx::query("update record set version = -1 where id = 'bad'")
        .execute(&mut beside)
        .await
        .unwrap();
    let error = store.load(&[job_key("bad")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(load(&store, &job_key("good")).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_wait_for_no_writer_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = migrated(&folder).await;
    let kept = put(&store, job("kept")).await;
    let mut beside = connect(&folder).await;
    let mut transaction = beside.begin_with("begin immediate").await.unwrap();
    sqlx::query("delete from record")
        .execute(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(load(&store, &kept.key).await.as_ref(), Some(&kept));

    // A write waits for it, and is done when it is over.
    let write = tokio::spawn({
        let store = store.clone();
        async move { store.commit(vec![job("new").into()]).await }
    });
    transaction.rollback().await.unwrap();
    assert_eq!(write.await.unwrap().unwrap(), [Committed::Done]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_guard_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [migrated(&folder).await, open(&folder).await];
    put(
        &stores[0],
        Record {
            body: "0".to_owned(),
            ..job("counter")
        },
    )
    .await;
    let tasks = stores.iter().cycle().take(8).cloned().map(|store| {
        tokio::spawn(async move {
            for _ in 0..10 {
                while !increment(&store).await {}
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(load(&stores[1], &job_key("counter")).await.unwrap().body, "80");
}

async fn increment(store: &SqliteStore) -> bool {
    let counter = load(store, &job_key("counter")).await.unwrap();
    let body = (counter.body.parse::<u32>().unwrap() + 1).to_string();
    store.commit(vec![Record { body, ..counter }.into()]).await.unwrap() == [Committed::Done]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_together_are_written_together() {
    const CALLS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let store = migrated(&folder).await;
    let log = folder.path().join(format!("{NAME}-wal"));
    put(&store, job("first")).await;
    let before = fs::metadata(&log).unwrap().len();
    put(&store, job("second")).await;
    let one_transaction = fs::metadata(&log).unwrap().len() - before;

    let mut beside = connect(&folder).await;
    let transaction = beside.begin_with("begin immediate").await.unwrap();
    let mut calls = pin!(join_all(
        (0..CALLS).map(|number| put(&store, job(&number.to_string())).boxed())
    ));
    // Asked once, every call has got in line.
    assert!(poll!(&mut calls).is_pending());
    let before = fs::metadata(&log).unwrap().len();
    transaction.rollback().await.unwrap();
    assert_eq!(calls.await.len(), CALLS);

    // Each transaction writes every page that it touches; so many of them would have written this much.
    let written = fs::metadata(&log).unwrap().len() - before;
    assert!(
        written < 4 * one_transaction * CALLS as u64 / 100,
        "{written} bytes, and {one_transaction} for one alone"
    );
}

async fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(folder.path().join(NAME).to_str().unwrap())
        .await
        .unwrap()
}

async fn migrated(folder: &TempDir) -> SqliteStore {
    let store = open(folder).await;
    store.migrate().await.unwrap();
    store
}

async fn connect(folder: &TempDir) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join(NAME));
    SqliteConnection::connect_with(&options).await.unwrap()
}

fn move_all(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::rename(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn assert_unavailable(error: &StoreError, expected: &str) {
    let StoreError::Unavailable(cause) = error else {
        panic!("{error:?}")
    };
    assert!(cause.to_string().contains(expected), "{cause}");
}
