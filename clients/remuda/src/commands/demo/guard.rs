//! Ends what the demo started, should the demo itself be killed.
//!
//! A process that gets SIGKILL cannot clean up. So a small shell sits on a pipe from the demo, is told every process that
//! was started, and when the pipe closes, kills those that are left and removes the folder. A robot's commands are the
//! matter of the robot's own watchdog.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::failure::Failure;

/// Signals that end the demo must not end its guard first. Commands may still write while the folder is removed, until
/// their robots' watchdogs have ended them: hence more than one try.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
folder=$1
ids=' '
while read -r verb id; do
  case $verb in
    watch) ids="$ids$id " ;;
    leave) case $ids in *" $id "*) ids="${ids%% "$id" *} ${ids#* "$id" }" ;; esac ;;
    keep) folder= ;;
  esac
done
for id in $ids; do kill -s KILL "$id"; done
[ -n "$folder" ] || exit 0
for try in 1 2 3 4 5; do
  rm -rf -- "$folder" && [ ! -e "$folder" ] && exit 0
  sleep 1
done
"#;

/// The guard of one demo. Dropped, it does its work at once.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Guard {
    /// Starts it, in a process group of its own: ctrl-c leaves it alone.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "remuda-demo-guard"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| Failure::System {
                task: "start a shell",
                source,
            })?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Guard { shell, pipe })
    }

    /// Kills this process if the demo dies.
    pub(super) fn watch(&self, process: u32) -> io::Result<()> {
        self.tell(&format!("watch {process}"))
    }

    /// Leaves this process alone from now on: it has ended, and its number may become another's.
    pub(super) fn leave(&self, process: u32) {
        // Without a guard there is nobody to leave it alone.
        let _ = self.tell(&format!("leave {process}"));
    }

    /// Leaves the folder where it is.
    pub(super) fn keep(&self) {
        let _ = self.tell("keep");
    }

    fn tell(&self, line: &str) -> io::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{line}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Its pipe is closed, so it ends; an error means that somebody else has waited for it.
        let _ = self.shell.wait();
    }
}
