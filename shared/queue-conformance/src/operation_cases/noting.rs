//! Logs and checkpoints: what a robot writes beside a job while it works.

use domain::{Rejection, job::Outcome};
use queue::{CHECKPOINTS_MAX, LOG_CHUNKS_MAX, Refusal};

use crate::kit::{Held, Kit, LEASE, TestRobot};

async fn log_of(kit: &Kit, held: &Held, attempt: Option<u32>) -> String {
    let (attempt, length) = kit.engine.log_length(&kit.tenant, held.job, attempt).await.unwrap();
    let chunks = kit
        .engine
        .log_chunks(&kit.tenant, held.job, attempt, 0, length + 3)
        .await
        .unwrap();
    assert_eq!(chunks.len(), length as usize);
    String::from_utf8(chunks.concat()).unwrap()
}

fn lost(answer: Result<(), Refusal>) {
    let refusal = answer.expect_err("the lease is lost");
    assert!(matches!(refusal, Refusal::Job(Rejection::LeaseLost)), "{refusal:?}");
}

pub async fn a_log_grows_chunk_by_chunk(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert_eq!(log_of(kit, &held, None).await, "");
    robot.log(&held, 0, "one\n").await.unwrap();
    robot.log(&held, 1, "two\0\n").await.unwrap();
    assert_eq!(log_of(kit, &held, None).await, "one\ntwo\0\n");
    let second = kit.engine.log_chunks(&kit.tenant, held.job, 1, 1, 1).await.unwrap();
    assert_eq!(second, [b"two\0\n"]);
    assert!(
        kit.engine
            .log_chunks(&kit.tenant, held.job, 1, 2, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

pub async fn a_gap_in_a_log_is_refused_with_the_chunk_that_is_expected(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert!(matches!(
        robot.log(&held, 3, "x").await,
        Err(Refusal::LogGap { next_seq: 0 })
    ));
    robot.log(&held, 0, "one").await.unwrap();
    assert!(matches!(
        robot.log(&held, 2, "x").await,
        Err(Refusal::LogGap { next_seq: 1 })
    ));
    robot.log(&held, 1, "two").await.unwrap();
    assert_eq!(log_of(kit, &held, None).await, "onetwo");
}

pub async fn the_same_chunk_again_is_taken_and_another_is_a_conflict(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "one").await.unwrap();
    robot.log(&held, 1, "two").await.unwrap();
    robot.log(&held, 0, "one").await.unwrap();
    assert!(matches!(
        robot.log(&held, 0, "other").await,
        Err(Refusal::ChunkConflict)
    ));
    assert_eq!(log_of(kit, &held, None).await, "onetwo");
}

pub async fn a_log_has_its_bound(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    assert!(matches!(
        robot.log(&held, LOG_CHUNKS_MAX, "x").await,
        Err(Refusal::TooMany { .. })
    ));
}

pub async fn each_attempt_has_its_own_log(kit: &Kit) {
    kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let first = robot.begin().await;
    robot.log(&first, 0, "first").await.unwrap();
    robot.open_session(&[]).await;
    robot.log(&first, 1, " and on").await.unwrap();
    let second = robot.begin().await;
    lost(robot.log(&first, 2, "too late").await);
    robot.log(&second, 0, "second").await.unwrap();
    assert_eq!(log_of(kit, &second, None).await, "second", "by default the last one");
    assert_eq!(log_of(kit, &second, Some(1)).await, "first and on");
    assert_eq!(log_of(kit, &second, Some(9)).await, "");
}

pub async fn a_log_ends_with_its_attempt(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "one").await.unwrap();
    robot.fail(&held).await;
    lost(robot.log(&held, 1, "two").await);
    lost(robot.checkpoint(&held, "page", "1").await);
    assert_eq!(log_of(kit, &held, None).await, "one");
}

pub async fn a_log_ends_with_its_job(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    kit.cancel(job).await.unwrap();
    lost(robot.log(&held, 0, "one").await);
    lost(robot.checkpoint(&held, "page", "1").await);
}

/// The checkpoints that the next attempt gets.
async fn checkpoints(robot: &TestRobot) -> (Held, Vec<(String, String)>) {
    let answer = robot.sync(1, &[]).await;
    let given = &answer.assign[0];
    (given.into(), given.checkpoints.clone().into_iter().collect())
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub async fn the_next_attempt_gets_every_checkpoint(kit: &Kit) {
    kit.submit_spec(|spec| spec.retry.initial_seconds = 0).await;
    let robot = kit.robot(1).await;
    let (first, none) = checkpoints(&robot).await;
    assert!(none.is_empty());
    robot.checkpoint(&first, "page", "1").await.unwrap();
    robot.checkpoint(&first, "page", "2").await.unwrap();
    robot.checkpoint(&first, "login", r#"{"user":"\u0000"}"#).await.unwrap();
    robot.fail(&first).await;
    kit.sweep().await;
    let (second, got) = checkpoints(&robot).await;
    assert_eq!(got, pairs(&[("login", r#"{"user":"\u0000"}"#), ("page", "2")]));
    robot.checkpoint(&second, "page", "3").await.unwrap();
    robot.fail(&second).await;
    kit.sweep().await;
    let (_, got) = checkpoints(&robot).await;
    assert_eq!(got, pairs(&[("login", r#"{"user":"\u0000"}"#), ("page", "3")]));
}

pub async fn an_overtaken_attempt_spoils_no_checkpoint(kit: &Kit) {
    kit.submit_plain().await;
    let (robot, other) = (kit.robot(1).await, kit.robot(1).await);
    let first = robot.begin().await;
    robot.checkpoint(&first, "page", "1").await.unwrap();
    kit.pass_and_sweep(LEASE).await;
    robot.checkpoint(&first, "page", "2").await.unwrap();
    let (second, got) = checkpoints(&other).await;
    assert_eq!(got, pairs(&[("page", "2")]), "until the next one began it may write");
    other.checkpoint(&second, "page", "5").await.unwrap();
    lost(robot.checkpoint(&first, "page", "3").await);
    kit.pass_and_sweep(LEASE).await;
    let (_, got) = checkpoints(&other).await;
    assert_eq!(got, pairs(&[("page", "5")]));
}

pub async fn a_sync_again_gives_the_same_checkpoints(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let first = robot.begin().await;
    robot.checkpoint(&first, "page", "1").await.unwrap();
    kit.pass_and_sweep(LEASE).await;
    let request = robot.request(1, &[]);
    let answer = robot.send(request.clone()).await.unwrap();
    let second = Held::from(&answer.assign[0]);
    robot.checkpoint(&second, "page", "2").await.unwrap();
    assert_eq!(robot.send(request).await.unwrap().assign, answer.assign);
}

pub async fn there_are_so_many_checkpoints_and_no_more(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    for place in 0..CHECKPOINTS_MAX {
        robot.checkpoint(&held, &format!("step-{place}"), "1").await.unwrap();
    }
    assert!(matches!(
        robot.checkpoint(&held, "one-more", "1").await,
        Err(Refusal::TooMany { .. })
    ));
    robot.checkpoint(&held, "step-7", "2").await.unwrap();
}

pub async fn a_job_that_is_over_keeps_its_log(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.log(&held, 0, "done").await.unwrap();
    robot.finish(&held, Outcome::Succeeded, None).await.unwrap();
    assert_eq!(log_of(kit, &held, None).await, "done");
}
