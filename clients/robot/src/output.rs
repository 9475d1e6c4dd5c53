//! What a command writes: into the log, or to the robot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::board::Board;
use crate::lines::{Lines, Told, message, parse_progress, told};
use crate::log_pump::LogWriter;
use crate::process::Process;
use crate::protocol::{JobKey, Progress};
use crate::report::Said;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Where the output of one attempt goes.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    log: LogWriter,
    key: JobKey,
    board: Board,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    said: Said,
    /// The progress file's last line, to tell whether it is a new one.
    progress_line: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Output {
    pub(crate) fn new(log: LogWriter, key: JobKey, board: Board) -> Output {
        Output {
            log,
            key,
            board,
            heard: Arc::default(),
        }
    }

    /// What the workflow has said, now that it has ended.
    pub(crate) fn said(&self) -> Said {
        std::mem::take(&mut self.lock().said)
    }

    /// Takes the progress file's last line into account, if it is a new one.
    pub(crate) fn progress_file(&self, line: Option<String>) {
        let new = {
            let mut heard = self.lock();
            if line.is_none() || heard.progress_line == line {
                return;
            }
            heard.progress_line.clone_from(&line);
            parse_progress(&line.unwrap_or_default())
        };
        match new {
            Ok(progress) => self.progressed(progress),
            Err(why) => self.note(&format!("the progress file is not understood: {why}")),
        }
    }

    /// Adds a line of the robot's own to the log.
    pub(crate) fn note(&self, text: &str) {
        self.log.push(format!("[remuda-robot: {text}]\n").as_bytes());
    }

    fn line(&self, stream: Stream, line: &[u8]) {
        match told(line).filter(|_| stream == Stream::Stdout) {
            Some(Ok(Told::Progress(progress))) => self.progressed(progress),
            Some(Ok(told)) => self.lock().said.note(told),
            Some(Err(why)) => {
                self.log.push(line);
                self.note(&format!("the line above is not understood: {why}"));
            }
            None => {
                self.log.push(line);
                if stream == Stream::Stderr && !line.trim_ascii().is_empty() {
                    self.lock().said.last_error_line = message(line);
                }
            }
        }
    }

    fn progressed(&self, progress: Progress) {
        self.board.set(&self.key, progress);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads both streams of the command to their end, beside the caller.
pub(crate) fn read_output(process: &mut Process, output: &Output) -> impl Future<Output = ()> + use<> {
    let (stdout, stderr) = process.take_output();
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(stdout) = stdout {
        tasks.spawn(read_stream(Stream::Stdout, stdout, output.clone()));
    }
    if let Some(stderr) = stderr {
        tasks.spawn(read_stream(Stream::Stderr, stderr, output.clone()));
    }
    async move { while tasks.join_next().await.is_some() {} }
}

async fn read_stream(stream: Stream, mut from: impl AsyncRead + Unpin, output: Output) {
    let mut lines = Lines::default();
    let mut bytes = vec![0; READ_BYTES];
    // A pipe that cannot be read is at its end.
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        for line in lines.feed(&bytes[..count]) {
            output.line(stream, &line);
        }
    }
    if let Some(line) = lines.end() {
        output.line(stream, &line);
    }
}
