//! Which file it is, and the connections to it: one that writes, a few that read.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use queue::store::StoreError;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::errors::unavailable;

/// How long a call waits for a connection. Below any API's own patience, so that a caller is told.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a write waits for a writer in another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// How many connections read at once.
const READERS: u32 = 4;

/// A database that is opened by the first call, and again when its file was moved. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    options: SqliteConnectOptions,
    /// `None` in memory.
    path: Option<PathBuf>,
    open: Arc<Mutex<Option<Open>>>,
}

#[derive(Debug)]
struct Open {
    file: Option<FileId>,
    pools: Pools,
}

#[derive(Clone, Debug)]
struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// The database at `sqlite:PATH`, at a plain path, or in memory for `sqlite::memory:`.
    pub(crate) fn at(place: &str) -> Result<Self, StoreError> {
        let path = place.strip_prefix("sqlite:").unwrap_or(place);
        let (options, path) = if path == ":memory:" {
            (
                SqliteConnectOptions::from_str("sqlite::memory:").map_err(unavailable)?,
                None,
            )
        } else {
            (SqliteConnectOptions::new().filename(path), Some(PathBuf::from(path)))
        };
        let options = options.busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
        Ok(Self {
            options,
            path,
            open: Arc::default(),
        })
    }

    /// Makes the file if there is none.
    pub(crate) async fn create(&self) -> Result<(), StoreError> {
        if self.path.is_some() {
            let options = self.writer_options().create_if_missing(true);
            let connection = SqliteConnection::connect_with(&options).await.map_err(unavailable)?;
            connection.close().await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Whether there is something to connect to.
    pub(crate) fn exists(&self) -> bool {
        self.path.as_ref().is_none_or(|path| path.exists())
    }

    /// The one connection that writes, as a pool: who waits for it comes in order.
    pub(crate) fn writer(&self) -> Result<SqlitePool, StoreError> {
        Ok(self.pools()?.writer)
    }

    /// Connections to read with; the writer's own one in memory, where no other sees what it wrote.
    pub(crate) fn readers(&self) -> Result<SqlitePool, StoreError> {
        Ok(self.pools()?.readers)
    }

    /// Closes it once what is under way is done. A later call opens it again, unless it was in memory.
    pub(crate) async fn close(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Open { pools, .. }) = open {
            pools.readers.close().await;
            pools.writer.close().await;
        }
    }

    fn pools(&self) -> Result<Pools, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.file()?;
        match &*open {
            Some(Open { file: opened, pools }) if *opened == file => Ok(pools.clone()),
            // SQLite would go on writing to a file that nobody will ever find. What was under way there may be lost, so
            // the caller is told once; the next call finds the file that is there now.
            Some(_) => {
                *open = None;
                Err(StoreError::Unavailable(
                    format!("{} was moved or replaced", self.shown()).into(),
                ))
            }
            None => {
                let pools = self.open_pools();
                *open = Some(Open {
                    file,
                    pools: pools.clone(),
                });
                Ok(pools)
            }
        }
    }

    fn file(&self) -> Result<Option<FileId>, StoreError> {
        let Some(path) = &self.path else { return Ok(None) };
        FileId::of(path).map(Some).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Unavailable(
                format!("there is no file {}: `remuda store migrate` makes it", self.shown()).into(),
            ),
            _ => StoreError::Unavailable(error.into()),
        })
    }

    fn shown(&self) -> String {
        self.path
            .as_deref()
            .unwrap_or(Path::new(":memory:"))
            .display()
            .to_string()
    }

    fn open_pools(&self) -> Pools {
        let pool = || {
            let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
            // No server can hang up on a file, and what is in memory goes with its one connection.
            pool.test_before_acquire(false).idle_timeout(None).max_lifetime(None)
        };
        let writer = pool().max_connections(1).connect_lazy_with(self.writer_options());
        let readers = match self.path {
            Some(_) => pool()
                .max_connections(READERS)
                .connect_lazy_with(self.options.clone().pragma("query_only", "on")),
            None => writer.clone(),
        };
        Pools { writer, readers }
    }

    fn writer_options(&self) -> SqliteConnectOptions {
        let options = self.options.clone();
        if self.path.is_none() {
            return options;
        }
        // What was answered is on the disk, also when the power goes.
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
    }
}

/// Which file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = path.metadata()?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
        })
    }

    // Elsewhere an open file cannot be taken away, so it is enough that there is one.
    #[cfg(not(unix))]
    fn of(path: &Path) -> io::Result<Self> {
        path.metadata()?;
        Ok(Self { device: 0, inode: 0 })
    }
}
