//! What can go wrong, what to do about it, and the exit code that a script sees.

use std::io;
use std::process::ExitCode;

use remuda_client::{CallError, Problem};
use serde_json::json;

use crate::output::tell;
use crate::render::{clean, clean_line};

/// How the command ends; the codes are documented in `remuda --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The server refused, or a job that was waited for did not succeed.
    Refused = 1,
    /// The command line or a file given on it is wrong.
    Usage = 2,
    /// The server is not there, or cannot serve now.
    Unreachable = 3,
    /// There is no such thing.
    NotFound = 4,
    /// The key is missing, unknown or lacks a scope.
    KeyRefused = 5,
    /// Somebody pressed ctrl-c.
    Interrupted = 130,
}

impl Exit {
    /// Every way to end.
    #[cfg(test)]
    pub(crate) const ALL: [Exit; 7] = [
        Exit::Done,
        Exit::Refused,
        Exit::Usage,
        Exit::Unreachable,
        Exit::NotFound,
        Exit::KeyRefused,
        Exit::Interrupted,
    ];

    /// The number that a script sees.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server refused or was not there.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file or stdin cannot be read.
    #[error("cannot read {name}: {source}")]
    Input {
        /// The file's name as it was given.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server answered something that the contract does not know.
    #[error("cannot understand the server's answer: {0}")]
    Answer(String),
    /// Stdout does not take the answer.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
    /// This machine does not give what the command needs.
    #[error("cannot {task}: {source}")]
    System {
        /// What was tried, as a verb.
        task: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The work was done and did not end well; `message` says how.
    #[error("{message}")]
    Unsuccessful {
        /// One sentence for people.
        message: String,
        /// How the command ends.
        exit: Exit,
    },
    /// Somebody pressed ctrl-c.
    #[error("{0}")]
    Interrupted(String),
}

impl Failure {
    /// A job or a check did not succeed.
    pub(crate) fn unsuccessful(message: impl Into<String>) -> Self {
        Failure::Unsuccessful {
            message: message.into(),
            exit: Exit::Refused,
        }
    }

    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Failure::Call(error) => exit_of_call(error),
            Failure::Usage(_) | Failure::Input { .. } => Exit::Usage,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Failure::Answer(_) | Failure::Output(_) | Failure::System { .. } => Exit::Refused,
            Failure::Unsuccessful { exit, .. } => *exit,
            Failure::Interrupted(_) => Exit::Interrupted,
        }
    }

    /// Says on stderr what went wrong, for a machine as JSON, and gives the exit code.
    ///
    /// Whoever reads our output may stop early, as `head` does: that is no mistake and is not spoken of.
    pub(crate) fn report(&self, json: bool) -> Exit {
        let exit = self.exit();
        if exit != Exit::Done {
            tell(&if json { self.to_json() } else { self.to_text() });
        }
        exit
    }

    /// The failure for people: what happened, each field that is wrong, what to do.
    pub(crate) fn to_text(&self) -> String {
        let mut text = match self {
            Failure::Interrupted(message) => message.clone(),
            Failure::Call(CallError::Refused(problem)) => format!("error: {}", refusal_text(problem)),
            other => format!("error: {}", clean(&other.to_string())),
        };
        if let Some(advice) = self.advice() {
            text.push_str("\n  ");
            text.push_str(&advice);
        }
        text
    }

    /// The failure for machines: the server's problem as it came, where there is one.
    fn to_json(&self) -> String {
        let problem = match self {
            Failure::Call(error) => error.problem(),
            _ => None,
        };
        let error = json!({ "message": self.to_string(), "exit_code": self.exit().code(), "problem": problem });
        json!({ "error": error }).to_string()
    }

    /// What to do about it, where that can be said.
    fn advice(&self) -> Option<String> {
        match self {
            Failure::Call(CallError::Refused(problem)) => advice_on(problem.status, &problem.code),
            Failure::Call(CallError::Unreachable { .. }) => Some(
                "is the server running? start one with 'remuda dev', or name another with --url or REMUDA_URL"
                    .to_owned(),
            ),
            Failure::Call(CallError::Unexpected { .. }) => {
                Some("is there a Remuda server at this address? 'remuda doctor' looks closer".to_owned())
            }
            _ => None,
        }
    }
}

