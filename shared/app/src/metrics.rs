//! What is counted, as Prometheus reads it.
//!
//! Counters are this process's; what waits and runs is read from the store when it is asked for. A tenant is shown its own
//! counts and those that are nobody's. Labels are bounded: routes, codes, states and the queues of the tenant.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{TenantName, robot::RobotState};
use queue::{Dispatched, Stats, Swept};

/// Beyond so many series nothing new is counted, so that no caller can fill the memory.
const SERIES_MAX: usize = 20_000;

/// Requests by method, route and status.
pub const HTTP_REQUESTS: &str = "remuda_http_requests_total";
/// Requests that were refused, by the problem's code.
pub const REFUSALS: &str = "remuda_refusals_total";
/// Submitted jobs, by how they were answered.
pub const JOBS_SUBMITTED: &str = "remuda_jobs_submitted_total";
/// Finished attempts, by what the robot reported.
pub const ATTEMPTS_FINISHED: &str = "remuda_attempts_finished_total";
/// What sweeps did.
pub const SWEEP_ACTIONS: &str = "remuda_sweep_actions_total";
/// Runs of the sweep's own function, whatever they found.
pub const SWEEP_RUNS: &str = "remuda_sweep_runs_total";
/// Jobs that dispatches reserved for robots.
pub const DISPATCHED: &str = "remuda_dispatched_jobs_total";
/// Jobs that failed or timed out.
pub const DEAD_LETTERS: &str = "remuda_dead_letters_total";

const JOBS: &str = "remuda_jobs";
const OLDEST_READY: &str = "remuda_oldest_ready_seconds";
const QUEUE_PAUSED: &str = "remuda_queue_paused";
const ROBOTS: &str = "remuda_robots";

const HELP: [(&str, &str, &str); 12] = [
    (HTTP_REQUESTS, "counter", "Requests by method, route and status."),
    (
        REFUSALS,
        "counter",
        "Refused requests by the problem's code; lease_lost counts stale robots.",
    ),
    (
        JOBS_SUBMITTED,
        "counter",
        "Submitted jobs by how they were answered: created, replayed, returned.",
    ),
    (
        ATTEMPTS_FINISHED,
        "counter",
        "Finished attempts by the outcome that the robot reported.",
    ),
    (SWEEP_ACTIONS, "counter", "What sweeps did, by action."),
    (
        SWEEP_RUNS,
        "counter",
        "Runs of the sweep's own function, whatever they found.",
    ),
    (DISPATCHED, "counter", "Jobs that dispatches reserved for robots."),
    (
        DEAD_LETTERS,
        "counter",
        "Jobs that failed or timed out by what this process wrote.",
    ),
    (JOBS, "gauge", "Unfinished jobs by queue and state."),
    (
        OLDEST_READY,
        "gauge",
        "For how long the oldest ready job of a queue has been waiting.",
    ),
    (QUEUE_PAUSED, "gauge", "1 for a paused queue."),
    (ROBOTS, "gauge", "Robots by state."),
];

/// What this process counted; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<Series, u64>>>);

/// One line of counts. `labels` are as they are printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: &'static str,
    labels: String,
    tenant: Option<TenantName>,
}

