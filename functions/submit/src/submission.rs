//! What a client says of a job, read field by field.

use std::{collections::BTreeSet, time::Duration};

use app::{
    Code, Problem, canonical, fields,
    form::{Field, Form, Read},
    http::{IDEMPOTENCY_RULE, is_idempotency_key},
    json,
};
use domain::{
    JobSpec, QueueName, RobotId, Timestamp, Word, WorkflowName,
    job::{Dedup, OnConflict, OnLost, Prefers, Priority, Requires, Timeouts},
    retry::RetryPolicy,
};
use queue::{Idempotency, Submission};

/// Where a job of a bulk has its idempotency key.
const IDEMPOTENCY_FIELD: &str = "idempotency_key";

/// A year: how far ahead a job may be scheduled, in seconds.
const AHEAD_SECONDS_MAX: u32 = 366 * 86_400;

/// Seven days: the longest timeout, in seconds.
const TIMEOUT_SECONDS_MAX: u32 = 7 * 86_400;

/// A day: the longest wait between attempts, in seconds.
const WAIT_SECONDS_MAX: u32 = 86_400;

/// How many capabilities a job names.
const CAPABILITIES_MAX: usize = 20;

/// How many bytes they have together: they are part of the lane the job waits in.
const CAPABILITIES_BYTES_MAX: usize = 512;

/// The longest dedup key, in characters.
const DEDUP_CHARS_MAX: usize = 255;

/// The largest payload as compact JSON.
const PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// What comes with the request that is no part of the job's own text.
pub(crate) struct Circumstances<'a> {
    /// When it came.
    pub(crate) now: Timestamp,
    /// The trace it belongs to.
    pub(crate) traceparent: Option<&'a str>,
}

/// A job as a client asks for it.
pub(crate) struct Asked {
    submission: Submission,
    /// The key within the job, as a bulk has it.
    idempotency_key: Option<String>,
}

impl Asked {
    /// The submission, unless its payload is too large. `key` makes the request `text` recognisable.
    pub(crate) fn keyed(self, key: Option<String>, text: &str) -> Result<Submission, Problem> {
        let Self {
            mut submission,
            idempotency_key,
        } = self;
        if submission
            .payload
            .as_ref()
            .is_some_and(|payload| payload.len() > PAYLOAD_BYTES_MAX)
        {
            let detail = format!("The payload may have at most {PAYLOAD_BYTES_MAX} bytes as compact JSON.");
            return Err(Problem::new(Code::PayloadTooLarge, detail));
        }
        submission.idempotency = key.or(idempotency_key).map(|key| Idempotency {
            key,
            // The same job with the same key is the same request, alone or in a bulk.
            digest: canonical::digest_without(text, &[IDEMPOTENCY_FIELD]),
        });
        Ok(submission)
    }
}

/// Reads a job of a single submit.
pub(crate) fn job(form: &mut Form<'_>, around: &Circumstances<'_>) -> Option<Asked> {
    Some(Asked {
        submission: submission(form, around)?,
        idempotency_key: None,
    })
}

/// Reads a job of a bulk.
pub(crate) fn bulked_job(form: &mut Form<'_>, around: &Circumstances<'_>) -> Option<Asked> {
    let idempotency_key = form.optional(IDEMPOTENCY_FIELD, idempotency_key);
    Some(Asked {
        submission: submission(form, around)?,
        idempotency_key,
    })
}

fn idempotency_key(field: &Field<'_>) -> Read<String> {
    let text = field.string()?;
    if is_idempotency_key(&text) {
        Ok(text)
    } else {
        field.wrong(IDEMPOTENCY_RULE)
    }
}

fn submission(form: &mut Form<'_>, around: &Circumstances<'_>) -> Option<Submission> {
    let workflow = form.required("workflow", |field| field.name(WorkflowName::parse));
    let workflow_version = form.optional("workflow_version", |field| field.name(Word::parse));
    let payload = form.optional("payload", |field| Ok(json::compact(field.raw())));
    let queue = form.optional("queue", |field| field.name(QueueName::parse));
    let priority = form.optional("priority", priority);
    let run_at = run_at(form, around.now);
    let deadline = form.optional("deadline", |field| deadline(field, around.now));
    let timeouts = form.optional("timeouts", |field| field.object(|form| Some(timeouts(form))));
    let retry = form.optional("retry", |field| field.object(|form| Some(retry(form))));
    let requires = form.optional("requires", |field| field.object(|form| Some(requires(form))));
    let prefers = form.optional("prefers", |field| field.object(|form| Some(prefers(form))));
    let on_lost = form.optional("on_lost", |field| field.word(&["retry", "fail"], on_lost));
    let dedup = form.optional("dedup", |field| field.object(dedup));
    let labels = form.optional("labels", fields::labels);
    let spec = JobSpec {
        workflow_version,
        queue: queue.unwrap_or_else(QueueName::default_queue),
        priority: priority.unwrap_or_default(),
        deadline,
        timeouts: timeouts.unwrap_or_default(),
        retry: retry.unwrap_or_default(),
        requires: requires.unwrap_or_default(),
        prefers: prefers.unwrap_or_default(),
        on_lost: on_lost.unwrap_or_default(),
        dedup,
        labels: labels.unwrap_or_default(),
        traceparent: around.traceparent.map(str::to_owned),
        ..JobSpec::new(workflow?)
    };
    Some(Submission {
        spec,
        run_at,
        payload,
        idempotency: None,
    })
}

