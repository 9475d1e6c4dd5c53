//! Shapes of requests that more than one function takes, and rules for which the library has no words.

use serde_json::{Value, json};
use utoipa::openapi::{
    Components, RefOr,
    extensions::Extensions,
    schema::{ObjectBuilder, Schema, SchemaType, Type},
};

use crate::fields::{LABEL_CHARS_MAX, LABELS_MAX};

/// The pattern of names like queues', without its ends.
pub const SLUG: &str = "[a-z0-9][a-z0-9._-]{0,62}";

/// The pattern of text without control characters.
pub const LETTERS: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// Labels of a job or a robot as a request has them.
pub fn labels() -> ObjectBuilder {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^{SLUG}$")));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LABEL_CHARS_MAX))
        .pattern(Some(LETTERS));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(format!(
            "Names and values of your own, at most {LABELS_MAX}: names like queues', values up to {LABEL_CHARS_MAX} characters."
        )))
        .property_names(Some(Schema::Object(name.build())))
        .additional_properties(Some(value))
        .max_properties(Some(LABELS_MAX))
}

/// Adds what holds between the fields of a request.
pub(super) fn add_rules(components: &mut Components) {
    for (name, keyword, rule) in rules() {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(name) {
            schema.extensions = Some(Extensions::from_iter([(keyword, rule)]));
        }
    }
}

/// The schema, the word of JSON Schema, and what it says.
fn rules() -> [(&'static str, &'static str, Value); 3] {
    let both_times = json!({
        "required": ["delay_seconds", "run_at"],
        "properties": { "delay_seconds": { "type": "integer" }, "run_at": { "type": "string" } },
    });
    let failed_or_without_error = json!([
        { "properties": { "outcome": { "const": "failed" } } },
        { "properties": { "error": { "type": "null" }, "retry_after_seconds": { "type": "null" } } },
    ]);
    [
        ("SubmitJob", "not", both_times.clone()),
        ("BulkedJob", "not", both_times),
        ("FinishReport", "anyOf", failed_or_without_error),
    ]
}
