//! Output cut into lines, and the lines that speak to the robot.

use serde_json::value::RawValue;

use crate::protocol::{ErrorKind, JobError, Progress};

/// The longest line that is kept whole: a result of 256 KiB with its prefix fits. Longer ones are cut.
pub(crate) const LINE_BYTES_MAX: usize = 300 * 1024;

/// The longest message that is sent along with progress or an error, in characters.
const MESSAGE_CHARS_MAX: usize = 1000;

/// The longest error code that is sent, in characters.
const CODE_CHARS_MAX: usize = 100;

/// What a line that speaks to the robot begins with.
const PREFIX: &str = "::remuda ";

/// Cuts a stream of bytes into lines, each with its line feed; holds at most one line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.rest.len() >= LINE_BYTES_MAX {
                lines.push(std::mem::take(&mut self.rest));
            }
        }
        lines
    }

    /// What is left when the stream ends: a last line without its line feed, if any.
    pub(crate) fn end(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.rest)).filter(|rest| !rest.is_empty())
    }
}

/// What a workflow tells the robot in a line of its output.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// `::remuda progress 40 page 3`
    Progress(Progress),
    /// `::remuda result {"rows": 3}`
    Result(Box<RawValue>),
    /// `::remuda error business NO_IBAN the customer has no IBAN`
    Error(JobError),
    /// `::remuda retry-after 60`
    RetryAfterSeconds(u32),
}

/// What the line tells the robot: nothing, if it is ordinary output; an error if it means to, but cannot be understood.
pub(crate) fn told(line: &[u8]) -> Option<Result<Told, String>> {
    let text = std::str::from_utf8(line).ok()?.trim_end().strip_prefix(PREFIX)?;
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match verb {
        "progress" => parse_progress(rest).map(Told::Progress),
        "result" => serde_json::from_str(rest)
            .map(Told::Result)
            .map_err(|error| format!("the result is no JSON: {error}")),
        "error" => parse_error(rest).map(Told::Error),
        "retry-after" => rest
            .trim()
            .parse()
            .map(Told::RetryAfterSeconds)
            .map_err(|_| "retry-after needs whole seconds".to_owned()),
        _ => Err("it begins with none of progress, result, error, retry-after".to_owned()),
    })
}

/// Progress as `40 page 3`: a percentage from 0 to 100 (a `%` and a fraction may follow it), then a message.
pub(crate) fn parse_progress(text: &str) -> Result<Progress, String> {
    let text = text.trim();
    let (percent, message) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let number: f64 = percent
        .trim_end_matches('%')
        .parse()
        .map_err(|_| "progress needs a percentage, like `::remuda progress 40 page 3`".to_owned())?;
    if !(0.0..=100.0).contains(&number) {
        return Err("progress runs from 0 to 100".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies from 0 to 100"
    )]
    Ok(Progress {
        percent: number.floor() as u8,
        message: clean(message, MESSAGE_CHARS_MAX),
    })
}

fn parse_error(text: &str) -> Result<JobError, String> {
    let mut words = text.trim().splitn(3, char::is_whitespace);
    let kind = match words.next() {
        Some("business") => ErrorKind::Business,
        Some("application") => ErrorKind::Application,
        _ => return Err("error needs `business` or `application`, a code and a message".to_owned()),
    };
    let code = words
        .next()
        .filter(|code| !code.is_empty())
        .ok_or("error needs a code after its kind")?;
    let code = clean(code, CODE_CHARS_MAX);
    let message = words
        .next()
        .map(|words| clean(words, MESSAGE_CHARS_MAX))
        .filter(|words| !words.is_empty());
    Ok(JobError {
        kind,
        message: message.unwrap_or_else(|| code.clone()),
        code,
    })
}

/// The text on one line, without control characters, shortened.
pub(crate) fn clean(text: &str, chars_max: usize) -> String {
    let spaced: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    spaced.trim().chars().take(chars_max).collect()
}

/// A line of output as a message.
pub(crate) fn message(line: &[u8]) -> String {
    clean(&String::from_utf8_lossy(line), MESSAGE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_bytes_are_cut() {
        let text = b"one\ntwo\r\n\nthree";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut read: Vec<Vec<u8>> = text.chunks(size).flat_map(|bytes| lines.feed(bytes)).collect();
            read.extend(lines.end());
            assert_eq!(
                read,
                [&b"one\n"[..], b"two\r\n", b"\n", b"three"],
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_holds_no_more_than_its_bound() {
        let mut lines = Lines::default();
        let cut: usize = (0..1000)
            .map(|_| lines.feed(&[b'x'; 1024]).iter().map(Vec::len).sum::<usize>())
            .sum();
        assert!(lines.rest.len() < LINE_BYTES_MAX);
        assert_eq!(cut + lines.rest.len(), 1000 * 1024);
    }

    fn said(line: &str) -> String {
        match told(line.as_bytes()) {
            None => "output".to_owned(),
            Some(Err(why)) => format!("not understood: {why}"),
            Some(Ok(Told::Progress(progress))) => format!("{} {:?}", progress.percent, progress.message),
            Some(Ok(Told::Result(json))) => format!("result {}", json.get()),
            Some(Ok(Told::Error(error))) => format!("{:?} {} {:?}", error.kind, error.code, error.message),
            Some(Ok(Told::RetryAfterSeconds(seconds))) => format!("retry after {seconds}"),
        }
    }

    #[test]
    fn a_line_that_speaks_to_the_robot_is_understood() {
        for (line, expected) in [
            ("hello\n", "output"),
            (" ::remuda progress 1", "output"),
            ("::remuda progress 40 page 3\n", "40 \"page 3\""),
            ("::remuda progress 99.9%", "99 \"\""),
            ("::remuda progress 101", "not understood: progress runs from 0 to 100"),
            ("::remuda progress NaN", "not understood: progress runs from 0 to 100"),
            (
                "::remuda progress",
                "not understood: progress needs a percentage, like `::remuda progress 40 page 3`",
            ),
            ("::remuda result {\"n\": 1.50}\n", "result {\"n\": 1.50}"),
            (
                "::remuda error business NO_IBAN the customer\thas none",
                "Business NO_IBAN \"the customer has none\"",
            ),
            ("::remuda error application E1", "Application E1 \"E1\""),
            (
                "::remuda error fatal x y",
                "not understood: error needs `business` or `application`, a code and a message",
            ),
            ("::remuda retry-after 60\r\n", "retry after 60"),
            (
                "::remuda dance",
                "not understood: it begins with none of progress, result, error, retry-after",
            ),
        ] {
            assert_eq!(said(line), expected, "{line:?}");
        }
    }
}
