//! The one writer: calls that come while a transaction runs share the next one.
//!
//! A transaction costs a wait for the disk, whatever is in it. So nothing waits for company, but whatever has come in the
//! meantime goes together, and nobody is answered before it is on the disk.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use queue::store::{Blob, BlobPut, Change, Committed, Record, StoreError};
use sqlx::{Error, SqliteConnection};
use tokio::sync::oneshot;

use crate::{
    blobs,
    commit::{restore, write_change},
    database::Database,
    errors::{again, unavailable},
};

/// A transaction takes no further call once its calls weigh this much; a change weighs 1.
const WEIGHT_MAX: usize = 4_096;

/// So many bytes of blobs weigh as much as a change.
const BYTES_PER_WEIGHT: usize = 4_096;

type Answer<T> = oneshot::Sender<Result<T, Arc<StoreError>>>;

/// A call that waits to be written, and who wants to know.
enum Call {
    Commit(Vec<Change>, Answer<Vec<Committed>>),
    NewBlob(Blob, Answer<BlobPut>),
    Restore(Vec<Record>, Answer<Vec<Committed>>),
}

/// What became of a call.
enum Outcome {
    Committed(Vec<Committed>),
    Put(BlobPut),
}

/// Writes what callers hand in.
#[derive(Clone)]
pub(crate) struct Writer {
    database: Database,
    waiting: Arc<Mutex<VecDeque<Call>>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database,
            waiting: Arc::default(),
        }
    }

    /// Takes the write lock and lets it go: fails where a commit would.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let begun = self.database.writer()?.begin_with("begin immediate").await;
        let mut transaction = begun.map_err(unavailable)?;
        let read = sqlx::query("select 1 from record limit 1")
            .fetch_optional(&mut *transaction)
            .await;
        read.map_err(unavailable)?;
        transaction.rollback().await.map_err(unavailable)
    }

    /// Writes `changes`; answers when they are on the disk.
    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.call(|answer| Call::Commit(changes, answer)).await
    }

    /// Writes `blob` unless there is one; answers when it is on the disk.
    pub(crate) async fn put_new_blob(&self, blob: Blob) -> Result<BlobPut, StoreError> {
        self.call(|answer| Call::NewBlob(blob, answer)).await
    }

    /// Writes `records` as they are where there are none; answers when they are on the disk.
    pub(crate) async fn restore(&self, records: Vec<Record>) -> Result<Vec<Committed>, StoreError> {
        self.call(|answer| Call::Restore(records, answer)).await
    }

    async fn call<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.waiting().push_back(call(answer));
        // On a task of its own: a caller that goes away must not take down those it writes for.
        tokio::spawn(self.clone().write_waiting());
        match answered.await {
            Ok(outcome) => outcome.map_err(|error| again(&error)),
            Err(_) => Err(StoreError::Unavailable("the writer went away".into())),
        }
    }

    /// Writes what waits by the time it is this task's turn; nothing, when an earlier task took it along.
    async fn write_waiting(self) {
        let connection = match self.database.writer() {
            Ok(pool) => pool.acquire().await.map_err(unavailable),
            Err(error) => Err(error),
        };
        let batch = self.take();
        if batch.is_empty() {
            return;
        }
        let written = match connection {
            Ok(mut connection) => write(&mut connection, &batch).await.map_err(unavailable),
            Err(error) => Err(error),
        };
        match written {
            Ok(outcomes) => batch
                .into_iter()
                .zip(outcomes)
                .for_each(|(call, outcome)| call.answer(outcome)),
            Err(error) => {
                let error = Arc::new(error);
                batch.into_iter().for_each(|call| call.fail(Arc::clone(&error)));
            }
        }
    }

    fn take(&self) -> Vec<Call> {
        let mut waiting = self.waiting();
        let (mut batch, mut weight) = (Vec::new(), 0);
        while weight < WEIGHT_MAX
            && let Some(next) = waiting.pop_front()
        {
            weight += next.weight();
            batch.push(next);
        }
        batch
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Call>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn weight(&self) -> usize {
        let blob = |blob: &Blob| blob.body.len() / BYTES_PER_WEIGHT;
        match self {
            Self::Commit(changes, _) => changes
                .iter()
                .map(|change| 1 + change.blobs.iter().map(blob).sum::<usize>())
                .sum(),
            Self::NewBlob(new, _) => 1 + blob(new),
            Self::Restore(records, _) => records.len(),
        }
    }

    /// Tells whoever asked, unless they have gone away.
    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Commit(_, answer) | Self::Restore(_, answer), Outcome::Committed(outcomes)) => {
                drop(answer.send(Ok(outcomes)));
            }
            (Self::NewBlob(_, answer), Outcome::Put(put)) => drop(answer.send(Ok(put))),
            // An outcome is made of its call, so it is of the same kind.
            (Self::Commit(..) | Self::Restore(..), Outcome::Put(_)) | (Self::NewBlob(..), Outcome::Committed(_)) => {}
        }
    }

    fn fail(self, error: Arc<StoreError>) {
        match self {
            Self::Commit(_, answer) | Self::Restore(_, answer) => drop(answer.send(Err(error))),
            Self::NewBlob(_, answer) => drop(answer.send(Err(error))),
        }
    }

    async fn write(&self, connection: &mut SqliteConnection) -> Result<Outcome, Error> {
        match self {
            Self::Commit(changes, _) => {
                let mut outcomes = Vec::with_capacity(changes.len());
                for change in changes {
                    outcomes.push(write_change(connection, change).await?);
                }
                Ok(Outcome::Committed(outcomes))
            }
            Self::NewBlob(blob, _) => Ok(Outcome::Put(blobs::put_new(connection, blob).await?)),
            Self::Restore(records, _) => {
                let mut outcomes = Vec::with_capacity(records.len());
                for record in records {
                    outcomes.push(restore(connection, record).await?);
                }
                Ok(Outcome::Committed(outcomes))
            }
        }
    }
}

async fn write(connection: &mut SqliteConnection, batch: &[Call]) -> Result<Vec<Outcome>, Error> {
    use sqlx::Connection;
    let mut transaction = connection.begin_with("begin immediate").await?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for call in batch {
        outcomes.push(call.write(&mut transaction).await?);
    }
    transaction.commit().await?;
    Ok(outcomes)
}