impl Metrics {
    /// Counts `amount` more of `name`, for `tenant` if it is somebody's. Names and values of labels are words of ours.
    pub fn add(&self, name: &'static str, tenant: Option<&TenantName>, labels: &[(&str, &str)], amount: u64) {
        if amount == 0 {
            return;
        }
        let series = Series {
            name,
            labels: written(labels),
            tenant: tenant.cloned(),
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < SERIES_MAX || counts.contains_key(&series) {
            *counts.entry(series).or_default() += amount;
        }
    }

    /// Counts what a sweep did.
    pub fn swept(&self, swept: &Swept) {
        let actions = [
            ("ready", swept.ready),
            ("lease_lost", swept.leases_lost),
            ("retried", swept.retried),
            ("ended", swept.ended),
            ("rearmed", swept.rearmed),
            ("conflict", swept.conflicts),
            ("purged", swept.purged),
        ];
        for (action, count) in actions {
            self.add(SWEEP_ACTIONS, None, &[("action", action)], count);
        }
    }

    /// Counts a run of the sweep's own function.
    pub fn sweep_ran(&self) {
        self.add(SWEEP_RUNS, None, &[], 1);
    }

    /// Counts what a dispatch did.
    pub fn dispatched(&self, dispatched: &Dispatched) {
        self.add(DISPATCHED, None, &[], dispatched.assigned);
    }

    /// How much was counted of `name` by all tenants, where the labels as they are printed hold `label`.
    pub(crate) fn total(&self, name: &str, label: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counts
            .iter()
            .filter(|(series, _)| series.name == name && series.labels.contains(label));
        counted.map(|(_, count)| count).sum()
    }

    /// Everything that `tenant` may see, in Prometheus' text format.
    pub fn render(&self, tenant: &TenantName, stats: &Stats) -> String {
        let mut lines = self.counts_of(tenant);
        lines.extend(gauges(stats));
        let mut text = String::new();
        for (name, kind, help) in HELP {
            let of_name = lines.iter().filter(|(line, _, _)| *line == name);
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for (_, labels, value) in of_name {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }

    fn counts_of(&self, tenant: &TenantName) -> Vec<(&'static str, String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: BTreeMap<(&'static str, &str), u64> = BTreeMap::new();
        let seen = counts
            .iter()
            .filter(|(series, _)| series.tenant.as_ref().is_none_or(|whose| whose == tenant));
        seen.for_each(|(series, count)| *sums.entry((series.name, &series.labels)).or_default() += count);
        let lines = sums
            .into_iter()
            .map(|((name, labels), count)| (name, labels.to_owned(), count));
        lines.collect()
    }
}

fn gauges(stats: &Stats) -> Vec<(&'static str, String, u64)> {
    let mut lines = Vec::new();
    for queue in &stats.queues {
        let name = ("queue", queue.name.as_str());
        for (state, count) in [
            ("scheduled", queue.scheduled),
            ("ready", queue.ready),
            ("leased", queue.leased),
            ("running", queue.running),
        ] {
            lines.push((JOBS, written(&[name, ("state", state)]), count));
        }
        lines.push((QUEUE_PAUSED, written(&[name]), u64::from(queue.paused)));
        lines.push((OLDEST_READY, written(&[name]), queue.oldest_ready_seconds.unwrap_or(0)));
    }
    let robots = stats.robots.iter();
    lines.extend(robots.map(|(state, count)| (ROBOTS, written(&[("state", robot_state(*state))]), *count)));
    lines
}

/// The word for a robot's state, as in JSON.
pub const fn robot_state(state: RobotState) -> &'static str {
    match state {
        RobotState::Idle => "idle",
        RobotState::Busy => "busy",
        RobotState::Draining => "draining",
        RobotState::Offline => "offline",
    }
}

fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Stats {
        Stats {
            queues: Vec::new(),
            robots: BTreeMap::new(),
        }
    }

    fn tenant(name: &str) -> TenantName {
        TenantName::parse(name).expect("a name")
    }

    #[test]
    fn a_tenant_sees_its_own_counts_and_nobodys() {
        let metrics = Metrics::default();
        let labels = [("code", "lease_lost")];
        metrics.add(REFUSALS, Some(&tenant("a")), &labels, 2);
        metrics.add(REFUSALS, Some(&tenant("b")), &labels, 40);
        metrics.add(REFUSALS, None, &labels, 1);
        let text = metrics.render(&tenant("a"), &nothing());
        assert!(
            text.contains("remuda_refusals_total{code=\"lease_lost\"} 3\n"),
            "{text}"
        );
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        for place in 0..SERIES_MAX + 10 {
            metrics.add(HTTP_REQUESTS, None, &[("route", &place.to_string())], 1);
        }
        let text = metrics.render(&tenant("a"), &nothing());
        assert_eq!(
            text.lines().filter(|line| line.starts_with(HTTP_REQUESTS)).count(),
            SERIES_MAX
        );
    }

    #[test]
    fn every_name_is_explained() {
        let text = Metrics::default().render(&tenant("a"), &nothing());
        assert_eq!(text.matches("# HELP").count(), HELP.len());
        assert_eq!(text.matches("# TYPE").count(), HELP.len());
    }
}
