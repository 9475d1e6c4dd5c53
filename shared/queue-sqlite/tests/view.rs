//! The view `jobs`: what people see who ask in SQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use domain::{
    LabelName,
    job::{ErrorKind, JobError, Outcome},
};
use queue_conformance::kit::{Kit, secs};
use queue_sqlite::SqliteStore;
use sqlx::{Connection, Row, SqliteConnection};

#[tokio::test]
async fn jobs_are_seen_with_plain_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let store = SqliteStore::open(path.to_str().unwrap()).await.unwrap();
    store.migrate().await.unwrap();
    let mut sql = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let kit = Kit::new(Arc::new(store));

    let robot = kit.robot(1).await;
    let failed = kit
        .submit_spec(|spec| {
            spec.retry.max_attempts = 1;
            spec.labels
                .insert(LabelName::parse("team").unwrap(), "finance".to_owned());
        })
        .await;
    let held = robot.begin().await;
    kit.pass(secs(5));
    let error = JobError {
        kind: ErrorKind::Business,
        code: Some("E1".to_owned()),
        message: "a\\u0000".to_owned(),
    };
    robot
        .finish(
            &held,
            Outcome::Failed {
                error,
                retry_after_seconds: None,
            },
            None,
        )
        .await
        .unwrap();
    let ready = kit.submit_plain().await;

    let row = sqlx::query(
        "select concat_ws('|', state, reason, priority, attempt, attempts_started, max_attempts, robot,
                          labels ->> '$.team', error_kind, error_code, error_message,
                          unixepoch(finished_at) - unixepoch(started_at), tenant, queue, ready_at = created_at,
                          leased_at is not null, version > 3) as text
         from jobs where id = ?1",
    );
    let row: String = row
        .bind(failed.to_text())
        .fetch_one(&mut sql)
        .await
        .unwrap()
        .get("text");
    let expected = format!(
        "failed|business_error|5|1|1|1|{}|finance|business|E1|a\\u0000|5|default|default|1|1|1",
        robot.id
    );
    assert_eq!(row, expected);

    let row =
        sqlx::query("select concat_ws('|', state, robot is null, labels, created_at) as text from jobs where id = ?1");
    let row: String = row.bind(ready.to_text()).fetch_one(&mut sql).await.unwrap().get("text");
    assert_eq!(row, format!("ready|1|{{}}|{}", kit.now()));
}
