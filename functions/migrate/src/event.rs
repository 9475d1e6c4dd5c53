//! What the function can be asked.

use app::{
    fields,
    form::{self, Form},
    keys::NewKey,
};
use domain::{TenantName, Timestamp};
use queue::Scope;
use serde_json::Value;

use crate::failed::Failed;

/// What the first key is called if nobody says otherwise.
const NAME: &str = "first admin";

/// What is asked.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Apply what the store lacks.
    Migrate,
    /// Say what the store has.
    State,
    /// Make a key.
    CreateKey(NewKey),
}

#[derive(Clone, Copy, Default)]
enum Action {
    #[default]
    Migrate,
    State,
    CreateKey,
}

const ACTIONS: [&str; 3] = ["migrate", "state", "create_key"];

/// Reads an event; every mistake in it is told.
pub(crate) fn read(event: &Value, now: Timestamp) -> Result<Asked, Failed> {
    form::read(&event.to_string(), |form| asked(form, now)).map_err(|problem| Failed::of_event(&problem))
}

fn asked(form: &mut Form<'_>, now: Timestamp) -> Option<Asked> {
    let is_named = form.has("action");
    let action = form.optional("action", |field| field.word(&ACTIONS, action));
    match action {
        None if is_named => {
            // What else there is may be right for what was meant.
            let _ = key(form, now);
            None
        }
        None | Some(Action::Migrate) => Some(Asked::Migrate),
        Some(Action::State) => Some(Asked::State),
        Some(Action::CreateKey) => Some(Asked::CreateKey(key(form, now))),
    }
}

fn action(word: &str) -> Option<Action> {
    match word {
        "migrate" => Some(Action::Migrate),
        "state" => Some(Action::State),
        "create_key" => Some(Action::CreateKey),
        _ => None,
    }
}

fn key(form: &mut Form<'_>, now: Timestamp) -> NewKey {
    let tenant = form.optional("tenant", |field| field.name(TenantName::parse));
    let name = form.optional("name", fields::key_name);
    let scopes = form.optional("scopes", fields::scopes);
    let expires_at = form.optional("expires_at", |field| fields::future(field, now));
    NewKey {
        tenant: tenant.unwrap_or_else(TenantName::default_tenant),
        name: name.unwrap_or_else(|| NAME.to_owned()),
        scopes: scopes.unwrap_or_else(|| [Scope::Admin].into()),
        robot: None,
        expires_at,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);

    #[test]
    fn nothing_asks_to_migrate() {
        for event in [json!({}), json!({ "action": null }), json!({ "action": "migrate" })] {
            assert!(matches!(read(&event, NOW), Ok(Asked::Migrate)), "{event}");
        }
        assert!(matches!(read(&json!({ "action": "state" }), NOW), Ok(Asked::State)));
    }

    #[test]
    fn a_key_is_the_first_admins_unless_it_is_said_otherwise() {
        let Ok(Asked::CreateKey(key)) = read(&json!({ "action": "create_key" }), NOW) else {
            panic!("no key")
        };
        assert_eq!(
            (key.tenant.as_str(), &*key.name, key.expires_at),
            ("default", NAME, None)
        );
        assert_eq!(key.scopes, BTreeSet::from([Scope::Admin]));

        let event = json!({
            "action": "create_key", "tenant": "acme", "name": "ci", "scopes": ["jobs:read", "jobs:write"],
            "expires_at": "2027-01-01T00:00:00Z",
        });
        let Ok(Asked::CreateKey(key)) = read(&event, NOW) else {
            panic!("no key")
        };
        assert_eq!((key.tenant.as_str(), &*key.name), ("acme", "ci"));
        assert_eq!(key.scopes, BTreeSet::from([Scope::JobsRead, Scope::JobsWrite]));
        assert_eq!(key.expires_at.map(Timestamp::as_millis), Some(1_798_761_600_000));
    }

    #[test]
    fn a_wrong_event_is_told_with_each_place_and_what_is_possible() {
        for (event, places) in [
            (json!(null), vec!["an object"]),
            (json!([]), vec!["an object"]),
            (json!({ "action": "drop" }), vec!["/action", "create_key"]),
            (json!({ "action": "drop", "name": "x", "y": 1 }), vec!["/action", "/y"]),
            (json!({ "tenant": "acme" }), vec!["/tenant", "known are action"]),
            (json!({ "action": "state", "dry_run": true }), vec!["/dry_run"]),
            (
                json!({ "action": "create_key", "tenant": "A b", "name": "", "scopes": [], "expires_at": "2020-01-01T00:00:00Z", "robot": "x" }),
                vec!["/tenant", "/name", "/scopes", "/expires_at", "/robot"],
            ),
            (
                json!({ "action": "create_key", "scopes": ["all"] }),
                vec!["/scopes/0", "jobs:read"],
            ),
        ] {
            let error = read(&event, NOW).expect_err("a mistake").to_string();
            for place in places {
                assert!(error.contains(place), "{event}: {error}");
            }
            assert!(error.contains("\"action\": \"create_key\""), "{error}");
        }
    }
}
