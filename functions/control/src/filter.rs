//! Which jobs are meant: the same words in the query of a list and in the body of a bulk change.

use app::{
    fields::LABEL_CHARS_MAX,
    form::{Field, Form, Read},
    http::Query,
    openapi::{LETTERS, SLUG},
};
use domain::{LabelName, QueueName, RobotId, WorkflowName, job::StateName};
use queue::JobFilter;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ObjectBuilder, Schema, Type},
    },
};

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
        state: form.given("state", |field| read(field, state)),
        queue: form.given("queue", |field| read(field, queue)),
        workflow: form.given("workflow", |field| read(field, workflow)),
        robot: form.given("robot", |field| read(field, robot)),
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

/// The conditions of a list, for the `OpenAPI` document.
pub(crate) struct FilterParams;

impl IntoParams for FilterParams {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let named = conditions().into_iter().map(|(name, says, schema)| {
            let param = ParameterBuilder::new().name(name).description(Some(says));
            param.schema(Some(schema))
        });
        let labels = ParameterBuilder::new()
            .name("label")
            .description(Some(
                "With this label, as `label.NAME=VALUE`; as many of these as you like.",
            ))
            .style(Some(ParameterStyle::Form))
            .explode(Some(true))
            .schema(Some(labels(&format!("label\\.{SLUG}"))));
        let all = named.chain([labels]);
        all.map(|param| param.parameter_in(ParameterIn::Query).required(Required::False).build())
            .collect()
    }
}

/// The conditions in a body, for the `OpenAPI` document.
pub(crate) fn schema() -> ObjectBuilder {
    let conditions = conditions();
    let names: Vec<&str> = conditions.iter().map(|(name, ..)| *name).collect();
    let filter = labels(&format!("({}|label\\.{SLUG})", names.join("|")))
        .description(Some(
            "Which jobs: `state`, `queue`, `workflow`, `robot` and `label.NAME`, as in the list. At least one of them.",
        ))
        .min_properties(Some(1));
    conditions
        .into_iter()
        .fold(filter, |filter, (name, _, schema)| filter.property(name, schema))
}

/// Each condition but labels: its name, what it says, and what it can be.
fn conditions() -> [(&'static str, &'static str, ObjectBuilder); 4] {
    let text = |pattern: String| ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let states = StateName::ALL.map(StateName::as_str).join("|");
    let workflow = text(LETTERS.to_owned()).min_length(Some(1)).max_length(Some(200));
    [
        ("state", "In this state.", text(format!("^({states})$"))),
        ("queue", "In this queue.", text(format!("^{SLUG}$"))),
        ("workflow", "Of this workflow.", workflow),
        (
            "robot",
            "Last handed to this robot.",
            text("^rob_[A-Za-z0-9]{1,40}$".to_owned()),
        ),
    ]
}

/// An object of texts as long as labels are, with names of this form.
fn labels(names: &str) -> ObjectBuilder {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^{names}$")));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LABEL_CHARS_MAX));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::Object(name.build())))
        .additional_properties(Some(value))
}
