//! The watchdog beside a server: a small shell script that obeys orders on its standard input and takes the server with it when that
//! closes, so that no way of ending this process, SIGKILL included, leaves one behind.

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::account::Account;

const SCRIPT: &str = include_str!("keeper.sh");

/// How long one order may take before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The lines of the server's log that an error quotes.
const LOG_LINES_MAX: usize = 30;

/// What a keeper has to know of the servers of one kind.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The signals that stop it at once, as a power cut would, parted by blanks.
    pub(crate) stopped_by: &'static str,
    /// Whether it says by this line of its log that it takes connections.
    pub(crate) is_up: fn(&str) -> bool,
    /// Whether it says by this line of its log that it cannot start.
    pub(crate) gave_up: fn(&str) -> bool,
    /// Makes of our environment the one that it runs in.
    pub(crate) surround: fn(&mut Command),
    /// Is told each line of its log.
    pub(crate) hear: fn(&str),
}

/// One server, down or up, and the script that keeps it.
pub(crate) struct Keeper {
    kind: &'static Kind,
    folder: PathBuf,
    serve: String,
    script: Mutex<Script>,
}

impl Keeper {
    /// A keeper of this folder, which is removed when the keeper or this process ends, and of the server that the command runs.
    pub(crate) fn hire(
        kind: &'static Kind,
        folder: TempDir,
        account: Option<Account>,
        serve: &Command,
    ) -> anyhow::Result<Keeper> {
        let serve = quoted(serve)?;
        let script = Script::spawn(kind, folder.path(), account)?;
        Ok(Keeper {
            kind,
            // From here on the script removes it, which outlives us.
            folder: folder.keep(),
            serve,
            script: Mutex::new(script),
        })
    }

    /// Runs a command to its end under the server's account, such as one that the server needs to have been run.
    pub(crate) fn run(&self, command: &Command) -> anyhow::Result<()> {
        let complaint = format!("{} failed", command.get_program().to_string_lossy());
        self.script().obey(&format!("run {}", quoted(command)?), &complaint)
    }

    /// Starts the server; it takes connections when this returns.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        self.script().start(self.kind, &self.serve)
    }

    /// Stops the server at once, as a power cut would; nothing of it runs when this returns.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        self.obey("stop")
    }

    /// Stops the server if it runs, and starts it with what is in its folder.
    pub(crate) fn start_again(&self) -> anyhow::Result<()> {
        self.stop()?;
        self.start()
    }

    /// Holds the server still until it is resumed or stopped: clients connect and get no answer.
    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.obey("pause")
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.obey("resume")
    }

    /// The folder that goes when the keeper does.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn obey(&self, order: &str) -> anyhow::Result<()> {
        self.script()
            .obey(order, &format!("{} did not {order}", self.kind.name))
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running script.
struct Script {
    child: Child,
    orders: Option<ChildStdin>,
    events: Receiver<Event>,
    log: Log,
}

/// What the script or the server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Done,
    NotDone,
    Up,
    GaveUp,
}

impl Event {
    fn parse(kind: &Kind, line: &str) -> Option<Event> {
        match line {
            "keeper: done" => Some(Event::Done),
            "keeper: not done" => Some(Event::NotDone),
            _ if (kind.is_up)(line) => Some(Event::Up),
            _ if (kind.gave_up)(line) => Some(Event::GaveUp),
            _ => None,
        }
    }
}

impl Script {
    fn spawn(kind: &'static Kind, folder: &Path, account: Option<Account>) -> anyhow::Result<Script> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "keeper"]).arg(folder).arg(kind.stopped_by);
        (kind.surround)(&mut command);
        if let Some(account) = account {
            account.run(&mut command);
        }
        // In a group of its own it does not hear the signals that a terminal or a test runner sends to ours.
        command.process_group(0).current_dir("/");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().context("cannot run /bin/sh")?;
        let orders = child.stdin.take();
        let output = child.stdout.take().context("the keeper has no output")?;
        let (events, log) = listen(kind, output);
        Ok(Script {
            child,
            orders,
            events,
            log,
        })
    }

    fn start(&mut self, kind: &Kind, serve: &str) -> anyhow::Result<()> {
        self.order(&format!("start {serve}"))?;
        self.expect(Event::Up, Event::GaveUp, &format!("{} did not start", kind.name))
    }

    fn obey(&mut self, order: &str, complaint: &str) -> anyhow::Result<()> {
        self.order(order)?;
        self.expect(Event::Done, Event::NotDone, complaint)
    }

    fn order(&mut self, order: &str) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the keeper is dismissed")?;
        writeln!(orders, "{order}").context("the keeper is gone")
    }

    fn expect(&self, wanted: Event, refused: Event, complaint: &str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self
                .events
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(event) if event == wanted => return Ok(()),
                Ok(event) if event != refused => {}
                _ => bail!("{complaint}; it said:\n{}", self.log.tail()),
            }
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its status says nothing that could still be acted on.
        let _ = self.child.wait();
    }
}

/// Keeps the settings of the user's own programs (`PGDATA`, `JAVA_TOOL_OPTIONS`, …) and language away from the command.
pub(crate) fn surround(command: &mut Command) {
    command.env_clear().env("LC_ALL", "C");
    for name in ["PATH", "LD_LIBRARY_PATH", "TMPDIR"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// The command as a shell reads it: each word between quotes.
fn quoted(command: &Command) -> anyhow::Result<String> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let mut line = Vec::new();
    for word in words {
        let word = word.to_str().context("a word of the command is not UTF-8")?;
        ensure!(!word.contains('\n'), "a word of the command has a line break");
        line.push(format!("'{}'", word.replace('\'', r"'\''")));
    }
    Ok(line.join(" "))
}

fn listen(kind: &'static Kind, output: ChildStdout) -> (Receiver<Event>, Log) {
    let (sender, events) = channel();
    let log = Log::default();
    let ours = log.clone();
    thread::spawn(move || follow(kind, output, &sender, &ours));
    (events, log)
}

fn follow(kind: &Kind, output: ChildStdout, events: &Sender<Event>, log: &Log) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let event = Event::parse(kind, &line);
        (kind.hear)(&line);
        log.keep(line);
        // Read on when nobody listens: a full pipe would hold the server up.
        if let Some(event) = event {
            let _ = events.send(event);
        }
    }
}

/// The last lines that the server wrote.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    fn keep(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn tail(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_of_the_log_are_kept() {
        let log = Log::default();
        for line in 0..=LOG_LINES_MAX {
            log.keep(line.to_string());
        }
        assert_eq!(log.tail().lines().count(), LOG_LINES_MAX);
        assert!(log.tail().ends_with(&LOG_LINES_MAX.to_string()));
    }

    #[test]
    fn a_shell_reads_back_the_words_that_were_quoted() {
        let words = ["a b", "it's", "$HOME `x` \\", "", "*"];
        let mut command = Command::new("printf");
        command.arg("%s|").args(words);
        let line = quoted(&command).expect("can be quoted");
        let said = Command::new("/bin/sh").args(["-c", &line]).output().expect("runs");
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            words.map(|it| format!("{it}|")).concat()
        );
    }

    #[test]
    fn a_word_with_a_line_break_is_no_order() {
        assert!(quoted(Command::new("echo").arg("one\nstop")).is_err());
    }
}
