//! A process of the demo's: started apart from the terminal, logged to a file, never left behind.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{ChildStdout, Command};

use super::guard::Guard;
use crate::failure::Failure;

/// Variables of the demo's own environment that its processes must not take for theirs.
const OURS: &str = "REMUDA_";

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Child {
    process: tokio::process::Child,
    id: u32,
    guard: Arc<Guard>,
}

/// This very program, with an environment that says nothing about servers or keys.
///
/// Its group is its own, so that ctrl-c reaches the demo alone, which ends its processes in order.
pub(super) fn this_program() -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|source| Failure::System {
        task: "find this program",
        source,
    })?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(OURS) {
            command.env_remove(name);
        }
    }
    command
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// A file that a process can write its log to; what is there is kept.
pub(super) fn log_file(path: &Path) -> Result<File, Failure> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| Failure::System {
            task: "write a log",
            source,
        })
}

/// How a process ended, in words.
pub(super) fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "somehow".to_owned(),
    }
}

impl Child {
    /// Starts the command under this guard.
    pub(super) fn start(command: &mut Command, guard: &Arc<Guard>) -> Result<Self, Failure> {
        let failed = |source| Failure::System {
            task: "start a process",
            source,
        };
        let process = command.spawn().map_err(failed)?;
        let id = process.id().ok_or_else(|| failed(io::Error::other("it has no id")))?;
        guard.watch(id).map_err(failed)?;
        Ok(Child {
            process,
            id,
            guard: guard.clone(),
        })
    }

    /// What it writes to stdout, once, where that is piped.
    pub(super) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.try_wait().ok().flatten()?;
        self.guard.leave(self.id);
        Some(status)
    }

    /// Kills it, and waits until it is gone.
    pub(super) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        // It cannot refuse; an error would mean that it was waited for before.
        let _ = self.process.wait().await;
        self.guard.leave(self.id);
    }

    /// Asks it to end and says how it did; kills it when it takes longer than `patience`, and says nothing.
    pub(super) async fn stop(mut self, patience: Duration) -> Option<ExitStatus> {
        self.signal(Signal::SIGTERM);
        if let Ok(Ok(status)) = tokio::time::timeout(patience, self.process.wait()).await {
            self.guard.leave(self.id);
            return Some(status);
        }
        self.kill().await;
        None
    }

    fn signal(&self, signal: Signal) {
        // A process that was waited for has no number any more, and this one might be another's.
        if self.process.id().is_some()
            && let Ok(id) = i32::try_from(self.id)
        {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}
