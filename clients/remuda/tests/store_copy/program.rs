//! The command, and what it says.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// What was said on stdout, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON on stdout: {self:?}"))
    }

    /// What went wrong, as `--json` tells it on stderr.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let said: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("no JSON on stderr: {self:?}"));
        said["error"].clone()
    }
}

/// The command, reading nothing from its surroundings.
pub(crate) fn remuda(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_remuda"));
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

/// Runs the command to its end.
pub(crate) fn run(words: &[&str]) -> Said {
    let Output { status, stdout, stderr } = remuda(words).output().unwrap();
    Said {
        exit: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Copies.
pub(crate) fn copy(from: &str, to: &str, more: &[&str]) -> Said {
    run(&[&["store", "copy", "--from", from, "--to", to], more].concat())
}

/// The address of a file in this folder.
pub(crate) fn sqlite(folder: &TempDir, name: &str) -> String {
    format!("sqlite:{}", folder.path().join(name).display())
}

/// The address of a table that is not there yet, on the DynamoDB that tests share.
pub(crate) fn sqs() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    let number = TABLES.fetch_add(1, Ordering::Relaxed);
    let endpoint = servers::shared_dynamodb().unwrap().endpoint();
    format!("sqs://store-copy-{}-{number}?dynamodb={endpoint}", std::process::id())
}
