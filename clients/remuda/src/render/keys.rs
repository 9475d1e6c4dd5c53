//! Keys, without their secrets.

use comfy_table::Cell;
use jiff::Timestamp;

use super::{Look, Style, joined, or_dash, text_of};
use crate::answers::Key;
use crate::moments::relative;

/// Keys, one a row.
pub(crate) fn keys(style: Style, items: &[Key], now: Timestamp) -> String {
    let mut table = style.table(&["ID", "NAME", "SCOPES", "ROBOT", "CREATED", "EXPIRES", "REVOKED"]);
    let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| relative(now, at));
    for key in items {
        let revoked = if key.revoked_at.is_some() {
            Look::Bad
        } else {
            Look::Plain
        };
        table.add_row([
            Cell::new(&key.id),
            style.dressed(&or_dash(key.name.as_deref()), Look::Plain),
            style.dressed(&joined(&key.scopes), Look::Plain),
            Cell::new(or_dash(key.robot.as_deref())),
            Cell::new(when(key.created_at)),
            Cell::new(when(key.expires_at)),
            style.dressed(&when(key.revoked_at), revoked),
        ]);
    }
    text_of(&mut table, &[3, 4])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::render::tests_support::at;

    #[test]
    fn a_key_is_shown_with_its_scopes_and_its_end() {
        let key: Key = serde_json::from_value(json!({
            "id": "key_1", "name": "ci", "scopes": ["jobs:read", "jobs:write"], "created_at": "2026-11-21T11:00:00.000Z",
            "expires_at": "2026-12-01T12:00:00.000Z", "revoked_at": null
        }))
        .unwrap();
        let text = keys(Style::PLAIN, &[key], at("2026-11-21T12:00:00Z"));
        let row: Vec<&str> = text
            .lines()
            .nth(1)
            .unwrap()
            .split("  ")
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .collect();
        assert_eq!(
            row,
            ["key_1", "ci", "jobs:read, jobs:write", "-", "1h ago", "in 10d", "-"]
        );
    }
}
