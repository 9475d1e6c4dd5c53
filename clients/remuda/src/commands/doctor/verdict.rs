//! What the answers mean, and what to do: values in, checks out.

use remuda_client::CallError;
use serde_json::{Value, json};

use super::probe::{Greeting, Permission};
use crate::answers::{Health, QueueStats, Stats};
use crate::failure::Exit;
use crate::render::{Look, counted, whole_span};

/// How far two clocks may differ before it is spoken of.
const CLOCK_DIFFERENCE_SECONDS_MAX: i64 = 5;

/// How long a job may be ready before it is spoken of.
const READY_SECONDS_MAX: f64 = 300.0;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Ok,
    Warn,
    Fail,
}

impl Mark {
    pub(super) fn name(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Warn => "warn",
            Mark::Fail => "fail",
        }
    }

    pub(super) fn look(self) -> Look {
        match self {
            Mark::Ok => Look::Good,
            Mark::Warn => Look::Warning,
            Mark::Fail => Look::Bad,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) mark: Mark,
    pub(super) subject: &'static str,
    pub(super) message: String,
    pub(super) advice: Option<String>,
    /// How the command ends when this is the first check that failed.
    pub(super) exit: Option<Exit>,
}

impl Check {
    fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Check {
            mark: Mark::Ok,
            subject,
            message: message.into(),
            advice: None,
            exit: None,
        }
    }

    fn warn(subject: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Check {
            mark: Mark::Warn,
            advice: Some(advice.into()),
            ..Check::ok(subject, message)
        }
    }

    fn fail(subject: &'static str, message: impl Into<String>, advice: impl Into<String>, exit: Exit) -> Self {
        Check {
            mark: Mark::Fail,
            exit: Some(exit),
            ..Check::warn(subject, message, advice)
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "check": self.subject, "status": self.mark.name(), "message": self.message, "advice": self.advice })
    }
}

/// Whether a server answers, how it does, and what time it has.
pub(super) fn on_greeting(base: &str, greeting: &Result<Greeting, CallError>) -> Vec<Check> {
    match greeting {
        Ok(greeting) => vec![
            Check::ok("server", format!("{base} answers in {} ms", greeting.took.as_millis())),
            on_health(&greeting.health),
            on_clock(greeting.clock_ahead_seconds),
        ],
        Err(error @ CallError::Unreachable { .. }) => vec![Check::fail(
            "server",
            error.to_string(),
            "start a server with 'remuda dev', or name another with --url or REMUDA_URL",
            Exit::Unreachable,
        )],
        Err(error) => {
            let exit = if error.is_transient() {
                Exit::Unreachable
            } else {
                Exit::Refused
            };
            vec![Check::fail(
                "server",
                error.to_string(),
                "is this the address of a Remuda server?",
                exit,
            )]
        }
    }
}

fn on_health(health: &Health) -> Check {
    let store = health
        .store
        .as_ref()
        .map(|store| format!(", store {} {}", store.kind, store.status))
        .unwrap_or_default();
    let message = format!("{}{store}", health.status);
    if health.status == "healthy" {
        Check::ok("health", message)
    } else {
        Check::warn("health", message, "the server's log and GET /metrics tell more")
    }
}

fn on_clock(ahead_seconds: Option<i64>) -> Check {
    match ahead_seconds {
        None => Check::ok("clock", "the server told no time"),
        Some(ahead) if ahead.abs() <= CLOCK_DIFFERENCE_SECONDS_MAX => Check::ok("clock", "agrees with the server's"),
        Some(ahead) => Check::warn(
            "clock",
            format!(
                "the server's clock is {}s {}",
                ahead.abs(),
                if ahead > 0 { "ahead" } else { "behind" }
            ),
            "set both clocks by NTP; a --run-at or --deadline is read by the server's",
        ),
    }
}

/// Whether the server can reach its store.
pub(super) fn on_readiness(error: Option<&CallError>) -> Check {
    match error {
        None => Check::ok("ready", "the store is within reach"),
        Some(error) => Check::fail(
            "ready",
            error.to_string(),
            "the store cannot be reached: look at the database and at REMUDA_STORE of the server",
            Exit::Unreachable,
        ),
    }
}

/// Whether the key works, and what it may do.
pub(super) fn on_key(scopes: &[(&'static str, Permission)]) -> Check {
    let refused = scopes.iter().find_map(|(_, permission)| match permission {
        Permission::Unknown(error) => Some(error),
        _ => None,
    });
    if let Some(error) = refused {
        return on_refused_key(error);
    }
    let given = given(scopes);
    match given.as_slice() {
        [] => Check::fail(
            "key",
            "the key has no scope that an operator needs; a robot's key has none",
            "make a key with 'remuda keys create NAME --scope jobs:read --scope jobs:write'",
            Exit::KeyRefused,
        ),
        given if given.contains(&"admin") => Check::ok("key", "works, scope admin: all of its tenant"),
        given => Check::ok("key", format!("works, scopes {}", given.join(" "))),
    }
}

fn given<'a>(scopes: &[(&'a str, Permission)]) -> Vec<&'a str> {
    scopes
        .iter()
        .filter(|(_, permission)| matches!(permission, Permission::Given))
        .map(|(scope, _)| *scope)
        .collect()
}

