//! Packing jobs into bulks within the server's bounds.

/// The most jobs that one bulk takes.
const BULK_JOBS_MAX: usize = 1000;

/// The largest request that the server reads as a bulk.
pub(crate) const BULK_BYTES_MAX: usize = 5 * 1024 * 1024;

const OPENING: &str = "{\"jobs\":[";
const CLOSING: &str = "]}";

/// Jobs that go to the server in one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bulk {
    /// The request's body, as JSON.
    pub(crate) body: String,
    /// The line that each job comes from.
    pub(crate) lines: Vec<u64>,
}

/// Fills bulks as full as they may be.
#[derive(Debug, Default)]
pub(crate) struct BulkPacker {
    jobs: Vec<String>,
    lines: Vec<u64>,
    bytes: usize,
}

impl BulkPacker {
    /// Puts a job in; gives back the bulk that had no room for it.
    pub(crate) fn push(&mut self, line: u64, job: String) -> Result<Option<Bulk>, String> {
        let bytes = job.len() + 1;
        if OPENING.len() + bytes + CLOSING.len() > BULK_BYTES_MAX {
            return Err("larger than a whole bulk may be (5 MiB)".to_owned());
        }
        let full = if self.has_room_for(bytes) { None } else { self.take() };
        self.bytes += bytes;
        self.jobs.push(job);
        self.lines.push(line);
        Ok(full)
    }

    /// What is left.
    pub(crate) fn take(&mut self) -> Option<Bulk> {
        if self.jobs.is_empty() {
            return None;
        }
        self.bytes = 0;
        let jobs = std::mem::take(&mut self.jobs);
        let body = format!("{OPENING}{}{CLOSING}", jobs.join(","));
        Some(Bulk {
            body,
            lines: std::mem::take(&mut self.lines),
        })
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.jobs.len() < BULK_JOBS_MAX && OPENING.len() + self.bytes + bytes + CLOSING.len() <= BULK_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(jobs: impl IntoIterator<Item = String>) -> Vec<Bulk> {
        let mut packer = BulkPacker::default();
        let mut bulks = Vec::new();
        for (line, job) in (1..).zip(jobs) {
            bulks.extend(packer.push(line, job).unwrap());
        }
        bulks.extend(packer.take());
        bulks
    }

    #[test]
    fn a_bulk_holds_a_thousand_jobs_at_most_and_none_is_left_behind() {
        let bulks = pack((0..2001).map(|n| format!("{{\"n\":{n}}}")));
        assert_eq!(
            bulks.iter().map(|bulk| bulk.lines.len()).collect::<Vec<_>>(),
            [1000, 1000, 1]
        );
        assert_eq!(
            bulks[2],
            Bulk {
                body: "{\"jobs\":[{\"n\":2000}]}".to_owned(),
                lines: vec![2001]
            }
        );
    }

    #[test]
    fn a_bulk_is_never_larger_than_the_server_reads() {
        let job = "x".repeat(BULK_BYTES_MAX / 3);
        let bulks = pack((0..4).map(|_| job.clone()));
        assert_eq!(bulks.iter().map(|bulk| bulk.lines.len()).collect::<Vec<_>>(), [2, 2]);
        assert!(bulks.iter().all(|bulk| bulk.body.len() <= BULK_BYTES_MAX));
    }

    #[test]
    fn a_job_larger_than_a_bulk_is_refused_and_takes_nothing_with_it() {
        let mut packer = BulkPacker::default();
        packer.push(1, "{}".to_owned()).unwrap();
        assert!(packer.push(2, "x".repeat(BULK_BYTES_MAX)).is_err());
        assert_eq!(packer.take().unwrap().lines, [1]);
    }
}
