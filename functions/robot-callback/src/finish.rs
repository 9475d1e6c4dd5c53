//! What a robot says of the end of an attempt, read field by field.

use app::{
    Code, Problem, canonical,
    form::{Field, Form, Read},
    json,
};
use domain::{
    LeaseToken,
    job::{ErrorKind, Fence, JobError, Outcome},
};
use queue::FinishReport;

/// The largest result as compact JSON.
const RESULT_BYTES_MAX: usize = 256 << 10;

/// The longest code of an error, in characters.
const CODE_CHARS_MAX: usize = 200;

/// The longest message of an error, in characters.
const MESSAGE_CHARS_MAX: usize = 4_000;

/// What is kept for a failure that the robot does not explain.
const UNEXPLAINED: &str = "The robot gave no reason.";

/// The field that is no part of what is reported: the same report may come under any token.
const TOKEN_FIELD: &str = "lease_token";

/// What a robot reports.
pub(crate) struct Reported {
    token: LeaseToken,
    outcome: Outcome,
    result: Option<String>,
}

impl Reported {
    /// The report on `attempt`, unless its result is too large. `text` is the request it came as.
    pub(crate) fn on(self, attempt: u32, text: &str) -> Result<FinishReport, Problem> {
        if self
            .result
            .as_ref()
            .is_some_and(|result| result.len() > RESULT_BYTES_MAX)
        {
            let detail = format!("The result may have at most {RESULT_BYTES_MAX} bytes as compact JSON.");
            return Err(Problem::new(Code::PayloadTooLarge, detail));
        }
        Ok(FinishReport {
            fence: Fence {
                attempt,
                token: self.token,
            },
            outcome: self.outcome,
            result: self.result,
            digest: canonical::digest_without(text, &[TOKEN_FIELD]),
        })
    }
}

/// How the attempt went, without what goes with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Succeeded,
    Failed,
    Cancelled,
}

/// Reads a report.
pub(crate) fn report(form: &mut Form<'_>) -> Option<Reported> {
    let token = form.required(TOKEN_FIELD, |field| field.name(LeaseToken::parse));
    let how = form.required("outcome", |field| {
        field.word(&["succeeded", "failed", "cancelled"], how)
    });
    let result = form.optional("result", |field| Ok(json::compact(field.raw())));
    if how.is_some_and(|how| how != How::Failed) {
        let only_failed = ["error", "retry_after_seconds"]
            .into_iter()
            .filter(|name| form.has(name));
        for name in only_failed.collect::<Vec<_>>() {
            form.wrong(name, "is only for the outcome failed");
        }
    }
    let error = form.optional("error", error);
    let retry_after_seconds = form.optional("retry_after_seconds", |field| field.integer(0..=u32::MAX));
    let outcome = match how? {
        How::Succeeded => Outcome::Succeeded,
        How::Cancelled => Outcome::Cancelled,
        How::Failed => Outcome::Failed {
            error: error.unwrap_or_else(unexplained),
            retry_after_seconds,
        },
    };
    Some(Reported {
        token: token?,
        outcome,
        result,
    })
}

fn how(word: &str) -> Option<How> {
    match word {
        "succeeded" => Some(How::Succeeded),
        "failed" => Some(How::Failed),
        "cancelled" => Some(How::Cancelled),
        _ => None,
    }
}

fn error(field: &Field<'_>) -> Read<JobError> {
    field.object(|form| {
        let kind = form.required("kind", |field| field.word(&["application", "business"], kind));
        let code = form.optional("code", |field| field.prose(CODE_CHARS_MAX));
        let message = form.required("message", |field| field.prose(MESSAGE_CHARS_MAX));
        Some(JobError {
            kind: kind?,
            code,
            message: message?,
        })
    })
}

fn kind(word: &str) -> Option<ErrorKind> {
    match word {
        "application" => Some(ErrorKind::Application),
        "business" => Some(ErrorKind::Business),
        _ => None,
    }
}

fn unexplained() -> JobError {
    JobError {
        kind: ErrorKind::Application,
        code: None,
        message: UNEXPLAINED.to_owned(),
    }
}
