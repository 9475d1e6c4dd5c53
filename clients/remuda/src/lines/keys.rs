//! Idempotency keys for lines, the same whenever the same lines are read again.

use std::collections::HashMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::WrittenJob;

/// So many bytes of a digest tell any two lines apart.
const DIGEST_BYTES: usize = 16;

/// Gives each line its key.
///
/// A key comes from the batch's name, the job's content, and which of the equal jobs of the file it is. The line's
/// number is left out on purpose: who mends a refused line or puts one in before it, and runs the command again, must
/// not double the lines that were taken the first time.
#[derive(Debug)]
pub(crate) struct LineKeys {
    batch: String,
    seen: HashMap<[u8; DIGEST_BYTES], u32>,
}

impl LineKeys {
    /// Keys of the batch of that name.
    pub(crate) fn of_batch(batch: &str) -> Self {
        LineKeys {
            batch: batch.to_owned(),
            seen: HashMap::new(),
        }
    }

    /// The job as the bulk wants it: with the key its author gave, or else with ours.
    pub(crate) fn keyed(&mut self, mut job: WrittenJob) -> Result<String, String> {
        let key = match job.take_idempotency_key()? {
            Some(given) => given,
            None => self.derive(&job),
        };
        Ok(job.with_idempotency_key(&key))
    }

    fn derive(&mut self, job: &WrittenJob) -> String {
        let content = digest(&[&self.batch, &job.canonical()]);
        let occurrence = self.seen.entry(content).or_insert(0);
        *occurrence += 1;
        format!("jsonl-{}-{occurrence}", hex(&content))
    }
}

fn digest(parts: &[&str]) -> [u8; DIGEST_BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        // The length before each part keeps "ab" + "c" apart from "a" + "bc".
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let full = hasher.finalize();
    std::array::from_fn(|index| full[index])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes all that is written to it");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(batch: &str, lines: &[&str]) -> Vec<String> {
        let mut keys = LineKeys::of_batch(batch);
        lines
            .iter()
            .map(|line| {
                let keyed = keys.keyed(WrittenJob::parse(line.as_bytes()).unwrap()).unwrap();
                let job: serde_json::Value = serde_json::from_str(&keyed).unwrap();
                job["idempotency_key"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    #[test]
    fn the_same_lines_get_the_same_keys_again() {
        let lines = [r#"{"workflow":"a"}"#, r#"{"workflow":"b"}"#];
        assert_eq!(keys_of("", &lines), keys_of("", &lines));
    }

    #[test]
    fn a_key_does_not_depend_on_the_lines_before_or_on_how_the_job_is_written() {
        let plain = keys_of("", &[r#"{"workflow":"a","priority":3}"#]);
        let moved = keys_of("", &[r#"{"workflow":"b"}"#, r#"{ "priority": 3, "workflow": "a" }"#]);
        assert_eq!(plain[0], moved[1]);
    }

    #[test]
    fn equal_lines_are_jobs_of_their_own() {
        let keys = keys_of("", &[r#"{"workflow":"a"}"#, r#"{"workflow":"a"}"#]);
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn another_batch_is_another_submission() {
        let line = [r#"{"workflow":"a"}"#];
        assert_ne!(keys_of("monday", &line), keys_of("tuesday", &line));
    }

    #[test]
    fn a_key_that_was_given_is_kept() {
        assert_eq!(keys_of("", &[r#"{"workflow":"a","idempotency_key":"mine"}"#]), ["mine"]);
    }
}
