//! Runs a program, hears each line that it says, and does not wait for it for ever.

use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How a program came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Left(ExitStatus),
    /// Whoever listened had heard enough.
    Stopped,
    /// It took longer than it may.
    OutOfTime,
}

/// Runs `command`, hands each line of its output and of its errors to `hear`, and ends it when that says so or `limit` is
/// over.
pub(super) fn watch(
    command: &mut Command,
    limit: Duration,
    mut hear: impl FnMut(&str) -> ControlFlow<()>,
) -> anyhow::Result<End> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    let (line, lines) = mpsc::channel();
    forward(child.stdout.take().context("its output is piped")?, line.clone());
    forward(child.stderr.take().context("its errors are piped")?, line);
    let until = Instant::now() + limit;
    let end = loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) if hear(&line).is_continue() => {}
            Ok(_) => break End::Stopped,
            Err(RecvTimeoutError::Timeout) => break End::OutOfTime,
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Left(child.wait()?)),
        }
    };
    child.kill().context("cannot end it")?;
    child.wait()?;
    Ok(end)
}

/// Sends each line of `output` on, until its end or until nobody listens.
fn forward(output: impl Read + Send + 'static, line: Sender<String>) {
    thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.map(|it| line.send(it)).take_while(Result::is_ok).for_each(drop);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn every_line_is_heard_from_either_side() {
        let mut heard = Vec::new();
        let end = watch(&mut shell("echo said; echo wrong >&2; exit 3"), LONG, |line| {
            heard.push(line.to_owned());
            ControlFlow::Continue(())
        });
        heard.sort();
        assert_eq!(heard, ["said", "wrong"]);
        assert!(matches!(end, Ok(End::Left(status)) if status.code() == Some(3)));
    }

    #[test]
    fn a_program_is_ended_once_enough_was_heard() {
        let begun = Instant::now();
        let end = watch(&mut shell("echo enough; exec sleep 60"), LONG, |_| {
            ControlFlow::Break(())
        });
        assert_eq!(end.expect("it ran"), End::Stopped);
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_its_limit() {
        let limit = Duration::from_millis(50);
        let end = watch(&mut shell("exec sleep 60"), limit, |_| ControlFlow::Continue(()));
        assert_eq!(end.expect("it ran"), End::OutOfTime);
    }
}
