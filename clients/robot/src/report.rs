//! How an attempt ended, and what to tell the server about it: pure.

use serde_json::value::RawValue;

use crate::lines::Told;
use crate::protocol::{ErrorKind, Finish, JobError};

/// The exit code by which a workflow says that its failure is a business error: trying again would not help.
const BUSINESS_EXIT_CODE: i32 = 65;

/// The largest result that the server takes, as compact JSON.
pub(crate) const RESULT_BYTES_MAX: usize = 256 * 1024;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// Why the robot told the process to stop, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The server cancels the job.
    Cancelled,
    /// The lease is lost, or ran out unrenewed.
    LeaseLost,
    /// The job ran longer than its run timeout.
    RunTimeout,
    /// The robot itself is told to stop at once.
    RobotStops,
}

/// What the workflow said while it ran, in lines or in its result file.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) result: Option<Result<Box<RawValue>, String>>,
    pub(crate) error: Option<JobError>,
    pub(crate) retry_after_seconds: Option<u32>,
    pub(crate) last_error_line: String,
}

impl Said {
    /// Notes what a line said; progress is not kept here, it goes to the server as it comes.
    pub(crate) fn note(&mut self, told: Told) {
        match told {
            Told::Progress(_) => {}
            Told::Result(result) => self.result = Some(Ok(result)),
            Told::Error(error) => self.error = Some(error),
            Told::RetryAfterSeconds(seconds) => self.retry_after_seconds = Some(seconds),
        }
    }
}

/// What becomes of the attempt.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Tell the server.
    Report(Box<Finish>),
    /// Leave it to the server's own run timer (see [`crate::book::Book::overran`]).
    Overrun,
    /// Tell nobody: the attempt is not ours any more, or the next session says it better.
    Silent,
}

/// Decides it, from how the process ended, what it said, and why it was told to stop.
///
/// A process that ended before it was told to stop is reported as it ended. One that was told to stop counts as a
/// success only if it exits 0 *and* gave a result: exit 0 alone is how many programs answer SIGTERM.
pub(crate) fn ending(lease_token: &str, exit: Exit, said: Said, stop: Option<Stop>) -> Ending {
    let done = exit == Exit::Code(0) && said.error.is_none() && matches!(said.result, Some(Ok(_)));
    match stop {
        Some(Stop::LeaseLost | Stop::RobotStops) => Ending::Silent,
        Some(Stop::RunTimeout) if !done => Ending::Overrun,
        Some(Stop::Cancelled) if !done => Ending::Report(Box::new(Finish::cancelled(lease_token))),
        _ => Ending::Report(Box::new(finish(lease_token, exit, said))),
    }
}

fn finish(lease_token: &str, exit: Exit, said: Said) -> Finish {
    let retry_after_seconds = said.retry_after_seconds;
    if let Some(error) = failure(exit, &said) {
        return Finish {
            retry_after_seconds,
            ..Finish::failed(lease_token, error)
        };
    }
    match said.result.map(|result| result.and_then(within_bounds)).transpose() {
        Ok(result) => Finish::succeeded(lease_token, result),
        // The work is done, so it must not be done again: a business error, which is never tried again.
        Err(why) => Finish::failed(lease_token, business("result_unusable", &why)),
    }
}

fn failure(exit: Exit, said: &Said) -> Option<JobError> {
    if let Some(error) = &said.error {
        return Some(error.clone());
    }
    let (kind, code, otherwise) = match exit {
        Exit::Code(0) => return None,
        Exit::Code(BUSINESS_EXIT_CODE) => (
            ErrorKind::Business,
            format!("exit_{BUSINESS_EXIT_CODE}"),
            "a business error",
        ),
        Exit::Code(code) => (ErrorKind::Application, format!("exit_{code}"), "the command failed"),
        Exit::Signal(signal) => (
            ErrorKind::Application,
            format!("signal_{signal}"),
            "the command was killed",
        ),
    };
    let message = if said.last_error_line.is_empty() {
        format!("{otherwise} ({code}) and wrote nothing to stderr")
    } else {
        said.last_error_line.clone()
    };
    Some(JobError { kind, code, message })
}

fn within_bounds(result: Box<RawValue>) -> Result<Box<RawValue>, String> {
    if result.get().len() <= RESULT_BYTES_MAX {
        return Ok(result);
    }
    // Spaces do not count.
    let compact = serde_json::from_str::<serde_json::Value>(result.get())
        .and_then(|value| RawValue::from_string(value.to_string()));
    match compact {
        Ok(compact) if compact.get().len() <= RESULT_BYTES_MAX => Ok(compact),
        _ => Err(format!(
            "the result is {} bytes long, and at most {RESULT_BYTES_MAX} are kept",
            result.get().len()
        )),
    }
}

