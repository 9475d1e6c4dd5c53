//! Ends the work when the robot dies without being able to end it itself.
//!
//! A robot killed by SIGKILL cannot stop its commands, and the server would soon hand the same job to another one. So a small
//! shell sits on a pipe from the robot, is told every process group, and kills them when the pipe closes. It also
//! shares the lock of the state folder: the next robot starts only once the former one's work has ended, so it may say
//! truthfully that it holds nothing.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::unistd::Pid;
use tracing::warn;

use crate::state_folder::StateFolder;

/// Signals that end the robot must not end its watchdog first.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=' '
while read -r verb group; do
  case $verb in
    watch) groups="$groups$group " ;;
    leave) case $groups in *" $group "*) groups="${groups%% "$group" *} ${groups#* "$group" }" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Watchdog {
    /// Starts it, in a process group of its own: a signal to the robot's group leaves it alone.
    pub(crate) fn start(state: &StateFolder) -> io::Result<Watchdog> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "remuda-robot-watchdog"])
            .stdin(Stdio::piped())
            // The handle is never written to: it keeps the lock.
            .stdout(state.share_lock()?)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Watchdog { shell, pipe })
    }

    /// Kills this group if the robot dies.
    pub(crate) fn watch(&self, group: Pid) {
        self.tell("watch", group);
    }

    /// Leaves this group alone from now on: it has ended, and its number may become another's.
    pub(crate) fn leave(&self, group: Pid) {
        self.tell("leave", group);
    }

    fn tell(&self, verb: &str, group: Pid) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let told = pipe.as_mut().map(|pipe| writeln!(pipe, "{verb} {group}"));
        if let Some(Err(error)) = told {
            warn!("The watchdog is gone ({error}): should this robot be killed, its commands would go on");
            *pipe = None;
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Its pipe is closed, so it ends at once; an error means that somebody else has waited for it.
        let _ = self.shell.wait();
    }
}