fn on_refused_key(error: &CallError) -> Check {
    if error.status().is_some_and(|status| status.as_u16() == 401) {
        let advice = "give a valid key with REMUDA_KEY or --key; 'remuda dev' prints one at its first start";
        return Check::fail("key", error.to_string(), advice, Exit::KeyRefused);
    }
    let exit = if error.is_transient() {
        Exit::Unreachable
    } else {
        Exit::Refused
    };
    Check::fail(
        "key",
        error.to_string(),
        "the server cannot say just now; try again",
        exit,
    )
}

/// Whether robots are there, and whether jobs wait too long.
pub(super) fn on_stats(stats: &Stats) -> Vec<Check> {
    vec![on_robots(stats), on_waiting(&stats.queues)]
}

fn on_robots(stats: &Stats) -> Check {
    let (online, offline) = (stats.robots.online(), stats.robots.offline);
    match (online, offline) {
        (0, 0) => Check::warn("robots", "none was ever registered", "start one with 'remuda robot'"),
        (0, _) => Check::warn(
            "robots",
            format!("none online, {offline} offline"),
            "are they running, and can they reach the server? 'remuda robots list' tells when each was seen last",
        ),
        _ => Check::ok("robots", format!("{online} online, {offline} offline")),
    }
}

fn on_waiting(queues: &[QueueStats]) -> Check {
    let oldest = queues
        .iter()
        .filter_map(|queue| queue.oldest_ready_seconds.map(|seconds| (seconds, queue)))
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match oldest {
        None => Check::ok("waiting jobs", "none"),
        Some((seconds, queue)) if seconds <= READY_SECONDS_MAX => Check::ok(
            "waiting jobs",
            format!("the oldest is ready for {} in {}", whole_span(seconds), queue.name),
        ),
        Some((seconds, queue)) => {
            let ready = counted(queue.ready, "ready job");
            let message = format!("{ready} in {}, the oldest for {}", queue.name, whole_span(seconds));
            Check::warn("waiting jobs", message, advice_on_waiting(queue))
        }
    }
}

fn advice_on_waiting(queue: &QueueStats) -> String {
    if queue.paused {
        format!("the queue is paused: 'remuda queues resume {}'", queue.name)
    } else {
        format!(
            "'remuda jobs list --state ready --queue {}' and 'remuda jobs explain JOB' say why",
            queue.name
        )
    }
}

/// Whether jobs failed that nobody has dealt with.
pub(super) fn on_dead_letters(count: usize, more: bool) -> Check {
    match count {
        0 => Check::ok("dead letters", "none"),
        count => Check::warn(
            "dead letters",
            format!("{count}{}", if more { " and more" } else { "" }),
            "'remuda dead-letters list' shows them; requeue, discard or resolve each",
        ),
    }
}

/// A question that got no answer.
pub(super) fn on_unanswered(subject: &'static str, error: &CallError) -> Check {
    Check::fail(
        subject,
        error.to_string(),
        "the server cannot say just now; try again",
        Exit::Refused,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str, paused: bool, oldest: Option<f64>) -> QueueStats {
        let oldest_ready_seconds = oldest;
        QueueStats {
            name: name.to_owned(),
            paused,
            scheduled: 0,
            ready: 3,
            leased: 0,
            running: 0,
            oldest_ready_seconds,
        }
    }

    #[test]
    fn a_job_that_waits_long_is_spoken_of_with_the_queue_it_waits_in() {
        let check = on_waiting(&[queue("quick", false, Some(2.0)), queue("slow", false, Some(7200.0))]);
        assert_eq!(check.mark, Mark::Warn);
        assert_eq!(check.message, "3 ready jobs in slow, the oldest for 2h");
        assert!(check.advice.unwrap().contains("--queue slow"));
    }

    #[test]
    fn a_paused_queue_is_named_as_the_reason() {
        let check = on_waiting(&[queue("slow", true, Some(7200.0))]);
        assert!(check.advice.unwrap().contains("queues resume slow"));
    }

    #[test]
    fn jobs_that_wait_a_little_are_no_matter() {
        assert_eq!(
            on_waiting(&[queue("quick", false, Some(2.0)), queue("empty", false, None)]).mark,
            Mark::Ok
        );
    }

    #[test]
    fn a_clock_that_is_far_off_is_spoken_of() {
        assert_eq!(on_clock(Some(2)).mark, Mark::Ok);
        assert_eq!(on_clock(Some(-60)).message, "the server's clock is 60s behind");
        assert_eq!(on_clock(Some(-60)).mark, Mark::Warn);
    }

    #[test]
    fn a_key_is_told_by_what_it_may_do() {
        let scopes = |admin| {
            vec![
                ("admin", if admin { Permission::Given } else { Permission::Withheld }),
                ("jobs:read", Permission::Given),
                ("jobs:write", Permission::Withheld),
            ]
        };
        assert_eq!(on_key(&scopes(true)).message, "works, scope admin: all of its tenant");
        assert_eq!(on_key(&scopes(false)).message, "works, scopes jobs:read");
        let none = on_key(&[("admin", Permission::Withheld)]);
        assert_eq!((none.mark, none.exit), (Mark::Fail, Some(Exit::KeyRefused)));
    }
}
