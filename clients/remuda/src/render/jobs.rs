//! Jobs in rows, their history, and why they wait.

use comfy_table::Cell;
use jiff::Timestamp;

use super::{Look, Style, clean_line, fields, joined, or_dash, text_of};
use crate::answers::{Explanation, Job, NearestRobot, Transition};
use crate::moments::{clock, relative, to_the_second};

/// Jobs, one a row.
pub(crate) fn jobs(style: Style, items: &[Job], now: Timestamp) -> String {
    let mut table = style.table(&[
        "ID", "WORKFLOW", "QUEUE", "PRIO", "STATE", "REASON", "ATTEMPT", "ROBOT", "CREATED",
    ]);
    for job in items {
        table.add_row([
            Cell::new(&job.id),
            style.dressed(&job.workflow, Look::Plain),
            style.dressed(&job.queue, Look::Plain),
            Cell::new(job.priority),
            style.dressed(&job.state, Look::of_state(&job.state)),
            style.dressed(&or_dash(job.reason.as_deref()), Look::Plain),
            Cell::new(attempt(job)),
            style.dressed(&or_dash(job.robot.as_deref()), Look::Plain),
            Cell::new(relative(now, job.created_at)),
        ]);
    }
    // Priority, attempt, queue and robot: 'show' has them.
    text_of(&mut table, &[3, 6, 2, 7])
}

/// The attempt, and how many may be: `2/3`.
pub(super) fn attempt(job: &Job) -> String {
    match &job.retry {
        Some(retry) => format!("{}/{}", job.attempt, retry.max_attempts),
        None => job.attempt.to_string(),
    }
}

/// A job in one line: its id, where it stands, and why.
pub(crate) fn job_line(job: &Job) -> String {
    let reason = job
        .reason
        .as_ref()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    let message = job.error.as_ref().and_then(|error| error.message.as_deref());
    let message = message
        .map(|message| format!(": {}", clean_line(message)))
        .unwrap_or_default();
    format!("job {} {}{reason}{message}", job.id, standing(&job.state))
}

/// A state as part of a sentence.
fn standing(state: &str) -> String {
    match state {
        "succeeded" | "failed" => state.to_owned(),
        "timed_out" => "timed out".to_owned(),
        "cancelled" => "was cancelled".to_owned(),
        other => format!("is {other}"),
    }
}

/// Every transition of a job, oldest first, each with the time since the one before.
pub(crate) fn history(style: Style, items: &[Transition], now: Timestamp) -> String {
    let mut table = style.table(&["SEQ", "AT", "AGE", "FROM", "TO", "ATTEMPT", "ACTOR", "REASON"]);
    for step in items {
        table.add_row([
            Cell::new(step.seq),
            Cell::new(to_the_second(step.at)),
            Cell::new(relative(now, step.at)),
            style.dressed(&or_dash(step.from.as_deref()), Look::Plain),
            style.dressed(&step.to, Look::of_state(&step.to)),
            Cell::new(step.attempt),
            style.dressed(&or_dash(step.actor.as_deref()), Look::Plain),
            style.dressed(&or_dash(step.reason.as_deref()), Look::Plain),
        ]);
    }
    // The age follows from the time, the number from the order.
    text_of(&mut table, &[2, 0])
}

/// One transition in a line, as it is followed.
pub(crate) fn transition_line(step: &Transition) -> String {
    let change = match &step.from {
        Some(from) if *from != step.to => format!("{from} → {}", step.to),
        _ => step.to.clone(),
    };
    let attempt = (step.attempt > 0).then(|| format!("attempt {}", step.attempt));
    let actor = step.actor.as_ref().map(|actor| format!("by {actor}"));
    let notes: Vec<String> = [attempt, step.reason.clone(), actor].into_iter().flatten().collect();
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", notes.join(", "))
    };
    clean_line(&format!("{}  {change}{notes}", clock(step.at)))
}

/// Why a job is where it is, and which robots come nearest to running it.
pub(crate) fn explanation(style: Style, explanation: &Explanation) -> String {
    let mut rows = vec![("state", explanation.state.clone())];
    for cause in &explanation.reasons {
        rows.push((cause.code.as_str(), cause.message.clone()));
    }
    let mut text = fields(style, &rows);
    if !explanation.nearest_robots.is_empty() {
        text.push_str("\n\n");
        text.push_str(&nearest_robots(style, &explanation.nearest_robots));
    }
    text
}

fn nearest_robots(style: Style, robots: &[NearestRobot]) -> String {
    let mut table = style.table(&["NEAREST ROBOT", "MISSING"]);
    for robot in robots {
        let missing: Vec<String> = robot.missing.iter().map(told).collect();
        table.add_row([Cell::new(&robot.id), style.dressed(&joined(&missing), Look::Warning)]);
    }
    text_of(&mut table, &[])
}

/// A text without its quotes, anything else as JSON.
fn told(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::tests_support::{at, job};

    #[test]
    fn a_list_of_jobs_has_a_row_for_each() {
        let failed = job(&json!({ "state": "failed", "reason": "poison", "attempt": 3, "robot": "rob_1" }));
        let text = jobs(Style::PLAIN, &[failed], at("2026-11-21T12:03:00Z"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(
            words,
            [
                "0190f1f0-0000-7000-8000-000000000001",
                "invoice-export",
                "default",
                "5",
                "failed",
                "poison",
                "3/3",
                "rob_1",
                "3m",
                "ago"
            ]
        );
    }

    #[test]
    fn a_job_that_ended_is_told_in_a_sentence() {
        let failed = job(&json!({
            "state": "failed", "reason": "business_error",
            "error": { "kind": "business", "code": "E7", "message": "no such\ninvoice" }
        }));
        assert_eq!(
            job_line(&failed),
            "job 0190f1f0-0000-7000-8000-000000000001 failed (business_error): no such invoice"
        );
        let ready = job(&json!({ "state": "ready" }));
        assert_eq!(job_line(&ready), "job 0190f1f0-0000-7000-8000-000000000001 is ready");
    }

    #[test]
    fn a_transition_names_both_states_and_its_reason() {
        let step: Transition = serde_json::from_value(json!({
            "seq": 4, "at": "2026-11-21T12:00:07.500Z", "from": "running", "to": "scheduled", "attempt": 1,
            "actor": "rob_1", "reason": "retry_backoff"
        }))
        .unwrap();
        assert_eq!(
            transition_line(&step),
            "12:00:07  running → scheduled  (attempt 1, retry_backoff, by rob_1)"
        );
    }

    #[test]
    fn an_explanation_names_each_cause_and_what_the_nearest_robots_miss() {
        let value: Explanation = serde_json::from_value(json!({
            "state": "ready",
            "reasons": [{ "code": "no_capable_robot", "message": "no robot online has sap", "missing": ["sap"] }],
            "nearest_robots": [{ "id": "rob_1", "missing": ["sap"] }]
        }))
        .unwrap();
        let text = explanation(Style::PLAIN, &value);
        assert!(text.contains("no_capable_robot  no robot online has sap"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("rob_1"), "{text}");
        assert!(text.ends_with("sap"), "{text}");
    }
}
