//! Processes of a run: killed with it, however it ends.

use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{self, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// Whoever is in its process group dies with it, and it dies when its input closes: when the run is over or was killed.
const SCRIPT: &str = "trap '' HUP INT QUIT TERM; read -r _; kill -s KILL 0";

/// Variables of our own environment that no process of a run must take for its settings.
const OURS: [&str; 2] = ["REMUDA_", "AWS_"];

/// A shell that leads the process group of a run.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: process::Child,
    group: i32,
}

impl Guard {
    /// Starts it.
    pub(crate) fn start() -> anyhow::Result<Guard> {
        let shell = process::Command::new("sh")
            .args(["-c", SCRIPT, "chaos-guard"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start a shell")?;
        let group = i32::try_from(shell.id()).context("the shell has no plain process id")?;
        Ok(Guard { shell, group })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It ends by its own signal; an error would mean that somebody has waited for it.
        let _ = self.shell.wait();
    }
}

/// A command whose environment says nothing of servers, stores and keys.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if OURS.iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
    command
}

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) id: Pid,
}

impl Process {
    /// Starts the command under this guard; what it says is added to the log.
    pub(crate) fn start(mut command: Command, log: &Path, guard: &Guard) -> anyhow::Result<Process> {
        let log = File::options().create(true).append(true).open(log);
        let log = log.context("cannot write a log")?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("cannot write a log")?)
            .stderr(log)
            .process_group(guard.group)
            .kill_on_drop(true);
        let child = command.spawn().context("cannot start a process")?;
        let id = child.id().context("a process that has just started has an id")?;
        let id = Pid::from_raw(i32::try_from(id).context("it is no plain one")?);
        Ok(Process { child, id })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends it a signal; one that has ended hears nothing.
    pub(crate) fn signal(&self, signal: Signal) {
        // Once it was waited for, its number may be another's.
        if self.child.id().is_some() {
            // It may have ended by itself.
            let _ = kill(self.id, signal);
        }
    }

    /// Kills it, held still or not, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        // It cannot refuse; an error would mean that it was waited for before.
        let _ = self.child.wait().await;
    }

    /// Tells it to end, and how it did; kills it when it takes longer than `patience`, and tells nothing.
    pub(crate) async fn stop(mut self, patience: Duration) -> Option<ExitStatus> {
        self.signal(Signal::SIGTERM);
        if let Ok(Ok(status)) = tokio::time::timeout(patience, self.child.wait()).await {
            return Some(status);
        }
        self.kill().await;
        None
    }
}

/// How a process ended, in words.
pub(crate) fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "somehow".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

    use super::*;

    #[tokio::test]
    async fn whoever_is_guarded_dies_with_the_guard_even_when_held_still() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = Guard::start().expect("a shell runs");
        let mut sleep = command(Path::new("sleep"));
        sleep.arg("600");
        let mut process = Process::start(sleep, &folder.path().join("log"), &guard).expect("it runs");
        process.signal(Signal::SIGSTOP);
        assert!(process.ended().is_none());
        drop(guard);
        let status = process.child.wait().await.expect("it ended");
        assert_eq!(told(status), "by signal 9");
    }

    #[tokio::test]
    async fn one_that_does_not_end_when_told_to_is_killed() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = Guard::start().expect("a shell runs");
        let mut sleep = command(Path::new("sleep"));
        sleep.arg("600");
        let process = Process::start(sleep, &folder.path().join("log"), &guard).expect("it runs");
        process.signal(Signal::SIGSTOP);
        // One that is told to end before it stands still ends.
        let still = waitpid(process.id, Some(WaitPidFlag::WUNTRACED)).expect("it stands still");
        assert!(matches!(still, WaitStatus::Stopped(..)), "{still:?}");
        assert_eq!(process.stop(Duration::from_millis(1)).await, None);
    }
}