fn exit_of_call(error: &CallError) -> Exit {
    match error {
        CallError::Refused(problem) => match problem.status {
            401 | 403 => Exit::KeyRefused,
            404 => Exit::NotFound,
            429 | 502..=504 => Exit::Unreachable,
            _ => Exit::Refused,
        },
        error if error.is_transient() => Exit::Unreachable,
        CallError::BadKey => Exit::KeyRefused,
        CallError::BadAddress { .. } => Exit::Usage,
        _ => Exit::Refused,
    }
}

fn advice_on(status: u16, code: &str) -> Option<String> {
    let advice = match (status, code) {
        (401, _) => "give a valid key with --key or REMUDA_KEY; 'remuda dev' prints one at its first start",
        (403, "missing_scope") => "use a key that has the scope; 'remuda keys create NAME --scope SCOPE' makes one",
        (404, _) => "is the id right, and does the key belong to its tenant?",
        (409, "idempotency_conflict") => "the key was used for another job; choose another --idempotency-key",
        (409, "job_finished") => {
            "'remuda jobs show' tells how it ended; 'remuda jobs retry' runs it again as a new job"
        }
        (413, _) => "make the payload smaller, or put it elsewhere and send where it lies",
        (503, _) => "try again later; nothing was changed",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// What the server refused, and on lines of their own the places that are wrong.
pub(crate) fn refusal_text(problem: &Problem) -> String {
    let said = problem
        .detail
        .as_deref()
        .filter(|detail| !detail.is_empty())
        .unwrap_or(&problem.title);
    let mut lines = vec![format!("{}: {}", problem.code, clean_line(said))];
    lines.extend(
        problem
            .errors
            .iter()
            .map(|entry| format!("  {}: {}", shown_pointer(&entry.pointer), clean_line(&entry.message))),
    );
    lines.join("\n")
}

/// The pointer of the document as a whole is empty; people would see nothing there.
fn shown_pointer(pointer: &str) -> &str {
    if pointer.is_empty() {
        "(the whole body)"
    } else {
        pointer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn refused(status: u16, code: &str) -> Failure {
        let problem = json!({
            "status": status, "code": code, "title": "Refused", "detail": "in words", "request_id": "r1",
            "errors": [{ "pointer": "/priority", "message": "is above 20" }, { "pointer": "", "message": "lacks a field" }]
        });
        Failure::Call(CallError::Refused(Box::new(serde_json::from_value(problem).unwrap())))
    }

    #[test]
    fn a_refusal_ends_with_the_code_that_scripts_are_promised() {
        for (status, code, exit) in [
            (401, "unauthorized", Exit::KeyRefused),
            (403, "missing_scope", Exit::KeyRefused),
            (404, "not_found", Exit::NotFound),
            (409, "job_finished", Exit::Refused),
            (422, "invalid", Exit::Refused),
            (500, "internal", Exit::Refused),
            (503, "overloaded", Exit::Unreachable),
        ] {
            assert_eq!(refused(status, code).exit(), exit, "{status}");
        }
    }

    #[test]
    fn every_wrong_field_has_a_line_of_its_own() {
        let text = refused(422, "invalid").to_text();
        assert_eq!(
            text,
            "error: invalid: in words\n  /priority: is above 20\n  (the whole body): lacks a field"
        );
    }

    #[test]
    fn a_refused_key_is_told_with_what_to_do() {
        assert!(refused(401, "unauthorized").to_text().contains("REMUDA_KEY"));
    }

    #[test]
    fn a_machine_gets_the_problem_and_the_exit_code() {
        let told: Value = serde_json::from_str(&refused(422, "invalid").to_json()).unwrap();
        assert_eq!(told["error"]["exit_code"], 1);
        assert_eq!(told["error"]["problem"]["code"], "invalid");
        assert_eq!(told["error"]["problem"]["errors"][0]["pointer"], "/priority");
    }

    #[test]
    fn a_reader_that_stops_early_is_no_mistake() {
        let broken = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(broken.exit(), Exit::Done);
        assert_eq!(Failure::Output(io::ErrorKind::StorageFull.into()).exit(), Exit::Refused);
    }
}
