//! One contestant, one fresh database, one task.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use bench_driver::{Case, Figures};
use clap::ValueEnum;
use serde::Serialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::install::Program;
use super::plan::{Step, Task};
use super::server::{Database, Server};

/// How much longer than it measures a driver may run: for the slowest preparation, a million jobs.
const PREPARATION_MAX: Duration = Duration::from_mins(30);

/// How many jobs a second are submitted where the time from submit to start is measured.
const LATENCY_RATE: f64 = 200.0;

/// How many of the last lines of a driver's complaint are told.
const COMPLAINT_LINES_MAX: usize = 6;

/// What came of one measurement.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) figures: Figures,
    /// Bytes of the log that the server wrote.
    pub(crate) wal_bytes: i64,
    /// Row versions that died.
    pub(crate) rows_died: i64,
    /// Dead row versions that lie there still.
    pub(crate) rows_dead: i64,
    /// Why there are no figures.
    pub(crate) failed: Option<String>,
}

/// Does a task and tells what came of each of its steps; what fails is told, and the rest of the task left out.
pub(crate) async fn run(server: &Server, program: &Program, task: &Task) -> anyhow::Result<Vec<(String, Outcome)>> {
    let database = server.fresh_database().await?;
    let outcomes = steps(&database, program, task).await;
    server.drop_database(&database).await?;
    Ok(outcomes)
}

async fn steps(database: &Database, program: &Program, task: &Task) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    let mut ready = call(database, program, Case::Setup, &task.steps[0]).await.map(drop);
    for step in &task.steps {
        let outcome = match ready {
            Ok(()) => measure(database, program, step, task.held).await,
            Err(error) => Err(error),
        };
        let failed = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let skipped = outcome.as_ref().is_ok_and(|it| it.figures.skipped.is_some());
        let outcome = outcome.unwrap_or_else(|_| Outcome {
            failed: failed.clone(),
            ..Outcome::default()
        });
        outcomes.push((step.name.clone(), outcome));
        if skipped || failed.is_some() {
            break;
        }
        ready = Ok(());
    }
    outcomes
}

async fn measure(database: &Database, program: &Program, step: &Step, held: bool) -> anyhow::Result<Outcome> {
    if step.preload > 0 {
        let load = Step {
            jobs: step.preload,
            ..step.clone()
        };
        call(database, program, Case::Preload, &load).await?;
    }
    database.settle().await?;
    let held = if held { Some(database.hold().await?) } else { None };
    let before = database.written().await?;
    let figures = call(database, program, step.case, step).await;
    let after = database.written().await?;
    if let Some(held) = held {
        held.release().await?;
    }
    Ok(Outcome {
        figures: figures?,
        wal_bytes: after.wal_bytes - before.wal_bytes,
        rows_died: after.rows_died - before.rows_died,
        rows_dead: after.rows_dead,
        failed: None,
    })
}

/// Calls a driver and reads the line that it prints.
async fn call(database: &Database, program: &Program, case: Case, step: &Step) -> anyhow::Result<Figures> {
    let name = case.to_possible_value().context("every case has a name")?;
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).envs(program.environment.clone());
    command.args(["--case", name.get_name(), "--url", &database.url]);
    for (argument, value) in [
        ("--jobs", step.jobs.to_string()),
        ("--batch", step.batch.to_string()),
        ("--workers", step.workers.to_string()),
        ("--seconds", step.seconds.to_string()),
        ("--rate", LATENCY_RATE.to_string()),
    ] {
        command.arg(argument).arg(value);
    }
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let time = PREPARATION_MAX + Duration::from_secs_f64(step.seconds);
    let output = timeout(time, output).await.context("the driver does not end")??;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", output.status, last_lines(&said));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("the driver said {line:?}"))
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.trim().lines().collect();
    lines[lines.len().saturating_sub(COMPLAINT_LINES_MAX)..].join("\n")
}
