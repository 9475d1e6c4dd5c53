//! One start of a function: from before its process is made to its last answer, and then its end.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use axum::body::Bytes;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout_at,
};

use crate::{
    RuntimeApi,
    api::{Run, Saying},
};

/// What Lambda sets for every function, beside what its owner does.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/measured"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
];

/// Of what a process wrote before it failed, this much is told.
const LOG_BYTES_MAX: u64 = 16 << 10;

/// What to start, and what to give it.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// The function's program; it gets no arguments.
    pub program: &'a Path,
    /// What its owner sets. Nothing of this process's own environment is handed on.
    pub environment: &'a [(String, String)],
    /// What it is to answer, in this order.
    pub events: Vec<String>,
    /// How long all of it may take.
    pub patience: Duration,
}

/// What a function did that answered everything.
#[derive(Clone, Debug)]
pub struct Observed {
    /// From just before the process was made to its first call for an event.
    pub first_poll: Duration,
    /// Its answers, one an event.
    pub answers: Vec<Answer>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// From just before the process was made to the end of the answer.
    pub since_start: Duration,
    /// From the call that fetched the event to the end of the answer.
    pub since_poll: Duration,
    /// What the function said.
    pub body: Bytes,
}

impl RuntimeApi {
    /// Starts a function, gives it its events one after the other, and ends it; nothing of it runs when this returns.
    ///
    /// A function that ends, fails or does not answer in time is an error, which holds what it wrote.
    pub async fn observe(&self, start: Start<'_>) -> anyhow::Result<Observed> {
        let expected = start.events.len();
        let run = self.open(start.events);
        let mut command = Command::new(start.program);
        command
            .env_clear()
            .envs(ENVIRONMENT)
            .env("AWS_LAMBDA_RUNTIME_API", run.address())
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let begun = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", start.program.display()))?;
        let observed = tokio::select! {
            // What was said before the end counts first.
            biased;
            observed = follow(run, begun, expected, start.patience) => observed,
            ended = child.wait() => Err(match ended {
                Ok(status) => anyhow::anyhow!("it ended early: {status}"),
                Err(error) => error.into(),
            }),
        };
        // One that has ended has no id any more.
        if child.id().is_some() {
            child.kill().await.context("cannot end it")?;
        }
        match observed {
            Ok(observed) => Ok(observed),
            Err(error) => Err(error.context(told(child, start.program).await)),
        }
    }
}

/// Listens to a process until it has answered `expected` events.
async fn follow(mut run: Run, begun: Instant, expected: usize, patience: Duration) -> anyhow::Result<Observed> {
    let deadline = tokio::time::Instant::from_std(begun + patience);
    let mut polled: Option<(Instant, Instant)> = None;
    let mut answers = Vec::with_capacity(expected);
    while polled.is_none() || answers.len() < expected {
        let Ok(said) = timeout_at(deadline, run.next()).await else {
            match polled {
                None => bail!("it asked for no event within {} ms", patience.as_millis()),
                Some(_) => bail!(
                    "it answered {} of {expected} events within {} ms",
                    answers.len(),
                    patience.as_millis()
                ),
            }
        };
        match (said.what, polled) {
            (Saying::Polled, None) => polled = Some((said.at, said.at)),
            (Saying::Polled, Some((first, _))) => polled = Some((first, said.at)),
            (Saying::Answered(body), Some((_, last))) => answers.push(Answer {
                since_start: said.at - begun,
                since_poll: said.at - last,
                body,
            }),
            (Saying::Failed(body), _) => bail!("it failed: {}", String::from_utf8_lossy(&body)),
            (Saying::Answered(_), None) => bail!("it answered what it had not asked for"),
        }
    }
    let (first, _) = polled.context("it asked for no event")?;
    Ok(Observed {
        first_poll: first - begun,
        answers,
    })
}

/// The program's name, and what it wrote.
async fn told(mut child: Child, program: &Path) -> String {
    let mut log = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        // What cannot be read is not told; the cause stands beside it.
        let _ = stderr.take(LOG_BYTES_MAX).read_to_end(&mut log).await;
    }
    let log = String::from_utf8_lossy(&log);
    let name = program.display();
    match log.trim() {
        "" => format!("{name} cannot be measured"),
        log => format!("{name} cannot be measured; it wrote:\n{log}"),
    }
}
