//! The figures of a run: evidence and violations in, one summary out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::Serialize;

use super::audit::{Rule, Violation};
use super::evidence::{Case, Evidence};
use super::story;
use crate::answers::Job;

/// A run as `--json` shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Summary {
    /// How many jobs the server accepted.
    pub(super) accepted: usize,
    pub(super) succeeded: usize,
    /// How many failed, by reason.
    pub(super) failed: BTreeMap<String, usize>,
    /// How many ran out of time, in whatever way.
    pub(super) timed_out: usize,
    /// How many were cancelled, by the state that they were in.
    pub(super) cancelled: BTreeMap<String, usize>,
    /// Accepted jobs that are not there or did not end.
    pub(super) lost: usize,
    /// Jobs that were done twice without a lost lease to explain it, that ended twice, or that nobody submitted.
    pub(super) duplicated: usize,
    /// Jobs whose work was done again because nobody could know whether the lost attempt had done it.
    pub(super) done_again_after_loss: usize,
    /// Attempts that were under way when their lease was lost.
    pub(super) attempts_lost: usize,
    /// Whether each promise held: those that did not are named by `violations`.
    pub(super) violations: Vec<Violation>,
    pub(super) workflows: BTreeMap<String, Row>,
    pub(super) robots: Vec<RobotRow>,
    /// From ready to a robot.
    pub(super) wait_ms: Spread,
    /// How long attempts ran, however they ended.
    pub(super) run_ms: Spread,
    /// From the first submit to the last end.
    pub(super) seconds: f64,
    /// The kind of store.
    pub(super) store: String,
    /// The tenant that the jobs belong to.
    pub(super) tenant: String,
    /// What gives the same order and the same choices again.
    pub(super) seed: u64,
}

/// The jobs of one workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) jobs: usize,
    pub(super) succeeded: usize,
    /// How many failed, by reason.
    pub(super) failed: BTreeMap<String, usize>,
    pub(super) timed_out: usize,
    pub(super) cancelled: usize,
    /// Attempts that began.
    pub(super) attempts: usize,
    pub(super) wait_ms: Spread,
    pub(super) run_ms: Spread,
}

/// What one robot did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RobotRow {
    pub(super) name: String,
    pub(super) capabilities: Vec<String>,
    pub(super) max_jobs: u32,
    /// Jobs that it brought to their end.
    pub(super) jobs_done: usize,
    pub(super) kills: u32,
    pub(super) starts: u32,
}

/// How values are spread, in milliseconds; all zero where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Spread {
    pub(super) p50: u64,
    pub(super) p95: u64,
    pub(super) max: u64,
}

/// What a summary says besides what the evidence shows.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) robots: Vec<RobotRow>,
    pub(super) seconds: f64,
    pub(super) store: String,
    pub(super) tenant: String,
    pub(super) seed: u64,
}

impl Summary {
    /// The figures of this run.
    pub(super) fn of(evidence: &Evidence, violations: Vec<Violation>, frame: Frame) -> Self {
        let mut workflows: BTreeMap<String, Vec<&Case>> = BTreeMap::new();
        for case in &evidence.cases {
            workflows
                .entry(case.accepted.order.workflow.clone())
                .or_default()
                .push(case);
        }
        let all: Vec<&Case> = evidence.cases.iter().collect();
        let total = Row::of(&all);
        Summary {
            accepted: total.jobs,
            succeeded: total.succeeded,
            failed: total.failed,
            timed_out: total.timed_out,
            cancelled: cancelled_by_state(&all),
            lost: jobs_breaking(&violations, &[Rule::Found, Rule::Ended]),
            duplicated: jobs_breaking(&violations, &[Rule::EffectOnce, Rule::OneEnd, Rule::SubmittedOnce]),
            done_again_after_loss: all.iter().filter(|case| done_again(case)).count(),
            attempts_lost: all.iter().map(|case| story::lost(&case.history).len()).sum(),
            violations,
            workflows: workflows
                .into_iter()
                .map(|(name, cases)| (name, Row::of(&cases)))
                .collect(),
            wait_ms: total.wait_ms,
            run_ms: total.run_ms,
            robots: frame.robots,
            seconds: frame.seconds,
            store: frame.store,
            tenant: frame.tenant,
            seed: frame.seed,
        }
    }
}