/// A business error of the robot's own.
pub(crate) fn business(code: &str, message: &str) -> JobError {
    JobError {
        kind: ErrorKind::Business,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// An application error of the robot's own.
pub(crate) fn application(code: &str, message: &str) -> JobError {
    JobError {
        kind: ErrorKind::Application,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// What to report in place of a finish that the server finds wrong: an attempt must end, and not be done again.
pub(crate) fn instead_of_refused(finish: &Finish, refusal: &str) -> Finish {
    let error = business(
        "finish_refused",
        &format!("the server refused the report of this attempt: {refusal}"),
    );
    Finish::failed(&finish.lease_token, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn told(exit: Exit, said: Said, stop: Option<Stop>) -> String {
        match ending("t", exit, said, stop) {
            Ending::Report(finish) => serde_json::to_string(&finish).unwrap(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_ending_is_told_as_it_was() {
        let quiet = Said::default;
        let failed = || Said {
            last_error_line: "no such file".to_owned(),
            ..Said::default()
        };
        let result = || Said {
            result: Some(Ok(json("{\"n\":1}"))),
            ..Said::default()
        };
        let no_iban = || Said {
            error: Some(business("NO_IBAN", "none")),
            retry_after_seconds: Some(9),
            ..result()
        };
        let rows = [
            (
                Exit::Code(0),
                quiet(),
                None,
                r#"{"lease_token":"t","outcome":"succeeded"}"#,
            ),
            (
                Exit::Code(0),
                result(),
                None,
                r#"{"lease_token":"t","outcome":"succeeded","result":{"n":1}}"#,
            ),
            (
                Exit::Code(3),
                failed(),
                None,
                r#"{"lease_token":"t","outcome":"failed","error":{"kind":"application","code":"exit_3","message":"no such file"}}"#,
            ),
            (
                Exit::Code(65),
                failed(),
                None,
                r#"{"lease_token":"t","outcome":"failed","error":{"kind":"business","code":"exit_65","message":"no such file"}}"#,
            ),
            (
                Exit::Signal(9),
                quiet(),
                None,
                r#"{"lease_token":"t","outcome":"failed","error":{"kind":"application","code":"signal_9","message":"the command was killed (signal_9) and wrote nothing to stderr"}}"#,
            ),
            // What the workflow says goes before its exit code.
            (
                Exit::Code(0),
                no_iban(),
                None,
                r#"{"lease_token":"t","outcome":"failed","error":{"kind":"business","code":"NO_IBAN","message":"none"},"retry_after_seconds":9}"#,
            ),
            // Told to stop: a success needs its result.
            (
                Exit::Code(0),
                result(),
                Some(Stop::Cancelled),
                r#"{"lease_token":"t","outcome":"succeeded","result":{"n":1}}"#,
            ),
            (
                Exit::Code(0),
                quiet(),
                Some(Stop::Cancelled),
                r#"{"lease_token":"t","outcome":"cancelled"}"#,
            ),
            (
                Exit::Signal(15),
                result(),
                Some(Stop::Cancelled),
                r#"{"lease_token":"t","outcome":"cancelled"}"#,
            ),
            (
                Exit::Code(1),
                failed(),
                Some(Stop::Cancelled),
                r#"{"lease_token":"t","outcome":"cancelled"}"#,
            ),
            (Exit::Signal(9), quiet(), Some(Stop::RunTimeout), "Overrun"),
            (
                Exit::Code(0),
                result(),
                Some(Stop::RunTimeout),
                r#"{"lease_token":"t","outcome":"succeeded","result":{"n":1}}"#,
            ),
            (Exit::Code(0), result(), Some(Stop::LeaseLost), "Silent"),
            (Exit::Signal(9), quiet(), Some(Stop::RobotStops), "Silent"),
        ];
        for (exit, said, stop, expected) in rows {
            assert_eq!(told(exit, said, stop), expected, "{exit:?} {stop:?}");
        }
    }

    #[test]
    fn a_result_that_cannot_be_kept_is_not_tried_again() {
        let large = json(&format!("\"{}\"", "x".repeat(RESULT_BYTES_MAX)));
        for result in [Ok(large), Err("the result file is no JSON".to_owned())] {
            let said = Said {
                result: Some(result),
                ..Said::default()
            };
            let told = told(Exit::Code(0), said, None);
            assert!(told.contains(r#""kind":"business","code":"result_unusable""#), "{told}");
        }
    }

    #[test]
    fn spaces_in_a_result_do_not_count() {
        let spaced = json(&format!("[{}1]", " ".repeat(RESULT_BYTES_MAX)));
        let said = Said {
            result: Some(Ok(spaced)),
            ..Said::default()
        };
        assert_eq!(
            told(Exit::Code(0), said, None),
            r#"{"lease_token":"t","outcome":"succeeded","result":[1]}"#
        );
    }
}
