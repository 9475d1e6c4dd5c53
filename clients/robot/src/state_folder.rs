//! The state folder: what a robot keeps over a restart, and the lock that makes it one robot's alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a lock that another process holds is waited for: a robot that was killed has left its watchdog to end the
/// work, and the lock falls with the watchdog.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);
const LOCK_WAIT: Duration = Duration::from_millis(50);

const OURS_ALONE: u32 = 0o600;
const FOLDER_OURS_ALONE: u32 = 0o700;

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFolderError {
    /// Another process works with it.
    #[error("another robot ({holder}) uses the state folder {}: give each robot a state_folder of its own", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, as far as is known.
        holder: String,
    },
    /// The system does not let it be made, read or written.
    #[error("cannot use {}: {source}; state_folder must be a folder that this user may write", .path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A state folder, locked for as long as this value (and a watchdog that shares the lock) lives.
#[derive(Debug)]
pub(crate) struct StateFolder {
    root: PathBuf,
    lock: File,
}

impl StateFolder {
    /// Makes the folder if it is not there, and locks it; waits some seconds for a lock that another process holds.
    pub(crate) async fn open(root: &Path) -> Result<StateFolder, StateFolderError> {
        StateFolder::open_within(root, LOCK_WAIT_MAX).await
    }

    async fn open_within(root: &Path, wait: Duration) -> Result<StateFolder, StateFolderError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| StateFolderError::Unusable { path, source }
        };
        for folder in [root.to_owned(), root.join("outbox"), root.join("work")] {
            create_folder(&folder).map_err(unusable(&folder))?;
        }
        let path = root.join("lock");
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(OURS_ALONE)
            .open(&path)
            .map_err(unusable(&path))?;
        acquire(&mut lock, root, Instant::now() + wait).await?;
        write_holder(&mut lock).map_err(unusable(&path))?;
        Ok(StateFolder {
            root: root.to_owned(),
            lock,
        })
    }

    /// Where the robot's id and key lie.
    pub(crate) fn identity_file(&self) -> PathBuf {
        self.root.join("robot.json")
    }

    /// Where reports lie that the server has not answered.
    pub(crate) fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// Where each attempt has its folder.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Another handle of the lock: it falls when all are closed.
    pub(crate) fn share_lock(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    /// Removes what attempts of an earlier run left: their processes are gone, and their reports are in the outbox.
    pub(crate) fn clear_work(&self) -> Result<(), StateFolderError> {
        let work = self.work();
        fs::remove_dir_all(&work)
            .and_then(|()| create_folder(&work))
            .map_err(|source| StateFolderError::Unusable { path: work, source })
    }
}

async fn acquire(lock: &mut File, root: &Path, until: Instant) -> Result<(), StateFolderError> {
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(LOCK_WAIT).await,
            Err(fs::TryLockError::WouldBlock) => return Err(in_use(lock, root)),
            Err(fs::TryLockError::Error(source)) => {
                return Err(StateFolderError::Unusable {
                    path: root.join("lock"),
                    source,
                });
            }
        }
    }
}

fn in_use(lock: &mut File, root: &Path) -> StateFolderError {
    let mut holder = String::new();
    let known = lock.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    let holder = if known {
        format!("process {}", holder.trim())
    } else {
        "its process is not known".to_owned()
    };
    StateFolderError::InUse {
        path: root.to_owned(),
        holder,
    }
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// Makes a folder, and those above it, that only this user may look into; one that is there stays as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_OURS_ALONE).create(path)
}

/// Writes a file that only this user may read, whole or not at all, and on the disk when this returns.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("a file in the state folder has a folder");
    let half = path.with_extension("half");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(OURS_ALONE)
        .open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_this_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("deep/state")).await.unwrap();
        write_durably(&state.identity_file(), b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.identity_file()), 0o600);
        assert_eq!(mode(&state.root), 0o700);
        assert_eq!(fs::read(state.identity_file()).unwrap(), b"secret");
    }

    #[tokio::test]
    async fn a_folder_in_use_is_refused_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFolder::open(folder.path()).await.unwrap();
        let error = StateFolder::open_within(folder.path(), Duration::ZERO)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        StateFolder::open(folder.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_shared_lock_holds_until_every_handle_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFolder::open(folder.path()).await.unwrap();
        let shared = first.share_lock().unwrap();
        drop(first);
        assert!(StateFolder::open_within(folder.path(), Duration::ZERO).await.is_err());
        drop(shared);
        StateFolder::open(folder.path()).await.unwrap();
    }
}
