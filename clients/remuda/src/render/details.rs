//! One job in full.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::jobs::attempt;
use super::{Style, clean, fields, joined};
use crate::answers::{Job, JobError, Progress, Requirements};
use crate::moments::{elapsed, exact, span};

/// Everything about a job that has a value, then its payload, result and error.
pub(crate) fn job_details(style: Style, job: &Job, now: Timestamp) -> String {
    let mut rows = vec![
        ("job", job.id.clone()),
        ("workflow", workflow(job)),
        ("state", state(job)),
    ];
    rows.extend(where_it_is(job));
    rows.extend(what_it_needs(job));
    rows.extend(when(job, now));
    let mut text = fields(style, &rows);
    for (name, value) in [("payload", &job.payload), ("result", &job.result)] {
        if let Some(value) = value {
            text.push_str("\n\n");
            text.push_str(&named_json(name, value));
        }
    }
    text
}

fn workflow(job: &Job) -> String {
    match &job.workflow_version {
        Some(version) => format!("{} (version {version})", job.workflow),
        None => job.workflow.clone(),
    }
}

fn state(job: &Job) -> String {
    match &job.reason {
        Some(reason) => format!("{} ({reason})", job.state),
        None => job.state.clone(),
    }
}

fn where_it_is(job: &Job) -> Vec<(&'static str, String)> {
    let left = job
        .attempts_left
        .map(|left| format!(" ({left} left)"))
        .unwrap_or_default();
    let mut rows = vec![
        ("queue", format!("{}, priority {}", job.queue, job.priority)),
        ("attempt", format!("{}{left}", attempt(job))),
    ];
    rows.extend(job.robot.clone().map(|robot| ("robot", robot)));
    rows.extend(
        job.progress
            .as_ref()
            .map(|progress| ("progress", progress_text(progress))),
    );
    rows.extend(job.error.as_ref().map(|error| ("error", error_text(error))));
    rows.extend(job.retry_of.clone().map(|id| ("retry of", id)));
    rows
}

/// `40 %, page 3`.
pub(crate) fn progress_text(progress: &Progress) -> String {
    let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
    let parts: Vec<String> = percent.into_iter().chain(progress.message.clone()).collect();
    joined(&parts)
}

fn error_text(error: &JobError) -> String {
    let code = error.code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    let message = error
        .message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    format!("{}{code}{message}", error.kind)
}

fn what_it_needs(job: &Job) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    rows.extend(
        job.requires
            .as_ref()
            .and_then(requirements)
            .map(|text| ("requires", text)),
    );
    if let Some(timeouts) = &job.timeouts {
        rows.extend(timeouts.queue_seconds.map(|seconds| ("may wait", span(seconds))));
        rows.extend(timeouts.run_seconds.map(|seconds| ("may run", span(seconds))));
    }
    rows.extend(job.on_lost.clone().map(|what| ("if robot lost", what)));
    rows.extend(job.dedup.as_ref().map(|dedup| ("dedup key", dedup.key.clone())));
    if !job.labels.is_empty() {
        let labels: Vec<String> = job
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        rows.push(("labels", joined(&labels)));
    }
    rows
}

fn requirements(requires: &Requirements) -> Option<String> {
    let mut parts = requires.capabilities.clone();
    parts.extend(requires.environment.as_ref().map(|name| format!("environment {name}")));
    parts.extend(requires.robot.as_ref().map(|id| format!("robot {id}")));
    (!parts.is_empty()).then(|| joined(&parts))
}

fn when(job: &Job, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut rows: Vec<(&'static str, String)> = [
        ("created", Some(job.created_at)),
        ("run at", job.run_at),
        ("deadline", job.deadline),
        ("ready", job.ready_at),
        ("leased", job.leased_at),
        ("started", job.started_at),
        ("cancel asked", job.cancel_requested_at),
        ("finished", job.finished_at),
    ]
    .into_iter()
    .filter_map(|(name, at)| at.map(|at| (name, exact(now, at))))
    .collect();
    if let (Some(started), Some(finished)) = (job.started_at, job.finished_at) {
        rows.push(("ran for", elapsed(started, finished)));
    }
    rows
}

/// A name, and below it a value as JSON.
pub(crate) fn named_json(name: &str, value: &RawValue) -> String {
    format!("{name}\n{}", indented(value))
}

/// JSON over several lines. Only the space between its parts changes, so no number loses a digit.
fn indented(value: &RawValue) -> String {
    let mut text = String::new();
    let (mut depth, mut in_text, mut escaped, mut opened) = (0, false, false, false);
    for c in value.get().chars() {
        if in_text {
            text.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth -= 1;
        }
        if opened != closes {
            new_line(&mut text, depth);
        }
        opened = matches!(c, '{' | '[');
        text.push(c);
        match c {
            '{' | '[' => depth += 1,
            ',' => new_line(&mut text, depth),
            ':' => text.push(' '),
            '"' => in_text = true,
            _ => {}
        }
    }
    clean(&text)
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::tests_support::{at, job};

    #[test]
    fn a_job_is_shown_with_exact_and_relative_times() {
        let job = job(&json!({
            "state": "succeeded", "started_at": "2026-11-21T12:00:10.000Z", "finished_at": "2026-11-21T12:00:12.500Z",
            "result": { "pages": 3 }, "labels": { "team": "finance" },
            "requires": { "capabilities": ["browser"], "environment": "prod", "robot": null }
        }));
        let text = job_details(Style::PLAIN, &job, at("2026-11-21T12:05:12Z"));
        for wanted in [
            "finished       2026-11-21T12:00:12Z (4m ago)",
            "ran for        2.5s",
            "requires       browser, environment prod",
            "labels         team=finance",
            "result\n{\n  \"pages\": 3\n}",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
        }
        assert!(!text.contains("deadline"), "an absent value takes no line:\n{text}");
    }

    #[test]
    fn json_is_indented_without_a_change_to_its_parts() {
        for (raw, shown) in [
            (
                "{\"n\":0.12345678901234567890123}",
                "{\n  \"n\": 0.12345678901234567890123\n}",
            ),
            (
                "[1, {}, [ ], {\"a\":[2]}]",
                "[\n  1,\n  {},\n  [],\n  {\n    \"a\": [\n      2\n    ]\n  }\n]",
            ),
            (r#""a \" { , \\""#, r#""a \" { , \\""#),
            (r#"["\\", "{"]"#, "[\n  \"\\\\\",\n  \"{\"\n]"),
            ("null", "null"),
        ] {
            assert_eq!(
                indented(&RawValue::from_string(raw.to_owned()).unwrap()),
                shown,
                "{raw}"
            );
        }
    }

    #[test]
    fn progress_is_told_with_what_there_is_of_it() {
        let text = |value| progress_text(&serde_json::from_value::<Progress>(value).unwrap());
        assert_eq!(text(json!({ "percent": 40, "message": "page 3" })), "40 %, page 3");
        assert_eq!(text(json!({ "percent": null, "message": "page 3" })), "page 3");
    }
}
