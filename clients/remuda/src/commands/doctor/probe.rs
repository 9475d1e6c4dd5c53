//! Questions to the server, none of which changes anything.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use remuda_client::{CallError, Client, Method};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::answers::{Health, Page, Stats};
use crate::context::now;

/// The most dead letters that are counted: one page.
const DEAD_LETTERS_MAX: usize = 200;

/// How the server answered when it was first spoken to.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) health: Health,
    pub(super) took: Duration,
    /// How far the server's clock is ahead of ours, in whole seconds; none where it told no time.
    pub(super) clock_ahead_seconds: Option<i64>,
}

/// Whether the key may do something.
#[derive(Debug)]
pub(super) enum Permission {
    Given,
    Withheld,
    Unknown(CallError),
}

/// Asks the server how it does.
pub(super) async fn greet(client: &Client) -> Result<Greeting, CallError> {
    let asked = Instant::now();
    let answer = client.request(Method::GET, "/health").send_answer::<Health>().await?;
    let date = answer.headers.get("date").and_then(|date| date.to_str().ok());
    Ok(Greeting {
        health: answer.body,
        took: asked.elapsed(),
        clock_ahead_seconds: date.and_then(|date| ahead_seconds(date, now())),
    })
}

/// How far an HTTP date is ahead of `now`, in whole seconds.
fn ahead_seconds(date: &str, now: Timestamp) -> Option<i64> {
    let theirs = DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(theirs.as_second() - now.as_second())
}

/// Asks whether the server can reach its store.
pub(super) async fn readiness(client: &Client) -> Result<(), CallError> {
    client
        .request(Method::GET, "/ready")
        .send::<IgnoredAny>()
        .await
        .map(drop)
}

/// What the key may do, scope by scope. A write is tried with what the server always refuses: an empty job, an empty
/// robot, a lease of no time, a robot that does not exist; what tells is how it refuses.
pub(super) async fn scopes(client: &Client) -> Vec<(&'static str, Permission)> {
    let nothing = json!({});
    let calls = [
        ("admin", client.request(Method::GET, "/v1/keys")),
        (
            "jobs:read",
            client
                .request(Method::GET, "/v1/jobs")
                .query(&[("limit", "1".to_owned())]),
        ),
        ("jobs:write", client.request(Method::POST, "/v1/jobs").json(&nothing)),
        ("robots:read", client.request(Method::GET, "/v1/robots")),
        (
            "robots:write",
            client.request(Method::POST, "/v1/robots/rob_none/drain").json(&nothing),
        ),
        (
            "robots:register",
            client.request(Method::POST, "/v1/robots").json(&nothing),
        ),
        (
            "queues:write",
            client
                .request(Method::PUT, "/v1/queues/default")
                .json(&json!({ "lease_seconds": 0 })),
        ),
    ];
    let mut scopes = Vec::new();
    for (scope, call) in calls {
        scopes.push((scope, permission(call.send::<IgnoredAny>().await)));
    }
    scopes
}

fn permission(outcome: Result<IgnoredAny, CallError>) -> Permission {
    match outcome {
        Ok(_) => Permission::Given,
        Err(error) => match error.status().map(|status| status.as_u16()) {
            Some(403) => Permission::Withheld,
            Some(400 | 404 | 409 | 422) => Permission::Given,
            _ => Permission::Unknown(error),
        },
    }
}

/// Whether the tenant's jobs may be looked at.
pub(super) fn can_read_jobs(scopes: &[(&str, Permission)]) -> bool {
    scopes
        .iter()
        .any(|(scope, permission)| *scope == "jobs:read" && matches!(permission, Permission::Given))
}

/// The tenant at a glance.
pub(super) async fn stats(client: &Client) -> Result<Stats, CallError> {
    client.get("/v1/stats", &[]).await
}

/// How many dead letters the first page has, and whether there are more.
pub(super) async fn dead_letters(client: &Client) -> Result<(usize, bool), CallError> {
    let page: Page<IgnoredAny> = client
        .get("/v1/dead-letters", &[("limit", DEAD_LETTERS_MAX.to_string())])
        .await?;
    Ok((page.items.len(), page.next_cursor.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_compared_by_the_date_of_an_answer() {
        let now = "2026-11-21T12:00:00.900Z".parse().unwrap();
        assert_eq!(ahead_seconds("Sat, 21 Nov 2026 12:00:07 GMT", now), Some(7));
        assert_eq!(ahead_seconds("yesterday", now), None);
    }
}
