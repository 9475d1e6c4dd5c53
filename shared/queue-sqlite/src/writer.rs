//! The one writer: calls that come while a transaction runs share the next one.
//!
//! A transaction costs a wait for the disk, whatever is in it. So nothing waits for company, but whatever has come in the
//! meantime goes together.

use std::sync::{Mutex, PoisonError};
use std::{collections::VecDeque, sync::Arc};

use queue::store::{Change, Committed, StoreError};
use sqlx::{Error, SqlitePool};
use tokio::sync::oneshot;

use crate::{commit::write_change, errors::unavailable};

/// How many changes share a transaction at the most.
const TOGETHER_MAX: usize = 4_096;

type Answer = Result<Vec<Committed>, String>;

/// Changes that wait to be written, and who wants to know.
struct Waiting {
    changes: Vec<Change>,
    answer: oneshot::Sender<Answer>,
}

/// The one connection that writes.
pub(crate) struct Writer {
    pool: SqlitePool,
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            waiting: Arc::default(),
        }
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Takes the write lock and lets it go: fails where a commit would.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let mut transaction = self.pool.begin_with("begin immediate").await?;
        sqlx::query("select 1 from record limit 1")
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.rollback().await
    }

    /// Writes `changes`; answers when they are on the disk.
    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        lock(&self.waiting).push_back(Waiting { changes, answer });
        // On a task of its own: a caller that goes away must not take down those it writes for.
        tokio::spawn(write_waiting(self.pool.clone(), Arc::clone(&self.waiting)));
        match answered.await {
            Ok(Ok(outcomes)) => Ok(outcomes),
            Ok(Err(message)) => Err(StoreError::Unavailable(message.into())),
            Err(_) => Err(StoreError::Unavailable("the writer went away".into())),
        }
    }
}

fn lock(waiting: &Mutex<VecDeque<Waiting>>) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what waits by the time it is this task's turn; nothing, when an earlier task took it along.
async fn write_waiting(pool: SqlitePool, waiting: Arc<Mutex<VecDeque<Waiting>>>) {
    let connection = pool.acquire().await;
    let batch = take(&waiting);
    if batch.is_empty() {
        return;
    }
    let written = match connection {
        Ok(mut connection) => write(&mut connection, &batch).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(outcomes) => {
            for (waiting, outcomes) in batch.into_iter().zip(outcomes) {
                // Whoever asked may have gone away.
                let _ = waiting.answer.send(Ok(outcomes));
            }
        }
        Err(error) => {
            let message = described(&unavailable(error));
            for waiting in batch {
                let _ = waiting.answer.send(Err(message.clone()));
            }
        }
    }
}

/// The error with its causes, in one line, because one error cannot be given to several callers.
fn described(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

fn take(waiting: &Mutex<VecDeque<Waiting>>) -> Vec<Waiting> {
    let mut waiting = lock(waiting);
    let (mut batch, mut changes) = (Vec::new(), 0);
    while changes < TOGETHER_MAX
        && let Some(next) = waiting.pop_front()
    {
        changes += next.changes.len();
        batch.push(next);
    }
    batch
}

async fn write(connection: &mut sqlx::SqliteConnection, batch: &[Waiting]) -> Result<Vec<Vec<Committed>>, Error> {
    use sqlx::Connection;
    let mut transaction = connection.begin_with("begin immediate").await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for waiting in batch {
        let mut of_call = Vec::with_capacity(waiting.changes.len());
        for change in &waiting.changes {
            of_call.push(write_change(&mut transaction, change).await?);
        }
        outcomes.push(of_call);
    }
    transaction.commit().await?;
    Ok(outcomes)
}
