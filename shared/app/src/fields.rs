//! Fields that more than one form has.

use std::collections::{BTreeMap, BTreeSet};

use domain::{JobId, LabelName, LeaseToken, Word, job::Fence};

use crate::form::{Field, Form, Read};

/// How many labels a job or a robot has at most.
pub const LABELS_MAX: usize = 20;

/// The longest value of a label, in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// Labels: at most [`LABELS_MAX`].
pub fn labels(field: &Field<'_>) -> Read<BTreeMap<LabelName, String>> {
    let labels = field.map(LABELS_MAX, |name, value| match LabelName::parse(name) {
        Ok(name) => Ok((name, value.plain(0..=LABEL_CHARS_MAX)?)),
        Err(rule) => value.wrong(format!("is no label: its name {rule}")),
    })?;
    Ok(labels.into_iter().collect())
}

/// At most `count_max` capabilities, each once.
pub fn capabilities(field: &Field<'_>, count_max: usize) -> Read<BTreeSet<Word>> {
    Ok(field
        .list(count_max, |each| each.name(Word::parse))?
        .into_iter()
        .collect())
}

/// A job's id.
pub fn job_id(field: &Field<'_>) -> Read<JobId> {
    let text = field.string().unwrap_or_default();
    JobId::parse(&text).map_or_else(|| field.wrong("must be a job's id, a UUID"), Ok)
}

/// The fields `attempt` and `lease_token`, by which a robot speaks for an attempt.
pub fn fence(form: &mut Form<'_>) -> Option<Fence> {
    let attempt = form.required("attempt", |field| field.integer(0..=u32::MAX));
    let token = form.required("lease_token", |field| field.name(LeaseToken::parse));
    Some(Fence {
        attempt: attempt?,
        token: token?,
    })
}
