//! Reports that the server has not answered yet, kept on disk until it has.
//!
//! A finish is written before it is first sent, so neither a lost answer nor the death of this process loses what an
//! attempt came to: it is sent again, by the next process if need be, and the server knows one that it has had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use remuda_client::{CallError, Retry};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::protocol::{Finish, JobKey, Lease};
use crate::report::instead_of_refused;
use crate::server::{Server, is_final, is_key_refused};
use crate::state_folder::write_durably;

/// How long to wait between tries; a report is never given up.
const WAITS: Retry = Retry {
    tries_max: u32::MAX,
    wait_first: Duration::from_millis(500),
    wait_max: Duration::from_secs(15),
};

/// A report on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    key: JobKey,
    finish: Finish,
    /// This one stands in for a report that the server found wrong.
    #[serde(default)]
    stand_in: bool,
}

impl Entry {
    pub(crate) fn new(key: JobKey, finish: Finish) -> Entry {
        Entry {
            key,
            finish,
            stand_in: false,
        }
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease {
            key: self.key.clone(),
            lease_token: self.finish.lease_token.clone(),
        }
    }

    fn file_name(&self) -> String {
        format!("{}-{}.json", remuda_client::segment(&self.key.job_id), self.key.attempt)
    }
}

/// The folder of reports.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    pub(crate) fn new(folder: PathBuf) -> Outbox {
        Outbox { folder }
    }

    /// The reports that an earlier run of this robot left; a file that is none is told and left where it is.
    pub(crate) fn kept(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => error!(
                        "{} is no report ({error}): look into it, then delete it",
                        path.display()
                    ),
                }
            }
        }
        Ok(entries)
    }

    /// Keeps the report on disk; one that cannot be written is told and sent all the same.
    pub(crate) async fn keep(&self, entry: &Entry) {
        let path = self.folder.join(entry.file_name());
        let bytes = serde_json::to_vec(entry).expect("a report is plain JSON");
        let shown = path.display().to_string();
        let written = tokio::task::spawn_blocking(move || write_durably(&path, &bytes)).await;
        if let Ok(Err(error)) = written {
            error!(job.id = %entry.key.job_id, "Cannot keep the report in {shown} ({error}): only this process knows it");
        }
    }

    /// Sends the report until the server has answered it, however long that takes; then it is no longer kept.
    pub(crate) async fn deliver(&self, server: &Server, mut entry: Entry) {
        let mut failures = 0;
        loop {
            match judge(server.finish(&entry.lease(), &entry.finish).await) {
                Verdict::Taken => {
                    break info!(job.id = %entry.key.job_id, "Reported {} as {:?}", entry.key, entry.finish.outcome);
                }
                Verdict::Overtaken(error) => {
                    break warn!(job.id = %entry.key.job_id, "The report of {} came to nothing: {error}", entry.key);
                }
                Verdict::Wrong(error) if !entry.stand_in => {
                    warn!(job.id = %entry.key.job_id, "The server finds the report of {} wrong: {error}", entry.key);
                    entry.finish = instead_of_refused(&entry.finish, &error.to_string());
                    entry.stand_in = true;
                    self.keep(&entry).await;
                }
                Verdict::Wrong(error) => {
                    break error!(job.id = %entry.key.job_id, "Cannot report {}: {error}", entry.key);
                }
                Verdict::Later(error) => {
                    failures += 1;
                    if failures == 1 {
                        warn!(job.id = %entry.key.job_id, "Cannot report {} yet: {error}; it is kept and sent again", entry.key);
                    }
                    let wait = WAITS.wait_after(failures, error.retry_after_seconds(), rand::random());
                    tokio::time::sleep(wait).await;
                }
            }
        }
        self.forget(&entry);
    }

    fn forget(&self, entry: &Entry) {
        let path = self.folder.join(entry.file_name());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(
                    "Cannot remove {}: {error}; it will be sent again, which does no harm",
                    path.display()
                );
            }
            _ => {}
        }
    }
}

fn read(path: &Path) -> io::Result<Entry> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// What an answer to a report means for it.
#[derive(Debug)]
enum Verdict {
    Taken,
    /// The attempt is no longer ours, or the job is gone: nothing is left to say.
    Overtaken(CallError),
    /// The report itself cannot be taken.
    Wrong(CallError),
    Later(CallError),
}

fn judge(answer: Result<(), CallError>) -> Verdict {
    match answer {
        Ok(()) => Verdict::Taken,
        // A key that is refused may be set right by people; the report waits for that.
        Err(error) if !is_final(&error) || is_key_refused(&error) => Verdict::Later(error),
        Err(error) if matches!(error.status().map(|status| status.as_u16()), Some(404 | 409 | 410)) => {
            Verdict::Overtaken(error)
        }
        Err(error) => Verdict::Wrong(error),
    }
}
