//! The program itself: its exit codes, its signals, and what becomes of its commands when it is killed.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod common;

use std::process::Stdio;

use common::fixture::Fixture;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

fn command(fixture: &Fixture) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remuda-robot"));
    command
        .arg("--settings")
        .arg(fixture.settings_file())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for name in ["REMUDA_URL", "REMUDA_REGISTRATION_KEY"] {
        command.env_remove(name);
    }
    command
}

fn signal(robot: &Child, signal: Signal) {
    kill(Pid::from_raw(robot.id().unwrap().try_into().unwrap()), signal).unwrap();
}

async fn exit_code(robot: Child) -> (Option<i32>, String) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
    let output = tokio::time::timeout(PATIENCE, robot.wait_with_output())
        .await
        .expect("the robot ends")
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_killed_robot_leaves_no_command_behind_and_comes_back_holding_nothing() {
    let script = r#"
        trap '' TERM
        exec 3> "$HERE/alive"
        sh -c 'echo grandchild >&3; echo "::remuda progress 1 up"; while :; do sleep 0.1; done' &
        while :; do sleep 0.1; done
    "#;
    let fixture = Fixture::new(1, &[("w", script), ("next", "true")]).await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = command(&fixture).spawn().unwrap();
    fixture.server.until_progress("a").await;
    signal(&robot, Signal::SIGKILL);
    assert_eq!(alive.end().await, "grandchild\n");

    fixture.server.change(|state| state.story.clear());
    fixture.server.submit("b", "next");
    let robot = command(&fixture).spawn().unwrap();
    fixture.server.until_told("session holding []").await;
    fixture.server.until_finished("b").await;
    signal(&robot, Signal::SIGTERM);
    let (code, log) = exit_code(robot).await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let fixture = Fixture::new(
        1,
        &[(
            "w",
            "exec 3> \"$HERE/alive\"; echo begun >&3; echo ::remuda progress 1 up; while :; do sleep 0.05; done",
        )],
    )
    .await;
    let alive = fixture.life_line();
    fixture.server.submit("a", "w");
    let robot = command(&fixture).spawn().unwrap();
    fixture.server.until_progress("a").await;
    signal(&robot, Signal::SIGINT);
    fixture.server.until_told("draining").await;
    signal(&robot, Signal::SIGTERM);
    let (code, log) = exit_code(robot).await;
    assert_eq!(code, Some(6), "{log}");
    alive.end().await;
}

#[tokio::test]
async fn two_processes_never_share_a_state_folder() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    let first = command(&fixture).spawn().unwrap();
    fixture.server.until_told("session holding []").await;
    let (code, log) = exit_code(command(&fixture).spawn().unwrap()).await;
    assert_eq!(code, Some(3), "{log}");
    assert!(
        log.contains(&format!(
            "another robot (process {}) uses the state folder",
            first.id().unwrap()
        )),
        "{log}"
    );
}

#[tokio::test]
async fn check_tells_what_is_wrong_and_starts_nothing() {
    let fixture = Fixture::new(1, &[("w", "true")]).await;
    assert_eq!(
        exit_code(command(&fixture).arg("--check").spawn().unwrap()).await.0,
        Some(0)
    );
    let text = std::fs::read_to_string(fixture.settings_file()).unwrap();
    std::fs::write(
        fixture.settings_file(),
        text.replace("max_jobs = 1", "max_jobs = \"one\"")
            .replace("name =", "nam ="),
    )
    .unwrap();
    let (code, log) = exit_code(command(&fixture).arg("--check").spawn().unwrap()).await;
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("has 3 mistakes:\n  - `max_jobs` must be"), "{log}");
    assert!(!fixture.path("state").exists());
}
