//! A file, and a copy of it for each crash.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use queue_sqlite::SqliteStore;
use tempfile::TempDir;

use super::Place;

/// Memory that looks like a disk, where there is such a thing. A process that aborts loses nothing that it wrote to either.
const QUICK_FOLDER: &str = "/dev/shm";

/// What lies beside the file while it is in use.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

pub(super) struct File {
    folder: TempDir,
}

impl File {
    pub(super) async fn new() -> anyhow::Result<Self> {
        let quick = Path::new(QUICK_FOLDER);
        let folder = if quick.is_dir() {
            tempfile::tempdir_in(quick)?
        } else {
            tempfile::tempdir()?
        };
        let file = Self { folder };
        let store = SqliteStore::open(&file.address("empty.db")).await?;
        store.migrate().await?;
        store.close().await;
        Ok(file)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn address(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name).display())
    }

    /// Puts a copy of `name` in the place of the file that is used.
    fn copy_of(&self, name: &str) -> io::Result<String> {
        for suffix in BESIDE {
            match fs::remove_file(self.path(&format!("queue.db{suffix}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::copy(self.path(name), self.path("queue.db"))?;
        Ok(self.address("queue.db"))
    }
}

#[async_trait]
impl Place for File {
    async fn empty(&mut self) -> anyhow::Result<String> {
        Ok(self.copy_of("empty.db")?)
    }

    async fn remember(&mut self) -> anyhow::Result<()> {
        // Whoever closes the file last moves everything into it.
        anyhow::ensure!(!self.path("queue.db-wal").exists(), "somebody has the file open");
        fs::copy(self.path("queue.db"), self.path("remembered.db"))?;
        Ok(())
    }

    async fn put_back(&mut self) -> anyhow::Result<String> {
        Ok(self.copy_of("remembered.db")?)
    }
}
