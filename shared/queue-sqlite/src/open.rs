//! Opening a file, or memory.

use std::{str::FromStr, sync::Arc, time::Duration};

use queue::store::StoreError;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{SqliteStore, errors::unavailable, writer::Writer};

/// How long a call waits for a connection. Below any API's own patience, so that a caller is told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a write waits for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// How many connections read at once.
const READERS: u32 = 4;

impl SqliteStore {
    /// The store in the file that `place` names (`sqlite:PATH` or a path; made if it is not there) or, for
    /// `sqlite::memory:`, in memory until the store is dropped.
    pub async fn open(place: &str) -> Result<Self, StoreError> {
        let path = place.strip_prefix("sqlite:").unwrap_or(place);
        if path == ":memory:" {
            Self::open_memory().await
        } else {
            Self::open_file(path).await
        }
    }

    async fn open_file(path: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered is on the disk, also when the power goes.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(unavailable)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options.read_only(true));
        Ok(Self {
            readers,
            writer: Arc::new(Writer::new(writer)),
        })
    }

    async fn open_memory() -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str("sqlite::memory:").map_err(unavailable)?;
        let pool: SqlitePool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            // The data goes with its one connection.
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(30))
            .connect_with(options)
            .await
            .map_err(unavailable)?;
        Ok(Self {
            readers: pool.clone(),
            writer: Arc::new(Writer::new(pool)),
        })
    }

    /// Closes the file once what is under way is done.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.pool().close().await;
    }
}
