//! A function in a process of its own, with Lambda's own runtime library, against the stand-in.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use runtime_api::{Observed, RuntimeApi, Start};
use serde_json::{Value, json};

/// More than any start takes on a machine that does much else.
const LONG: Duration = Duration::from_mins(1);

/// Too short for anything to be waited for without end, and too long to be over before a process runs.
const SHORT: Duration = Duration::from_millis(500);

async fn observe(program: &str, events: &[&str], patience: Duration) -> anyhow::Result<Observed> {
    let api = RuntimeApi::serve().await?;
    let events = events.iter().map(ToString::to_string).collect();
    api.observe(Start {
        program: Path::new(program),
        environment: &[],
        events,
        patience,
    })
    .await
}

const HELLO: &str = env!("CARGO_BIN_EXE_hello-lambda");

#[tokio::test(flavor = "multi_thread")]
async fn a_function_gets_its_events_one_after_the_other() {
    let observed = observe(HELLO, &["{}", "{\"a\":1}", "null"], LONG)
        .await
        .expect("it answers");
    assert_eq!(observed.answers.len(), 3);
    let mut before = observed.first_poll;
    for answer in &observed.answers {
        let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(said, json!({ "message": "hello" }));
        assert!(before < answer.since_start, "{observed:?}");
        assert!(answer.since_poll < answer.since_start, "{observed:?}");
        before = answer.since_start;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_events_ends_with_the_first_poll() {
    let observed = observe(HELLO, &[], LONG).await.expect("it polls");
    assert!(observed.answers.is_empty());
    assert!(observed.first_poll > Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_function_cannot_read_is_told_as_its_failure() {
    let error = observe(HELLO, &["no JSON"], LONG).await.expect_err("no answer");
    let error = format!("{error:#}");
    assert!(error.contains("it failed: "), "{error}");
    assert!(error.contains("errorMessage"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_never_asks_is_reported_and_not_waited_for() {
    let begun = Instant::now();
    // It goes on for ever.
    let error = observe("yes", &["{}"], SHORT).await.expect_err("no poll");
    assert!(format!("{error:#}").contains("asked for no event"), "{error:#}");
    assert!(begun.elapsed() < LONG, "it was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_is_reported_at_once() {
    let begun = Instant::now();
    let error = observe("false", &["{}"], LONG).await.expect_err("no poll");
    assert!(
        format!("{error:#}").contains("it ended early: exit status: 1"),
        "{error:#}"
    );
    assert!(begun.elapsed() < LONG, "it was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let error = observe("/nowhere/function", &[], LONG)
        .await
        .expect_err("nothing to start");
    assert!(format!("{error:#}").contains("/nowhere/function"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_one_stand_in_do_not_meet() {
    let api = RuntimeApi::serve().await.expect("serves");
    let start = |count: usize| Start {
        program: Path::new(HELLO),
        environment: &[],
        events: vec!["{}".to_owned(); count],
        patience: LONG,
    };
    let (two, five) = tokio::join!(api.observe(start(2)), api.observe(start(5)));
    assert_eq!(two.expect("it answers").answers.len(), 2);
    assert_eq!(five.expect("it answers").answers.len(), 5);
}
