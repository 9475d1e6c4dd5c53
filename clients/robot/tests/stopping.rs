//! Work that has to stop: cancelled, lost, out of time, or with its robot.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod common;

use common::fixture::Fixture;
use remuda_robot::{Ended, RunError};
use serde_json::json;

/// Holds the life line, together with a grandchild in the background, and says so.
const STUBBORN: &str = r#"
    trap '' TERM
    exec 3> "$HERE/alive"
    sh -c 'trap "" TERM; echo grandchild >&3; echo "::remuda progress 1 up"; while :; do sleep 0.1; done' &
    while :; do sleep 0.1; done
"#;

/// Holds the life line until it is told to stop.
const BUSY: &str = r#"
    exec 3> "$HERE/alive"
    echo begun >&3
    echo "::remuda progress 1 up"
    while :; do sleep 0.05; done
"#;

#[tokio::test]
async fn a_cancelled_job_is_stopped_politely() {
    let script = "trap 'echo tidied > \"$HERE/tidied\"; exit 0' TERM; echo ready > \"$HERE/alive\"; while :; do sleep 0.05; done";
    let fixture = Fixture::new(1, &[("w", script)]).await;
    let ready = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    assert_eq!(ready.end().await, "ready\n");
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().status = Some("cancel"));
    assert_eq!(
        fixture.server.until_finished("a").await,
        json!({ "lease_token": "lt_a", "outcome": "cancelled" })
    );
    assert!(fixture.path("tidied").exists(), "it had time to tidy up");
    robot.drain().await;
}

#[tokio::test]
async fn a_cancelled_job_that_will_not_stop_is_killed_with_all_its_children() {
    let fixture = Fixture::new(1, &[("w", STUBBORN)]).await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().grace_ms = 200);
    let robot = fixture.start();
    fixture.server.until_progress("a").await;
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().status = Some("cancel"));
    assert_eq!(fixture.server.until_finished("a").await["outcome"], "cancelled");
    assert_eq!(alive.end().await, "grandchild\n");
    robot.drain().await;
}

#[tokio::test]
async fn a_job_that_completes_while_it_is_cancelled_has_succeeded() {
    let script =
        "trap 'echo \"::remuda result 1\"; exit 0' TERM; echo ready > \"$HERE/alive\"; while :; do sleep 0.05; done";
    let fixture = Fixture::new(1, &[("w", script)]).await;
    let ready = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    ready.end().await;
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().status = Some("cancel"));
    assert_eq!(
        fixture.server.until_finished("a").await,
        json!({ "lease_token": "lt_a", "outcome": "succeeded", "result": 1 })
    );
    robot.drain().await;
}

#[tokio::test]
async fn a_lost_job_is_stopped_and_not_reported() {
    let fixture = Fixture::new(1, &[("w", BUSY), ("next", "true")]).await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_progress("a").await;
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().status = Some("lost"));
    assert_eq!(alive.end().await, "begun\n");
    // Its slot is free again.
    fixture.server.submit("b", "next");
    fixture.server.until_finished("b").await;
    robot.drain().await;
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
}

#[tokio::test]
async fn work_stops_when_its_lease_cannot_be_renewed() {
    let fixture = Fixture::new(1, &[("w", BUSY)]).await;
    let alive = fixture.life_line();
    fixture.server.change(|state| state.lease_ttl_ms = 1500);
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_progress("a").await;
    let refusal = json!({ "code": "store_unavailable" });
    fixture
        .server
        .change(|state| state.refusals.insert("sync", (u32::MAX, 503, refusal)));
    assert_eq!(alive.end().await, "begun\n");
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
    // The belated answer renews what has stopped: a new session that does not hold it sets the server right.
    fixture.server.change(|state| {
        state.story.clear();
        state.refusals.clear();
    });
    fixture.server.until_told("session holding []").await;
    robot.drain().await;
}

#[tokio::test]
async fn a_job_past_its_run_timeout_is_stopped_and_left_to_the_servers_timer() {
    let fixture = Fixture::new(1, &[("w", BUSY), ("next", "true")]).await;
    let alive = fixture.life_line();
    fixture
        .server
        .submit_with("a", "w", &json!({ "run_timeout_seconds": 2 }));
    let robot = fixture.start();
    assert_eq!(alive.end().await, "begun\n");
    fixture.server.submit("b", "next");
    // Still listed, so that it does not count as lost; its slot is taken until the server has spoken.
    let seq = fixture.server.state().last_sync.as_ref().unwrap().1;
    fixture
        .server
        .until("syncs that list it", |state| {
            let (_, now, body) = state.last_sync.as_ref()?;
            (*now > seq + 1 && body["running"][0]["job_id"] == "a" && body["free_slots"] == 0).then_some(())
        })
        .await;
    fixture
        .server
        .change(|state| state.jobs.get_mut("a").unwrap().status = Some("lost"));
    fixture.server.until_finished("b").await;
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
    robot.drain().await;
}

#[tokio::test]
async fn draining_finishes_what_runs_and_gives_back_what_does_not() {
    let fixture = Fixture::new(
        2,
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
    robot.shutdown.drain();
    // Handed out by the very answers that cross the robot's word that it drains.
    fixture
        .server
        .until("the drain", |state| {
            state.story.contains(&"draining".to_owned()).then_some(())
        })
        .await;
    fixture.server.submit("b", "w");
    fixture.server.change(|state| {
        let job = state.jobs.get_mut("b").unwrap();
        job.given = true;
        let assignment = job.assignment.clone();
        state.refusals.insert(
            "sync",
            (
                1,
                200,
                json!({ "next_sync_ms": 50, "leases": [], "assign": [assignment], "directives": [] }),
            ),
        );
    });
    fixture.server.until_told("b released").await;
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
    std::fs::write(fixture.path("go"), "").unwrap();
    assert_eq!(robot.end().await.unwrap(), Ended::Drained);
    assert_eq!(
        fixture.server.state().jobs["a"].finish.as_ref().unwrap()["outcome"],
        "succeeded"
    );
}

#[tokio::test]
async fn a_robot_stopped_at_once_kills_its_work_and_tells_that_it_holds_nothing() {
    let fixture = Fixture::new(1, &[("w", STUBBORN)]).await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_progress("a").await;
    fixture.server.change(|state| state.story.clear());
    robot.shutdown.drain();
    robot.shutdown.stop();
    assert_eq!(robot.end().await.unwrap(), Ended::Stopped);
    assert_eq!(alive.end().await, "grandchild\n");
    assert_eq!(fixture.server.state().story.last().unwrap(), "session holding []");
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
}

#[tokio::test]
async fn a_superseded_robot_stops_its_work_and_ends() {
    let fixture = Fixture::new(1, &[("w", BUSY)]).await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = fixture.start();
    fixture.server.until_progress("a").await;
    fixture.server.change(|state| state.epoch += 1);
    let error = robot.end().await.unwrap_err();
    assert!(matches!(error, RunError::Superseded), "{error}");
    assert_eq!(alive.end().await, "begun\n");
    assert_eq!(fixture.server.state().jobs["a"].finish, None);
}
