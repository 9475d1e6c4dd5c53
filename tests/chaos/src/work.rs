//! What a robot runs for each job: a command that does as its order says, and writes down in the world outside what it did.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::{Pid, getppid};

use crate::effects::{Mark, What, append};
use crate::order::{Kind, Work};

/// Where effects are written.
pub(crate) const EFFECTS: &str = "CHAOS_EFFECTS";
/// The robot's name.
pub(crate) const ROBOT: &str = "CHAOS_ROBOT";
/// The file that holds the robot's process id.
pub(crate) const ROBOT_ID: &str = "CHAOS_ROBOT_ID";

/// By this exit code a robot knows that trying again would not help.
const BUSINESS_ERROR: u8 = 65;

/// What is stuck, or waits for its own end, is still killed long before.
const FOR_EVER: Duration = Duration::from_mins(2);

/// Does one attempt, as the payload on the standard input and the robot's environment say.
///
/// # Errors
/// What is read is not what a robot of this program gives, or the effects cannot be written.
pub fn work() -> anyhow::Result<ExitCode> {
    let work: Work = serde_json::from_reader(io::stdin()).context("the payload is none of ours")?;
    let attempt: u32 = variable("REMUDA_ATTEMPT")?.parse().context("no attempt")?;
    mark(What::Begun, attempt)?;
    pause(Duration::from_millis(work.ms));
    match work.kind {
        Kind::Crashes if attempt <= work.failures => raise(Signal::SIGKILL)?,
        Kind::Flaky if attempt <= work.failures => return Ok(ExitCode::FAILURE),
        Kind::Hopeless => return Ok(ExitCode::FAILURE),
        Kind::Business => return Ok(BUSINESS_ERROR.into()),
        Kind::Stuck => pause(FOR_EVER),
        Kind::Lethal => return kill_robot(),
        Kind::Plain | Kind::Slow | Kind::Crashes | Kind::Flaky => {
            mark(What::Done, attempt)?;
            println!("::remuda result {{\"order\": {}, \"attempt\": {attempt}}}", work.order);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn mark(what: What, attempt: u32) -> anyhow::Result<()> {
    let mark = Mark {
        what,
        job: variable("REMUDA_JOB_ID")?,
        attempt,
        robot: variable(ROBOT)?,
        at: Timestamp::now(),
    };
    append(&PathBuf::from(variable(EFFECTS)?), &mark).context("cannot write an effect")
}

/// Kills the robot, and with it this process. Whoever adopted an orphan is not the robot, and is left alone.
fn kill_robot() -> anyhow::Result<ExitCode> {
    let robot: i32 = fs::read_to_string(variable(ROBOT_ID)?)?.trim().parse()?;
    if getppid() != Pid::from_raw(robot) {
        return Ok(ExitCode::FAILURE);
    }
    kill(Pid::from_raw(robot), Signal::SIGKILL)?;
    pause(FOR_EVER);
    Ok(ExitCode::FAILURE)
}

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "time that passes is the work, and nothing else runs in this process"
)]
fn pause(time: Duration) {
    thread::sleep(time);
}
