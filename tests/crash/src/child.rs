//! The process that is killed: it makes one call and aborts at one point of it.

use std::{os::unix::process::ExitStatusExt as _, path::Path, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use queue_conformance::points::{Onward, Points};
use tokio::process::Command;

use crate::{
    place::Open,
    scenario::{Before, process, through},
    scenarios,
};

/// The chance of the process that is killed.
const SEED: u64 = 2;

/// The signal by which a process that aborts ends.
const SIGABRT: i32 = 6;

/// What the process is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Killed {
    /// The store's address.
    pub address: String,
    /// The scenario's name.
    pub scenario: String,
    /// At which point it aborts.
    pub point: usize,
    /// How long after the beginning of time it is, in microseconds.
    pub elapsed_micros: u64,
}

/// Makes the call and aborts; comes back only when the point was never passed.
pub async fn run(killed: &Killed) -> anyhow::Result<()> {
    let all = scenarios::all();
    let scenario = all.iter().find(|scenario| scenario.name() == killed.scenario);
    let scenario = scenario.context("no such scenario")?;
    let open = Open::at(&killed.address).await?;
    let kit = process(open.store(), SEED, Duration::from_micros(killed.elapsed_micros));
    let before = Before::of(&kit).await;
    let last = killed.point;
    let points = Points::new(open.store(), move |point| {
        if point.number == last {
            std::process::abort();
        }
        Onward::Goes
    });
    let answer = scenario.act(&through(&kit, &Arc::new(points), SEED), &before).await;
    bail!("point {last} was never passed; the answer was {answer:?}")
}

/// Starts `program` as this process and gives what it said, unless it aborted as it was to.
pub async fn kill(program: &Path, killed: &Killed) -> anyhow::Result<Result<(), String>> {
    let output = Command::new(program)
        .arg("child")
        .args([&killed.address, &killed.scenario])
        .args([killed.point.to_string(), killed.elapsed_micros.to_string()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start the process that is to be killed")?;
    if output.status.signal() == Some(SIGABRT) {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Err(format!("it did not abort: {}: {}", output.status, said.trim())))
}