fn priority(field: &Field<'_>) -> Read<Priority> {
    let level = field.integer(0..=Priority::MAX.level())?;
    Priority::new(level).or_else(|rule| field.wrong(rule.to_string()))
}

/// When the job is to become ready, by `delay_seconds` or `run_at`; what is past is now.
fn run_at(form: &mut Form<'_>, now: Timestamp) -> Option<Timestamp> {
    if form.has("delay_seconds") && form.has("run_at") {
        form.wrong("delay_seconds", "cannot be given with run_at");
    }
    let delay = form.optional("delay_seconds", |field| field.integer(0..=AHEAD_SECONDS_MAX));
    let run_at = form.optional("run_at", |field| {
        let moment = field.moment()?;
        if moment > now + seconds(AHEAD_SECONDS_MAX) {
            return field.wrong("must be at most a year ahead");
        }
        Ok(moment.max(now))
    });
    delay.map(|delay| now + seconds(delay)).or(run_at)
}

fn deadline(field: &Field<'_>, now: Timestamp) -> Read<Timestamp> {
    let moment = field.moment()?;
    if moment > now {
        Ok(moment)
    } else {
        field.wrong("must be in the future")
    }
}

fn timeouts(form: &mut Form<'_>) -> Timeouts {
    let second = |field: &Field<'_>| field.integer(1..=TIMEOUT_SECONDS_MAX);
    let queue_seconds = form.optional("queue_seconds", second);
    let run_seconds = form.optional("run_seconds", second);
    Timeouts {
        queue_seconds,
        run_seconds: run_seconds.unwrap_or(Timeouts::default().run_seconds),
    }
}

fn retry(form: &mut Form<'_>) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let wait = |field: &Field<'_>| field.integer(0..=WAIT_SECONDS_MAX);
    let max_attempts = form.optional("max_attempts", |field| field.integer(1..=100));
    let initial_seconds = form.optional("initial_seconds", wait);
    let max_seconds = form.optional("max_seconds", wait);
    let multiplier = form.optional("multiplier", |field| field.number(1.0..=10.0));
    let jitter = form.optional("jitter", |field| field.number(0.0..=1.0));
    RetryPolicy {
        max_attempts: max_attempts.unwrap_or(usual.max_attempts),
        initial_seconds: initial_seconds.unwrap_or(usual.initial_seconds),
        max_seconds: max_seconds.unwrap_or(usual.max_seconds),
        multiplier: multiplier.unwrap_or(usual.multiplier),
        jitter: jitter.unwrap_or(usual.jitter),
    }
}

fn requires(form: &mut Form<'_>) -> Requires {
    let capabilities = form.optional("capabilities", capabilities);
    let environment = form.optional("environment", |field| field.name(Word::parse));
    let robot = form.optional("robot", |field| field.name(RobotId::parse));
    Requires {
        capabilities: capabilities.unwrap_or_default(),
        environment,
        robot,
    }
}

fn prefers(form: &mut Form<'_>) -> Prefers {
    let capabilities = form.optional("capabilities", capabilities);
    let robot = form.optional("robot", |field| field.name(RobotId::parse));
    Prefers {
        capabilities: capabilities.unwrap_or_default(),
        robot,
    }
}

fn capabilities(field: &Field<'_>) -> Read<BTreeSet<Word>> {
    let capabilities = fields::capabilities(field, CAPABILITIES_MAX)?;
    let bytes: usize = capabilities.iter().map(|capability| capability.as_str().len()).sum();
    if bytes > CAPABILITIES_BYTES_MAX {
        return field.wrong(format!("must have at most {CAPABILITIES_BYTES_MAX} bytes together"));
    }
    Ok(capabilities)
}

fn on_lost(word: &str) -> Option<OnLost> {
    match word {
        "retry" => Some(OnLost::Retry),
        "fail" => Some(OnLost::Fail),
        _ => None,
    }
}

fn dedup(form: &mut Form<'_>) -> Option<Dedup> {
    let key = form.required("key", |field| field.plain(1..=DEDUP_CHARS_MAX));
    let on_conflict = form.optional("on_conflict", |field| {
        field.word(&["return", "reject", "replace"], on_conflict)
    });
    Some(Dedup {
        key: key?,
        on_conflict: on_conflict.unwrap_or_default(),
    })
}

fn on_conflict(word: &str) -> Option<OnConflict> {
    match word {
        "return" => Some(OnConflict::Return),
        "reject" => Some(OnConflict::Reject),
        "replace" => Some(OnConflict::Replace),
        _ => None,
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
