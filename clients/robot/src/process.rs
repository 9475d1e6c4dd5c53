//! A workflow's command as a process group: started, told to stop, killed, never left behind.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tracing::debug;

use crate::protocol::Assignment;
use crate::report::Exit;
use crate::settings::Workflow;
use crate::watchdog::Watchdog;
use crate::work_folder::WorkFolder;

/// Variables of the robot's own environment that are no business of a workflow: they hold keys. Its settings may still
/// give it one of its own.
const KEPT_FROM_WORKFLOWS: [&str; 2] = ["REMUDA_KEY", "REMUDA_REGISTRATION_KEY"];

/// A running command. Dropped, its whole group is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Group,
}

/// The process group of a command, which is watched over and killed in the end.
#[derive(Debug)]
struct Group {
    id: Pid,
    watchdog: Arc<Watchdog>,
}

impl Process {
    /// Starts the command, in a group of its own, with the payload on its way to its stdin.
    pub(crate) fn start(
        workflow: &Workflow,
        assignment: &Assignment,
        folder: &WorkFolder,
        watchdog: &Arc<Watchdog>,
    ) -> io::Result<Process> {
        let (program, arguments) = workflow
            .command
            .split_first()
            .ok_or_else(|| io::Error::other("no command is given"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&workflow.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for name in KEPT_FROM_WORKFLOWS {
            command.env_remove(name);
        }
        command.envs(&workflow.env).envs(variables(assignment, folder));
        let mut child = command.spawn()?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .ok_or_else(|| io::Error::other("it has no id"))?;
        let group = Group {
            id: Pid::from_raw(id),
            watchdog: watchdog.clone(),
        };
        group.watchdog.watch(group.id);
        if let Some(stdin) = child.stdin.take() {
            tokio::spawn(feed(stdin, assignment.payload.get().to_owned()));
        }
        Ok(Process { child, group })
    }

    /// Its output, once.
    pub(crate) fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the command itself to end; others of its group may go on.
    pub(crate) async fn wait(&mut self) -> io::Result<Exit> {
        self.child.wait().await.map(exit_of)
    }

    /// Asks the whole group to stop.
    pub(crate) fn terminate(&self) {
        self.group.signal(Signal::SIGTERM);
    }

    /// Kills the whole group.
    pub(crate) fn kill(&self) {
        self.group.signal(Signal::SIGKILL);
    }
}

impl Group {
    fn signal(&self, signal: Signal) {
        if let Err(error) = killpg(self.id, signal) {
            // The usual reason: nobody of the group is left.
            debug!("Cannot send {signal} to process group {}: {error}", self.id);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group's number is not given away while any of the group lives, and if none does, nobody gets the signal. Between
        // the last one's end and this line the number could only be taken if all others had been used up meanwhile.
        self.signal(Signal::SIGKILL);
        self.watchdog.leave(self.id);
    }
}

/// What the workflow is told through its environment.
fn variables(assignment: &Assignment, folder: &WorkFolder) -> BTreeMap<String, String> {
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let labels = serde_json::to_string(&assignment.labels).expect("labels are plain texts");
    let mut variables: BTreeMap<String, String> = [
        ("REMUDA_JOB_ID", assignment.job_id.clone()),
        ("REMUDA_ATTEMPT", assignment.attempt.to_string()),
        // The same for every attempt at the job: what a target system saw of an earlier one, it knows again.
        ("REMUDA_IDEMPOTENCY_KEY", assignment.job_id.clone()),
        ("REMUDA_WORKFLOW", assignment.workflow.clone()),
        (
            "REMUDA_WORKFLOW_VERSION",
            assignment.workflow_version.clone().unwrap_or_default(),
        ),
        ("REMUDA_WORK_DIR", path(folder.path().to_owned())),
        ("REMUDA_PAYLOAD_FILE", path(folder.payload())),
        ("REMUDA_RESULT_FILE", path(folder.result())),
        ("REMUDA_PROGRESS_FILE", path(folder.progress())),
        ("REMUDA_CHECKPOINT_DIR", path(folder.checkpoints())),
        ("REMUDA_LABELS", labels),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    variables.extend(
        assignment
            .labels
            .iter()
            .map(|(name, value)| (label_variable(name), value.clone())),
    );
    if let Some(traceparent) = &assignment.traceparent {
        variables.insert("TRACEPARENT".to_owned(), traceparent.clone());
    }
    // No variable can carry a NUL; the workflow finds the whole text in the payload, if it is anywhere.
    for value in variables.values_mut() {
        value.retain(|letter| letter != '\0');
    }
    variables
}

/// A label's variable: `cost-centre` is in `REMUDA_LABEL_COST_CENTRE`.
fn label_variable(name: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("REMUDA_LABEL_{}", name.chars().map(letter).collect::<String>())
}

/// A command that does not read its payload is free not to: what is left of it falls away with the pipe.
async fn feed(mut stdin: ChildStdin, payload: String) {
    if let Err(error) = stdin.write_all(payload.as_bytes()).await {
        debug!("The command did not read all of its payload: {error}");
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labels_variable_is_a_name_that_shells_take() {
        assert_eq!(label_variable("cost-centre.2"), "REMUDA_LABEL_COST_CENTRE_2");
    }
}
