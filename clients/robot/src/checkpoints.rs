//! Sends what a workflow writes into its checkpoint folder: the next attempt is given all of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};
use tracing::{debug, warn};

use crate::protocol::Lease;
use crate::server::{Server, is_final};
use crate::work_folder::{WorkFolder, checkpoint_name_of};

/// The largest checkpoint that the server takes.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// How many files are looked at; a folder with more is not what it is for.
const FILES_MAX: usize = 1000;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A file's state when it was last sent or found unfit: another one means that it is worth a look.
type Stamp = (u64, Option<SystemTime>);

/// A timer for looking at what a workflow writes; a late look is not made up for.
pub(crate) fn look_regularly() -> Interval {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Sends an attempt's checkpoints beside the work; dropped, it sends no more.
#[derive(Debug)]
pub(crate) struct CheckpointKeeper {
    task: JoinHandle<()>,
    end: Arc<Notify>,
}

impl CheckpointKeeper {
    pub(crate) fn start(server: Server, lease: Lease, folder: &WorkFolder) -> CheckpointKeeper {
        let checkpoints = Checkpoints::watch(folder.checkpoints());
        let end = Arc::new(Notify::new());
        CheckpointKeeper {
            task: tokio::spawn(keep(checkpoints, server, lease, end.clone())),
            end,
        }
    }

    /// Sends what is left, for so long at most.
    pub(crate) async fn finish(mut self, limit: Duration) {
        self.end.notify_one();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            warn!(
                "The last checkpoints are left out: the server did not take them within {} s",
                limit.as_secs()
            );
        }
    }
}

impl Drop for CheckpointKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(mut checkpoints: Checkpoints, server: Server, lease: Lease, end: Arc<Notify>) {
    let mut looks = look_regularly();
    loop {
        tokio::select! {
            _ = looks.tick() => checkpoints.send_changes(&server, &lease).await,
            () = end.notified() => return checkpoints.send_changes(&server, &lease).await,
        }
    }
}

/// The checkpoint folder of one attempt.
#[derive(Debug)]
struct Checkpoints {
    folder: PathBuf,
    seen: BTreeMap<String, Stamp>,
}

/// A new or changed checkpoint.
struct Changed {
    file: String,
    name: String,
    stamp: Stamp,
    value: Box<RawValue>,
}

impl Checkpoints {
    /// Watches the folder; what lies in it now came from the server and is not sent back.
    fn watch(folder: PathBuf) -> Checkpoints {
        let seen = list(&folder).unwrap_or_default().into_iter().collect();
        Checkpoints { folder, seen }
    }

    /// Sends what is new or changed since the last look; what cannot be sent now is looked at again next time.
    async fn send_changes(&mut self, server: &Server, lease: &Lease) {
        for changed in self.changes() {
            match server.put_checkpoint(lease, &changed.name, &changed.value).await {
                Ok(()) => debug!(job.id = %lease.key.job_id, "Kept checkpoint {} of {}", changed.name, lease.key),
                Err(error) if is_final(&error) => {
                    warn!(job.id = %lease.key.job_id, "The server refuses checkpoint {} of {}: {error}", changed.name, lease.key);
                }
                Err(error) => {
                    debug!(job.id = %lease.key.job_id, "Checkpoint {} of {} has to wait: {error}", changed.name, lease.key);
                    return;
                }
            }
            self.seen.insert(changed.file, changed.stamp);
        }
    }

    fn changes(&mut self) -> Vec<Changed> {
        let mut changes = Vec::new();
        for (file, stamp) in list(&self.folder).unwrap_or_default() {
            let Some(name) = checkpoint_name_of(&file).filter(|_| self.seen.get(&file) != Some(&stamp)) else {
                continue;
            };
            match read(&self.folder.join(&file), stamp) {
                Ok(value) => changes.push(Changed {
                    file,
                    name,
                    stamp,
                    value,
                }),
                Err(why) => {
                    // A file that is being written is no JSON yet, and changes again when it is.
                    warn!("Checkpoint {name} is left out for now: {why}");
                    self.seen.insert(file, stamp);
                }
            }
        }
        changes
    }
}

fn list(folder: &Path) -> io::Result<Vec<(String, Stamp)>> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder)?.take(FILES_MAX) {
        let file = file?;
        let metadata = file.metadata()?;
        if metadata.is_file()
            && let Ok(name) = file.file_name().into_string()
        {
            files.push((name, (metadata.len(), metadata.modified().ok())));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, (bytes, _): Stamp) -> Result<Box<RawValue>, String> {
    if bytes > CHECKPOINT_BYTES_MAX {
        return Err(format!(
            "it has {bytes} bytes, and at most {CHECKPOINT_BYTES_MAX} are kept"
        ));
    }
    let text = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| format!("it is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(checkpoints: &mut Checkpoints) -> Vec<String> {
        let changes = checkpoints.changes();
        for change in &changes {
            checkpoints.seen.insert(change.file.clone(), change.stamp);
        }
        changes.into_iter().map(|change| change.name).collect()
    }

    #[test]
    fn only_new_and_changed_files_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("from-before", "1");
        let mut checkpoints = Checkpoints::watch(folder.path().to_owned());
        assert_eq!(names(&mut checkpoints), [""; 0]);
        write("page", "{\"n\": 1}");
        write("half.tmp", "{");
        write("Zürich", "3");
        write("broken", "{");
        assert_eq!(names(&mut checkpoints), ["Zürich", "page"]);
        assert_eq!(names(&mut checkpoints), [""; 0]);
        write("page", "{\"n\": 10}");
        write("broken", "{}");
        assert_eq!(names(&mut checkpoints), ["broken", "page"]);
    }

    #[test]
    fn what_is_too_large_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::watch(folder.path().to_owned());
        fs::write(folder.path().join("large"), format!("\"{}\"", "x".repeat(70_000))).unwrap();
        assert_eq!(names(&mut checkpoints), [""; 0]);
    }
}