impl Row {
    fn of(cases: &[&Case]) -> Self {
        let jobs = || cases.iter().filter_map(|case| case.job.as_ref());
        let count = |state: &str| jobs().filter(|job| job.state == state).count();
        let histories = || cases.iter().map(|case| case.history.as_slice());
        Row {
            jobs: cases.len(),
            succeeded: count("succeeded"),
            failed: failed_by_reason(jobs()),
            timed_out: count("timed_out"),
            cancelled: count("cancelled"),
            attempts: histories().map(|history| story::started(history).len()).sum(),
            wait_ms: Spread::of(histories().flat_map(story::waits)),
            run_ms: Spread::of(histories().flat_map(story::runs)),
        }
    }
}

impl Spread {
    /// The spread of these; each figure is one of them, by the nearest rank.
    fn of(values: impl Iterator<Item = SignedDuration>) -> Self {
        let mut sorted: Vec<u64> = values
            .map(|value| u64::try_from(value.as_millis()).unwrap_or(0))
            .collect();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(place).copied().unwrap_or(0)
        };
        Spread {
            p50: rank(50),
            p95: rank(95),
            max: rank(100),
        }
    }
}

/// How many jobs each robot brought to their end, by its id.
pub(super) fn done_by_robot(evidence: &Evidence) -> BTreeMap<String, usize> {
    let mut done = BTreeMap::new();
    for case in &evidence.cases {
        let end = case.history.iter().find(|step| story::is_end(&step.to));
        if let Some(actor) = end.and_then(|end| end.actor.clone()) {
            *done.entry(actor).or_default() += 1;
        }
    }
    done
}

fn failed_by_reason<'a>(jobs: impl Iterator<Item = &'a Job>) -> BTreeMap<String, usize> {
    let mut failed = BTreeMap::new();
    for job in jobs.filter(|job| job.state == "failed") {
        let reason = job.reason.clone().unwrap_or_else(|| "unknown".to_owned());
        *failed.entry(reason).or_default() += 1;
    }
    failed
}

fn cancelled_by_state(cases: &[&Case]) -> BTreeMap<String, usize> {
    let mut cancelled = BTreeMap::new();
    for state in cases.iter().filter_map(|case| story::cancelled_from(&case.history)) {
        *cancelled.entry(state.to_owned()).or_default() += 1;
    }
    cancelled
}

fn jobs_breaking(violations: &[Violation], rules: &[Rule]) -> usize {
    let jobs: BTreeSet<Option<&str>> = violations
        .iter()
        .filter(|violation| rules.contains(&violation.rule))
        .map(|violation| violation.job.as_deref())
        .collect();
    jobs.len()
}

fn done_again(case: &Case) -> bool {
    let attempts: BTreeSet<u32> = case.effects.iter().map(|effect| effect.attempt).collect();
    let lost = story::lost(&case.history);
    attempts.len() > 1 && attempts.iter().any(|attempt| lost.contains(attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[i64]) -> (u64, u64, u64) {
        let spread = Spread::of(values.iter().map(|value| SignedDuration::from_millis(*value)));
        (spread.p50, spread.p95, spread.max)
    }

    #[test]
    fn a_spread_is_made_of_values_that_were_seen() {
        assert_eq!(spread(&[]), (0, 0, 0));
        assert_eq!(spread(&[7]), (7, 7, 7));
        assert_eq!(spread(&[30, 10, 20]), (20, 30, 30));
        let hundred: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(spread(&hundred), (50, 95, 100));
    }

    #[test]
    fn a_job_that_breaks_several_rules_counts_once() {
        let violation = |rule, job: &str| Violation {
            rule,
            job: Some(job.to_owned()),
            what: String::new(),
        };
        let violations = [
            violation(Rule::EffectOnce, "a"),
            violation(Rule::OneEnd, "a"),
            violation(Rule::EffectOnce, "b"),
            violation(Rule::Ended, "c"),
        ];
        assert_eq!(jobs_breaking(&violations, &[Rule::EffectOnce, Rule::OneEnd]), 2);
        assert_eq!(jobs_breaking(&violations, &[Rule::Found, Rule::Ended]), 1);
    }
}
