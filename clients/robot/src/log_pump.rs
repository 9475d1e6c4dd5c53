//! Sends an attempt's output to the server, beside the work: it never blocks a command and never fails a job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use remuda_client::{CallError, Retry};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use crate::log_buffer::{CHUNK_BYTES, LogBuffer};
use crate::protocol::Lease;
use crate::server::{Server, is_final};

/// Output waits no longer than this before it is sent, be it ever so little.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// How long to wait between tries while the server does not take it.
const WAITS: Retry = Retry {
    tries_max: u32::MAX,
    wait_first: Duration::from_millis(500),
    wait_max: Duration::from_secs(10),
};

/// A cheap handle to write to.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
}

/// The sending side; dropped, it sends no more.
#[derive(Debug)]
pub(crate) struct LogPump {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Inner>,
    /// Something is worth waking up for: a full chunk, or the end.
    woken: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    log: LogBuffer,
    closed: bool,
}

impl LogWriter {
    /// Adds output, at once.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let full = {
            let mut inner = self.shared.lock();
            inner.log.push(bytes);
            inner.log.front().is_some()
        };
        if full {
            self.shared.woken.notify_one();
        }
    }
}

impl LogPump {
    pub(crate) fn start(server: Server, lease: Lease) -> LogPump {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(pump(server, lease, shared.clone()));
        LogPump { shared, task }
    }

    pub(crate) fn writer(&self) -> LogWriter {
        LogWriter {
            shared: self.shared.clone(),
        }
    }

    /// Sends what is left, for so long at most: a report must not wait for a log for ever.
    pub(crate) async fn finish(mut self, limit: Duration) {
        {
            let mut inner = self.shared.lock();
            inner.log.close();
            inner.closed = true;
        }
        self.shared.woken.notify_one();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            warn!(
                "The end of the output is left out: the server did not take it within {} s",
                limit.as_secs()
            );
        }
    }
}

impl Drop for LogPump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next chunk, as soon as one is full, or the flush is due, or the log is closed; none at its end.
    async fn next(&self) -> Option<(u64, Bytes)> {
        loop {
            {
                let inner = self.lock();
                if let Some(front) = inner.log.front() {
                    return Some(front);
                }
                if inner.closed {
                    return None;
                }
            }
            if tokio::time::timeout(FLUSH_EVERY, self.woken.notified()).await.is_err() {
                let mut inner = self.lock();
                if inner.log.has_tail() {
                    inner.log.flush();
                }
            }
        }
    }
}

async fn pump(server: Server, lease: Lease, shared: Arc<Shared>) {
    let mut failures = 0;
    while let Some((seq, chunk)) = shared.next().await {
        debug_assert!(chunk.len() <= 3 * CHUNK_BYTES);
        match judge(&server.put_log(&lease, seq, chunk).await, seq) {
            Verdict::Taken => {
                shared.lock().log.sent(seq);
                failures = 0;
            }
            Verdict::Renumber(next_seq) => {
                debug!(job.id = %lease.key.job_id, "The log of {} goes on at {next_seq}", lease.key);
                shared.lock().log.resync(next_seq);
                failures += 1;
                if failures > RESYNCS_MAX {
                    return warn!(job.id = %lease.key.job_id, "The log of {} finds no number to go on at", lease.key);
                }
            }
            Verdict::Later(asked_seconds) => {
                failures += 1;
                tokio::time::sleep(WAITS.wait_after(failures, asked_seconds, rand::random())).await;
            }
            Verdict::Over(error) => {
                return warn!(job.id = %lease.key.job_id, "The server takes no more output of {}: {error}", lease.key);
            }
        }
    }
}

/// How often in a row the numbers may be set right before the log is given up.
const RESYNCS_MAX: u32 = 100;

enum Verdict {
    Taken,
    Renumber(u64),
    Later(Option<u64>),
    Over(String),
}

fn judge(answer: &Result<(), CallError>, seq: u64) -> Verdict {
    let Err(error) = answer else {
        return Verdict::Taken;
    };
    match (error.problem(), error.code()) {
        (Some(problem), _) if problem.status == 416 => {
            match problem.more.get("next_seq").and_then(serde_json::Value::as_u64) {
                Some(next_seq) if next_seq != seq => Verdict::Renumber(next_seq),
                _ => Verdict::Over(error.to_string()),
            }
        }
        // Another body lies under this number: this chunk belongs after it.
        (_, Some("chunk_conflict")) => Verdict::Renumber(seq + 1),
        _ if is_final(error) => Verdict::Over(error.to_string()),
        _ => Verdict::Later(error.retry_after_seconds()),
    }
}
