//! Fields that more than one form has.

use std::collections::{BTreeMap, BTreeSet};

use domain::{JobId, LabelName, LeaseToken, Timestamp, Word, job::Fence};
use queue::Scope;

use crate::form::{Field, Form, Read};

/// How many labels a job or a robot has at most.
pub const LABELS_MAX: usize = 20;

/// The longest value of a label, in characters.
pub const LABEL_CHARS_MAX: usize = 200;

/// The longest name of a key, in characters.
const KEY_NAME_CHARS_MAX: usize = 200;

/// What people call a key.
pub fn key_name(field: &Field<'_>) -> Read<String> {
    field.plain(1..=KEY_NAME_CHARS_MAX)
}

/// What a key lets its holder do: at least one scope.
pub fn scopes(field: &Field<'_>) -> Read<BTreeSet<Scope>> {
    let words = Scope::ALL.map(Scope::as_str);
    let scopes = field.list(words.len(), |each| each.word(&words, Scope::parse))?;
    if scopes.is_empty() {
        return field.wrong(format!("must name at least one of {}", words.join(", ")));
    }
    Ok(scopes.into_iter().collect())
}

/// A moment after `now`.
pub fn future(field: &Field<'_>, now: Timestamp) -> Read<Timestamp> {
    let moment = field.moment()?;
    if moment > now {
        Ok(moment)
    } else {
        field.wrong("must be in the future")
    }
}

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
