//! A running `remuda aws-local --watch`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use remuda_client::Client;
use serde_json::Value;
use servers::{Service, shared_dynamodb, shared_sqs};
use tempfile::TempDir;

use crate::programs;

/// A system of its own on a `DynamoDB` and an SQS that tests share: told to end when dropped, and its log shown if the test fails.
pub struct Local {
    process: Child,
    folder: TempDir,
    /// What no other test has in a name, and every function of this system in its environment.
    pub mark: String,
    /// Where everything is, as `--json` tells it.
    pub places: Value,
}

/// How it is started.
#[derive(Debug, Clone, Copy)]
pub struct LocalBuilder {
    /// How often the schedules tick.
    pub tick_seconds: u32,
    /// After how long a hint that was not handled comes again.
    pub visibility_seconds: u32,
    /// How often a hint is tried before it goes to the dead letters.
    pub receives: u32,
}

impl LocalBuilder {
    /// Starts it; all functions answer when this returns.
    pub fn start(self) -> Local {
        let folder = tempfile::tempdir().expect("a folder");
        let mark = mark();
        let log = File::create(folder.path().join("log")).expect("a file");
        let dynamodb = shared_dynamodb().expect("DynamoDB Local starts");
        let mut command = program();
        command
            .args(["--json", "aws-local", "--watch", "--port", "0", "--instances", "2"])
            .args(["--table", &mark, "--queue", &mark])
            .args(["--dynamodb", &dynamodb.endpoint(), "--sqs", &sqs().endpoint()])
            .args(["--tick", &self.tick_seconds.to_string()])
            .args(["--visibility", &self.visibility_seconds.to_string()])
            .args(["--receives", &self.receives.to_string()])
            .arg("--functions")
            .arg(programs::folder())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut process = command.spawn().expect("remuda runs");
        let stdout = BufReader::new(process.stdout.take().expect("is piped"));
        let mut local = Local {
            process,
            folder,
            mark,
            places: Value::Null,
        };
        let line = stdout
            .lines()
            .next()
            .expect("it says where everything is")
            .expect("in UTF-8");
        local.places = serde_json::from_str(&line).expect("in JSON");
        local
    }
}

impl Local {
    /// What it says of this place, such as `url` or `admin_key`.
    pub fn place(&self, name: &str) -> &str {
        self.places[name].as_str().expect("it is told")
    }

    /// The server, by the admin's key.
    pub fn admin(&self) -> Client {
        Client::new(self.place("url"), Some(self.place("admin_key"))).expect("an address and a key")
    }

    /// What it and the functions have logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log is there")
    }

    /// A folder for the test, gone when this is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The processes that work for this system.
    pub fn processes(&self) -> Vec<String> {
        processes_of(&self.mark)
    }

    /// Sends it a signal, and waits until it is gone.
    pub fn end(&mut self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("process ids are small");
        // One that has ended already has been waited for, or is waited for now.
        let _ = kill(Pid::from_raw(id), signal);
        self.process.wait().expect("it ends");
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.end(Signal::SIGTERM);
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// The SQS that all tests share.
pub(crate) fn sqs() -> &'static Service {
    shared_sqs().expect("SQS starts")
}

/// `remuda`, with an environment that says nothing of servers, keys and AWS.
pub(crate) fn program() -> Command {
    let mut command = Command::new(programs::folder().join("remuda"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("REMUDA_") && name != servers::CARGO_LAMBDA || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.current_dir(programs::root()).stdin(Stdio::null());
    command
}

/// A name that nothing else has, in this run or an earlier one on the same servers.
fn mark() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.expect("it is past 1970").as_micros();
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("lambda-{}-{micros}-{number}", std::process::id())
}

/// The command lines of the processes that have this mark there or in their environment.
fn processes_of(mark: &str) -> Vec<String> {
    let read = |process: &PathBuf, what: &str| {
        let bytes = fs::read(process.join(what)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let processes = fs::read_dir("/proc")
        .expect("lists processes")
        .flatten()
        .map(|it| it.path());
    processes
        .filter(|it| read(it, "environ").contains(mark) || read(it, "cmdline").contains(mark))
        .map(|it| read(&it, "cmdline"))
        .collect()
}
