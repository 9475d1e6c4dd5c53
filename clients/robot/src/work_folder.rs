//! The folder of one attempt: what the workflow is given, and where it leaves what it has to say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use remuda_client::segment;
use serde_json::value::RawValue;
use tracing::warn;

use crate::protocol::Assignment;
use crate::report::RESULT_BYTES_MAX;
use crate::state_folder::create_folder;

/// The largest result file that is read: spaces do not count against a result, but they have their bound too.
const RESULT_FILE_BYTES_MAX: u64 = 4 * RESULT_BYTES_MAX as u64;

/// The largest progress file that is read; its last line counts.
const PROGRESS_FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug)]
pub(crate) struct WorkFolder {
    root: PathBuf,
}

impl WorkFolder {
    /// Makes it, with the payload and the checkpoints of earlier attempts in it.
    pub(crate) fn create(work: &Path, assignment: &Assignment) -> io::Result<WorkFolder> {
        let name = format!("{}-{}", segment(&assignment.job_id), assignment.attempt);
        let folder = WorkFolder {
            root: std::path::absolute(work)?.join(name),
        };
        if folder.root.exists() {
            fs::remove_dir_all(&folder.root)?;
        }
        create_folder(&folder.checkpoints())?;
        fs::write(folder.payload(), assignment.payload.get())?;
        for (name, value) in &assignment.checkpoints {
            fs::write(folder.checkpoints().join(file_name_of(name)), value.get())?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    pub(crate) fn payload(&self) -> PathBuf {
        self.root.join("payload.json")
    }

    pub(crate) fn result(&self) -> PathBuf {
        self.root.join("result.json")
    }

    pub(crate) fn progress(&self) -> PathBuf {
        self.root.join("progress")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// What the result file holds: nothing if there is none or it is empty, an error if it is no result.
    pub(crate) fn read_result(&self) -> Option<Result<Box<RawValue>, String>> {
        let text = match read_bounded(&self.result(), RESULT_FILE_BYTES_MAX) {
            Ok(Some(text)) if text.trim_ascii().is_empty() => return None,
            Ok(Some(text)) => text,
            Ok(None) => {
                return Some(Err(format!(
                    "the result file is larger than {RESULT_FILE_BYTES_MAX} bytes"
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(format!("the result file cannot be read: {error}"))),
        };
        Some(serde_json::from_slice(&text).map_err(|error| format!("the result file is no JSON: {error}")))
    }

    /// The last line of the progress file, if there is one.
    pub(crate) fn read_progress(&self) -> Option<String> {
        let text = read_bounded(&self.progress(), PROGRESS_FILE_BYTES_MAX).ok()??;
        let text = String::from_utf8_lossy(&text).into_owned();
        // A line is complete with its line feed; a file of one line may do without.
        let complete = text.rfind('\n').map_or(text.as_str(), |end| &text[..end]);
        complete
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .map(str::to_owned)
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            warn!("Cannot remove the work folder {}: {error}", self.root.display());
        }
    }
}

/// A checkpoint's name as a file's: its own, unless it could lead out of the folder or hide in it.
pub(crate) fn file_name_of(name: &str) -> String {
    let encoded = segment(name);
    match encoded.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => encoded,
    }
}

/// The name of the checkpoint that a file holds; none for hidden and half-written files.
pub(crate) fn checkpoint_name_of(file_name: &str) -> Option<String> {
    let half_written = file_name.starts_with('.')
        || file_name.ends_with('~')
        || Path::new(file_name).extension().is_some_and(|end| end == "tmp");
    if half_written {
        None
    } else {
        Some(percent_decode_str(file_name).decode_utf8().ok()?.into_owned())
    }
}

fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    // A pipe or a device in place of the file would block or never end.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    if metadata.len() > bytes_max {
        Ok(None)
    } else {
        fs::read(path).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoints_name_never_leads_out_of_its_folder() {
        for (name, file) in [
            ("page-3", "page-3"),
            ("..", "%2E."),
            ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
            (".hidden", "%2Ehidden"),
            ("50%", "50%25"),
        ] {
            assert_eq!(file_name_of(name), file);
            assert_eq!(checkpoint_name_of(file).as_deref(), Some(name));
        }
    }

    #[test]
    fn half_written_files_are_no_checkpoints() {
        for file in [".page", "page.tmp", "page~"] {
            assert_eq!(checkpoint_name_of(file), None);
        }
    }

    #[test]
    fn the_last_complete_line_of_the_progress_file_counts() {
        let folder = tempfile::tempdir().unwrap();
        let work = WorkFolder {
            root: folder.path().to_owned(),
        };
        assert_eq!(work.read_progress(), None);
        for (text, expected) in [
            ("", None),
            ("10 one", Some("10 one")),
            ("10 one\n20 two\n3", Some("20 two")),
        ] {
            fs::write(work.progress(), text).unwrap();
            assert_eq!(work.read_progress().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_empty_result_file_is_no_result_and_a_broken_one_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let work = WorkFolder {
            root: folder.path().to_owned(),
        };
        assert!(work.read_result().is_none());
        fs::write(work.result(), " \n").unwrap();
        assert!(work.read_result().is_none());
        fs::write(work.result(), "{\"a\":").unwrap();
        assert!(work.read_result().unwrap().is_err());
        fs::write(work.result(), "[1.0]\n").unwrap();
        assert_eq!(work.read_result().unwrap().unwrap().get(), "[1.0]");
    }
}
