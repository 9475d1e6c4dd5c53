//! Which lines of a log were shown already.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A log up to this size is read whole at each turn; the API has no way to ask for its end alone.
const LOG_BYTES_QUICK: usize = 256 * 1024;

/// How long a larger log is left alone between two readings.
const LARGE_LOG_PAUSE: Duration = Duration::from_secs(10);

/// How much of each attempt's log was shown.
#[derive(Debug, Default)]
pub(super) struct LogTail {
    shown_bytes: BTreeMap<u32, usize>,
    next_reading: Option<Instant>,
}

impl LogTail {
    /// Whether it is time to read the log again; at an attempt's end it always is.
    pub(super) fn wants(&self, is_over: bool) -> bool {
        is_over || self.next_reading.is_none_or(|next| Instant::now() >= next)
    }

    /// The lines that were not shown yet. While the attempt goes on, a line without its end is kept back: more of it
    /// may come.
    pub(super) fn new_lines(&mut self, attempt: u32, log: &str, is_over: bool) -> Vec<String> {
        self.next_reading = (log.len() > LOG_BYTES_QUICK).then(|| Instant::now() + LARGE_LOG_PAUSE);
        let shown = self.shown_bytes.entry(attempt).or_insert(0);
        let Some(fresh) = log.get(*shown..) else {
            return Vec::new();
        };
        let end = if is_over {
            fresh.len()
        } else {
            fresh.rfind('\n').map_or(0, |at| at + 1)
        };
        *shown += end;
        fresh[..end].lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_once_and_whole() {
        let mut tail = LogTail::default();
        assert_eq!(tail.new_lines(1, "one\ntw", false), ["one"]);
        assert_eq!(tail.new_lines(1, "one\ntwo\nthr", false), ["two"]);
        assert_eq!(tail.new_lines(1, "one\ntwo\nthree", true), ["three"]);
        assert!(tail.new_lines(1, "one\ntwo\nthree", true).is_empty());
    }

    #[test]
    fn each_attempt_has_a_log_of_its_own() {
        let mut tail = LogTail::default();
        assert_eq!(tail.new_lines(1, "first\n", true), ["first"]);
        assert_eq!(tail.new_lines(2, "again\n", false), ["again"]);
    }

    #[test]
    fn a_large_log_is_left_alone_for_a_while_but_read_at_the_end() {
        let mut tail = LogTail::default();
        assert!(tail.wants(false));
        tail.new_lines(1, &"x\n".repeat(LOG_BYTES_QUICK), false);
        assert!(!tail.wants(false));
        assert!(tail.wants(true));
    }
}
