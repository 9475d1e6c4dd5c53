//! The world outside: a file that is only ever appended to, in which each attempt writes when it begins and when it does what
//! its job is for.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use jiff::Timestamp;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Its command runs.
    Begun,
    /// It did what the job is for: the effect that nobody can take back.
    Done,
}

/// One line: an attempt and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) what: What,
    pub(crate) job: String,
    pub(crate) attempt: u32,
    /// The robot's name.
    pub(crate) robot: String,
    pub(crate) at: Timestamp,
}

/// Appends the mark in one write, so that the lines of several processes never mix and none is half there.
pub(crate) fn append(path: &Path, mark: &Mark) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(format!("{mark}\n").as_bytes())
}

/// Every mark, in the order in which they were made.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Mark>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines().map(str::parse).collect()
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Begun => "begun",
            What::Done => "done",
        };
        write!(f, "{what} {} {} {} {}", self.job, self.attempt, self.robot, self.at)
    }
}

impl FromStr for Mark {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> anyhow::Result<Mark> {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, job, attempt, robot, at] = words[..] else {
            anyhow::bail!("no effect reads {line:?}");
        };
        let what = match what {
            "begun" => What::Begun,
            "done" => What::Done,
            _ => anyhow::bail!("no effect reads {line:?}"),
        };
        Ok(Mark {
            what,
            job: job.to_owned(),
            attempt: attempt.parse().with_context(|| format!("{line:?} has no attempt"))?,
            robot: robot.to_owned(),
            at: at.parse().with_context(|| format!("{line:?} has no moment"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("effects");
        fs::write(&path, "").expect("a file");
        let mark = |what| Mark {
            what,
            job: "j-1".to_owned(),
            attempt: 2,
            robot: "robot-3".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        for what in [What::Begun, What::Done] {
            append(&path, &mark(what)).expect("is written");
        }
        let marks = read(&path).expect("is read");
        assert_eq!(marks, [mark(What::Begun), mark(What::Done)]);
    }

    #[test]
    fn half_a_line_is_no_effect() {
        for line in [
            "",
            "done",
            "done j 1 r",
            "undone j 1 r 1970-01-01T00:00:00Z",
            "done j one r 1970-01-01T00:00:00Z",
        ] {
            assert!(line.parse::<Mark>().is_err(), "{line:?}");
        }
    }
}
