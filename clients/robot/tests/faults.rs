//! Answers that get lost, servers that go away, robots that come back.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod common;

use common::fixture::Fixture;
use remuda_robot::{Ended, RunError};
use serde_json::json;

#[tokio::test]
async fn no_lost_answer_strands_a_job_or_runs_it_twice() {
    let fixture = Fixture::new(1, &[("w", "echo run >> \"$HERE/runs\"")]).await;
    fixture.server.change(|state| {
        state
            .answers_lost
            .extend([("session", 1), ("sync", 3), ("finish", 1), ("log", 1)]);
    });
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_finished("a").await;
    fixture.server.until_told("finish answer lost").await;
    fixture.server.until_told("a finished").await;
    robot.drain().await;
    assert_eq!(std::fs::read_to_string(fixture.path("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn an_unanswered_finish_is_sent_by_the_next_process() {
    let fixture = Fixture::new(1, &[("w", "echo '::remuda result 7'")]).await;
    let refusal = json!({ "code": "store_unavailable" });
    fixture
        .server
        .change(|state| state.refusals.insert("finish", (u32::MAX, 503, refusal)));
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_told("finish refused").await;
    robot.shutdown.stop();
    assert_eq!(robot.end().await.unwrap(), Ended::Stopped);
    assert_eq!(fixture.outbox(), 1, "it is kept");
    fixture.server.until_told("session holding [\"a\"]").await;

    fixture.server.change(|state| state.refusals.clear());
    let robot = fixture.start();
    assert_eq!(
        fixture.server.until_finished("a").await,
        json!({ "lease_token": "lt_a", "outcome": "succeeded", "result": 7 })
    );
    robot.drain().await;
    assert_eq!(fixture.outbox(), 0, "it is answered");
}

#[tokio::test]
async fn a_finish_that_came_too_late_is_dropped() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    fixture.server.change(|state| {
        state
            .refusals
            .insert("finish", (1, 409, json!({ "code": "lease_lost" })))
    });
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_told("finish refused").await;
    fixture.server.submit("b", "w");
    fixture.server.until_finished("b").await;
    robot.drain().await;
    assert_eq!(fixture.outbox(), 0);
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
}

#[tokio::test]
async fn a_finish_that_the_server_finds_wrong_ends_the_attempt_all_the_same() {
    let fixture = Fixture::new(1, &[("w", "echo '::remuda result 7'")]).await;
    let refusal = json!({ "code": "payload_too_large", "detail": "the result is too large" });
    fixture
        .server
        .change(|state| state.refusals.insert("finish", (1, 413, refusal)));
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    let finish = fixture.server.until_finished("a").await;
    assert_eq!(
        (&finish["outcome"], &finish["error"]["kind"], &finish["error"]["code"]),
        (&json!("failed"), &json!("business"), &json!("finish_refused"))
    );
    assert!(
        finish["error"]["message"]
            .as_str()
            .unwrap()
            .contains("the result is too large"),
        "{finish}"
    );
    robot.drain().await;
    assert_eq!(fixture.outbox(), 0);
}

#[tokio::test]
async fn a_stale_sequence_opens_a_new_session_that_keeps_what_runs() {
    let fixture = Fixture::new(
        1,
        &[(
            "w",
            "echo begun > \"$HERE/alive\"; until [ -e \"$HERE/go\" ]; do sleep 0.05; done",
        )],
    )
    .await;
    let begun = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    begun.end().await;
    fixture.server.change(|state| {
        state
            .refusals
            .insert("sync", (1, 409, json!({ "code": "stale_sequence" })))
    });
    fixture.server.until_told("session holding [\"a\"]").await;
    std::fs::write(fixture.path("go"), "").unwrap();
    assert_eq!(fixture.server.until_finished("a").await["outcome"], "succeeded");
    robot.drain().await;
}

#[tokio::test]
async fn a_session_of_our_own_that_came_about_late_does_not_end_the_robot() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    fixture.server.change(|state| {
        state.answers_lost.insert("session", 1);
        state
            .refusals
            .insert("sync", (1, 409, json!({ "code": "session_superseded" })));
    });
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_finished("a").await;
    robot.drain().await;
}

#[tokio::test]
async fn a_robot_whose_key_is_refused_says_what_to_do() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    let robot = fixture.start();
    fixture.server.until_told("session holding []").await;
    fixture.server.change(|state| {
        state
            .refusals
            .insert("sync", (1, 401, json!({ "code": "unauthorized" })))
    });
    let error = robot.end().await.unwrap_err();
    assert!(matches!(error, RunError::KeyRefused { .. }), "{error}");
    assert!(error.to_string().contains("robot.json"), "{error}");
}

#[tokio::test]
async fn a_new_robot_without_a_registration_key_says_what_to_do() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    let text = std::fs::read_to_string(fixture.settings_file()).unwrap();
    std::fs::write(
        fixture.settings_file(),
        text.replace("registration_key", "# registration_key"),
    )
    .unwrap();
    let error = fixture.start().end().await.unwrap_err();
    assert!(matches!(error, RunError::NoRegistrationKey), "{error}");
}
