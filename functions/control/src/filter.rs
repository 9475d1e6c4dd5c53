//! Which jobs are meant: the same words in the query of a list and in the body of a bulk change.

use app::{
    fields::LABEL_CHARS_MAX,
    form::{Field, Form, Read},
    http::Query,
};
use domain::{LabelName, QueueName, RobotId, WorkflowName, job::StateName};
use queue::JobFilter;

/// What a label's parameter begins with.
const LABEL_PREFIX: &str = "label.";

/// Reads a filter from a query.
pub(crate) fn from_query(query: &mut Query) -> JobFilter {
    JobFilter {
        state: query.optional("state", state),
        queue: query.optional("queue", queue),
        workflow: query.optional("workflow", workflow),
        robot: query.optional("robot", robot),
        labels: query.prefixed(LABEL_PREFIX, label).into_iter().collect(),
    }
}

/// Reads a filter from a body. An empty one is refused: it would mean every job.
pub(crate) fn from_field(field: &Field<'_>) -> Read<JobFilter> {
    let filter = field.object(|form| Some(from_form(form)))?;
    if filter.is_empty() {
        return field.wrong("must name something: state, queue, workflow, robot or a label");
    }
    Ok(filter)
}

fn from_form(form: &mut Form<'_>) -> JobFilter {
    JobFilter {
        state: form.optional("state", |field| read(field, state)),
        queue: form.optional("queue", |field| read(field, queue)),
        workflow: form.optional("workflow", |field| read(field, workflow)),
        robot: form.optional("robot", |field| read(field, robot)),
        labels: form
            .prefixed(LABEL_PREFIX, |name, field| read(field, |value| label(name, value)))
            .into_iter()
            .collect(),
    }
}

fn read<T>(field: &Field<'_>, reader: impl FnOnce(&str) -> Result<T, String>) -> Read<T> {
    let text = field.string()?;
    reader(&text).or_else(|message| field.wrong(message))
}

fn state(text: &str) -> Result<StateName, String> {
    let words = || StateName::ALL.map(StateName::as_str).join(", ");
    StateName::parse(text).ok_or_else(|| format!("must be one of {}", words()))
}

fn queue(text: &str) -> Result<QueueName, String> {
    QueueName::parse(text).map_err(|rule| rule.to_string())
}

fn workflow(text: &str) -> Result<WorkflowName, String> {
    WorkflowName::parse(text).map_err(|rule| rule.to_string())
}

fn robot(text: &str) -> Result<RobotId, String> {
    RobotId::parse(text).map_err(|rule| rule.to_string())
}

fn label(name: &str, value: &str) -> Result<(LabelName, String), String> {
    let name = LabelName::parse(name).map_err(|rule| format!("is no label: its name {rule}"))?;
    if value.chars().count() > LABEL_CHARS_MAX {
        return Err(format!("must be at most {LABEL_CHARS_MAX} characters"));
    }
    Ok((name, value.to_owned()))
}
