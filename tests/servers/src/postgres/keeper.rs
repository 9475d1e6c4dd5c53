//! The watchdog beside a Postgres: a small shell script that obeys orders on its standard input and takes the server with it when that
//! closes, so that no way of ending this process, SIGKILL included, leaves one behind.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::binaries::{Binaries, surround};
use crate::account::Account;

const SCRIPT: &str = include_str!("keeper.sh");

/// How long one order may take before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The lines of the server's log that an error quotes.
const LOG_LINES_MAX: usize = 20;

/// One server, down or up, and the script that keeps it.
pub(super) struct Keeper {
    script: Child,
    orders: Option<ChildStdin>,
    events: Receiver<Event>,
    log: Log,
}

/// What the keeper or the server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Made,
    NotMade,
    Ready,
    Down,
    Stopped,
}

impl Event {
    fn parse(line: &str) -> Option<Event> {
        match line {
            "keeper: made" => Some(Event::Made),
            "keeper: not made" => Some(Event::NotMade),
            "keeper: stopped" => Some(Event::Stopped),
            _ if line.ends_with("database system is ready to accept connections") => Some(Event::Ready),
            _ if gave_up(line) => Some(Event::Down),
            _ => None,
        }
    }
}

/// Whether a server that is starting says here that it cannot. Clients that come too early are refused with `FATAL` as well.
fn gave_up(line: &str) -> bool {
    line.contains("FATAL:") && !line.contains("FATAL:  the database system is ")
}

impl Keeper {
    /// A keeper of an empty folder, which is removed when the keeper or this process ends.
    pub(super) fn hire(
        binaries: &Binaries,
        folder: &Path,
        account: Option<Account>,
        options: &[String],
    ) -> anyhow::Result<Keeper> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "keeper"]);
        command.arg(binaries.folder()).arg(folder).args(options);
        surround(&mut command);
        if let Some(account) = account {
            account.run(&mut command);
        }
        // In a group of its own it does not hear the signals that a terminal or a test runner sends to ours.
        command.process_group(0).current_dir("/");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut script = command.spawn().context("cannot run /bin/sh")?;
        let orders = script.stdin.take();
        let output = script.stdout.take().context("the keeper has no output")?;
        let (events, log) = listen(output);
        Ok(Keeper {
            script,
            orders,
            events,
            log,
        })
    }

    /// Makes the data folder.
    pub(super) fn make(&mut self) -> anyhow::Result<()> {
        self.order("make")?;
        self.expect(Event::Made, Event::NotMade, "initdb failed")
    }

    /// Starts the server; it takes connections when this returns.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.order("start")?;
        self.expect(Event::Ready, Event::Down, "Postgres did not start")
    }

    /// Stops the server at once, as a power cut would; nothing of it runs when this returns.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        self.order("stop")?;
        self.expect(Event::Stopped, Event::NotMade, "Postgres did not stop")
    }

    fn order(&mut self, order: &str) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the keeper of Postgres is dismissed")?;
        writeln!(orders, "{order}").context("the keeper of Postgres is gone")
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

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its status says nothing that could still be acted on.
        let _ = self.script.wait();
    }
}

fn listen(output: ChildStdout) -> (Receiver<Event>, Log) {
    let (sender, events) = channel();
    let log = Log::default();
    let ours = log.clone();
    thread::spawn(move || follow(output, &sender, &ours));
    (events, log)
}

fn follow(output: ChildStdout, events: &Sender<Event>, log: &Log) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let event = Event::parse(&line);
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
    fn a_client_that_comes_too_early_does_not_fail_the_start() {
        let early = "2026-11-21 12:00:00.000 UTC [7] FATAL:  the database system is starting up";
        let taken = "2026-11-21 12:00:00.000 UTC [7] FATAL:  could not create any TCP/IP sockets";
        assert_eq!(Event::parse(early), None);
        assert_eq!(Event::parse(taken), Some(Event::Down));
    }

    #[test]
    fn only_the_last_lines_of_the_log_are_kept() {
        let log = Log::default();
        for line in 0..=LOG_LINES_MAX {
            log.keep(line.to_string());
        }
        assert_eq!(log.tail().lines().count(), LOG_LINES_MAX);
        assert!(log.tail().ends_with(&LOG_LINES_MAX.to_string()));
    }
}
