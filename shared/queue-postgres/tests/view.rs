//! The view `jobs`: what people see who ask in SQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use domain::{
    LabelName,
    job::{ErrorKind, JobError, Outcome},
};
use queue_conformance::kit::{Kit, secs};
use queue_postgres::{PostgresOptions, PostgresStore};
use std::sync::Arc;

#[tokio::test]
async fn jobs_are_seen_with_plain_columns() {
    let cluster = servers::shared().unwrap();
    let url = cluster.fresh_database().unwrap();
    let database = url.rsplit_once('/').unwrap().1;
    let store = PostgresStore::connect(&url, PostgresOptions { max_connections: 2 })
        .await
        .unwrap();
    store.migrate().await.unwrap();
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
    // A NUL is text as any other to the queue, but not to Postgres; and a backslash before `u0000` is no NUL.
    let error = JobError {
        kind: ErrorKind::Business,
        code: Some("E1".to_owned()),
        message: "a\0\0b\\u0000".to_owned(),
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
    let scheduled = kit.submit_plain().await;

    let sql = |statement: &str| cluster.sql(database, statement).unwrap().trim().to_owned();
    let row = sql(&format!(
        "select state, reason, priority, attempt, attempts_started, max_attempts, robot, labels ->> 'team', error_kind,
                error_code, error_message, extract(epoch from finished_at - started_at)::integer, tenant, queue,
                ready_at = created_at, leased_at is not null, version > 3
         from jobs where id = '{failed}'"
    ));
    let expected = format!(
        "failed|business_error|5|1|1|1|{}|finance|business|E1|a\u{fffd}\u{fffd}b\\u0000|5|default|default|t|t|t",
        robot.id
    );
    assert_eq!(row, expected);
    assert_eq!(
        sql(&format!(
            "select state, robot is null, labels from jobs where id = '{ready}'"
        )),
        "ready|t|{}"
    );
    assert_eq!(
        sql("select state, count(*) from jobs group by 1 order by 1"),
        "failed|1\nready|2"
    );
    assert_eq!(
        sql(&format!(
            "select extract(epoch from created_at) from jobs where id = '{scheduled}'"
        )),
        "1790000005.000000"
    );
}
