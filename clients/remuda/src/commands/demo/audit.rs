//! Whether a run kept what the product promises: evidence in, violations out. Pure.
//!
//! The rules are written down here a second time on purpose, from the contract and not from the code that keeps them.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::evidence::{Case, Effect, Evidence, Kill};
use super::story;
use crate::answers::{Job, Transition};

/// Which states may follow which. Those that nothing follows are the ends.
pub(super) const EDGES: [(&str, &[&str]); 4] = [
    ("scheduled", &["ready", "succeeded", "failed", "timed_out", "cancelled"]),
    ("ready", &["leased", "succeeded", "failed", "timed_out", "cancelled"]),
    ("leased", &["ready", "running", "failed", "timed_out", "cancelled"]),
    (
        "running",
        &["scheduled", "ready", "succeeded", "failed", "timed_out", "cancelled"],
    ),
];

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule {
    /// What was submitted once, or again, is not what there is.
    SubmittedOnce,
    /// A job that was accepted is not there.
    Found,
    /// A job has not come to its end.
    Ended,
    /// A history has a gap, or steps that do not join.
    HistoryWhole,
    /// A step is none of the state graph.
    EdgeAllowed,
    /// Attempts rise by one with each lease.
    AttemptsRise,
    /// More attempts began than the job allows.
    AttemptsBounded,
    /// A job ended more than once.
    OneEnd,
    /// A job ended otherwise than the sample says.
    EndsAsMeant,
    /// A result is not that job's.
    ResultIsItsOwn,
    /// Something was done twice in the world outside, and no lost lease explains it.
    EffectOnce,
    /// A job succeeded and nothing was done.
    EffectDone,
    /// Something was done that no attempt of the history explains.
    EffectExplained,
    /// A robot was given what it cannot do.
    RobotCapable,
    /// A kill left no trace in the history of the job it hit.
    KillSeen,
    /// A robot or the server did not behave as a process.
    ProcessEnds,
}

impl Rule {
    /// Every rule.
    #[cfg(test)]
    pub(super) const ALL: [Rule; 16] = [
        Rule::SubmittedOnce,
        Rule::Found,
        Rule::Ended,
        Rule::HistoryWhole,
        Rule::EdgeAllowed,
        Rule::AttemptsRise,
        Rule::AttemptsBounded,
        Rule::OneEnd,
        Rule::EndsAsMeant,
        Rule::ResultIsItsOwn,
        Rule::EffectOnce,
        Rule::EffectDone,
        Rule::EffectExplained,
        Rule::RobotCapable,
        Rule::KillSeen,
        Rule::ProcessEnds,
    ];
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    /// The job that it is about.
    pub(super) job: Option<String>,
    pub(super) what: String,
}

impl Violation {
    /// A broken promise that is not about one job.
    pub(super) fn of_run(rule: Rule, what: impl Into<String>) -> Self {
        Violation {
            rule,
            job: None,
            what: what.into(),
        }
    }

    fn of_job(rule: Rule, job: &str, what: impl Into<String>) -> Self {
        Violation {
            rule,
            job: Some(job.to_owned()),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.job {
            Some(job) => write!(f, "job {job}: {}", self.what),
            None => write!(f, "{}", self.what),
        }
    }
}

/// Every promise that the run broke.
pub(super) fn audit(evidence: &Evidence) -> Vec<Violation> {
    let cases = evidence.cases.iter().flat_map(|case| audit_case(case, evidence));
    let unexpected = evidence.unexpected.iter().map(|job| {
        let what = format!("nobody submitted it ({}, {})", job.workflow, job.state);
        Violation::of_job(Rule::SubmittedOnce, &job.id, what)
    });
    let strays = evidence.stray_effects.iter().map(|effect| {
        let what = format!("{} did something for it, and it was never accepted", effect.robot);
        Violation::of_job(Rule::EffectExplained, &effect.job, what)
    });
    let kills = evidence.kills.iter().filter_map(|kill| unseen(kill, &evidence.cases));
    cases.chain(unexpected).chain(strays).chain(kills).collect()
}

fn audit_case(case: &Case, evidence: &Evidence) -> Vec<Violation> {
    let id = &case.accepted.id;
    let Some(job) = &case.job else {
        return vec![Violation::of_job(Rule::Found, id, "it was accepted and is not there")];
    };
    let mut findings = Findings {
        job: id,
        found: Vec::new(),
    };
    findings.ending(case, job);
    findings.history(&case.history, &job.state);
    findings.attempts(case);
    findings.effects(case, job);
    findings.robot(case, job, evidence);
    findings.found
}

/// What is found wrong with one job.
struct Findings<'a> {
    job: &'a str,
    found: Vec<Violation>,
}

impl Findings<'_> {
    fn hold(&mut self, holds: bool, rule: Rule, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.found.push(Violation::of_job(rule, self.job, otherwise()));
        }
    }

    fn ending(&mut self, case: &Case, job: &Job) {
        let order = &case.accepted.order;
        let reason = job.reason.as_deref();
        if !story::is_end(&job.state) {
            let what = format!(
                "it is still {} ({}, attempt {})",
                job.state, order.workflow, job.attempt
            );
            return self.hold(false, Rule::Ended, || what);
        }
        let meant = order.expect.ending();
        let as_meant = (job.state.as_str(), reason) == meant || spent_on_losses(case, job);
        self.hold(as_meant, Rule::EndsAsMeant, || {
            format!(
                "{} ended {} where {} was meant",
                order.workflow,
                with_reason(&job.state, reason),
                with_reason(meant.0, meant.1)
            )
        });
        if job.has_succeeded() {
            let number = result_number(job);
            self.hold(number == Some(order.number), Rule::ResultIsItsOwn, || {
                format!(
                    "its result has number {number:?} where its payload has {}",
                    order.number
                )
            });
        }
    }

    fn history(&mut self, history: &[Transition], state: &str) {
        let mut before: Option<&str> = None;
        for (step, seq) in history.iter().zip(1..) {
            let joined = step.seq == seq && step.from.as_deref() == before;
            self.hold(joined, Rule::HistoryWhole, || {
                format!("step {} of its history does not follow: {}", seq, told(step))
            });
            self.hold(is_edge(step), Rule::EdgeAllowed, || {
                format!("its history goes {}, which no rule allows", told(step))
            });
            before = Some(&step.to);
        }
        self.hold(before == Some(state), Rule::HistoryWhole, || {
            format!("it is {state} and its history ends with {before:?}")
        });
        let ends = story::ends(history);
        self.hold(ends <= 1, Rule::OneEnd, || format!("it ended {ends} times"));
    }

    fn attempts(&mut self, case: &Case) {
        let mut attempt = 0;
        for step in &case.history {
            let expected = attempt + u32::from(step.to == "leased");
            let what = || {
                format!(
                    "attempt {} follows attempt {attempt} where it goes {}",
                    step.attempt,
                    told(step)
                )
            };
            self.hold(step.attempt == expected, Rule::AttemptsRise, what);
            attempt = step.attempt;
        }
        let (started, max) = (story::started(&case.history).len(), case.accepted.order.max_attempts);
        self.hold(started <= max as usize, Rule::AttemptsBounded, || {
            format!("{started} attempts began, and it allows {max}")
        });
    }

    fn effects(&mut self, case: &Case, job: &Job) {
        let (started, lost) = (story::started(&case.history), story::lost(&case.history));
        let succeeded_by = Some(job.attempt).filter(|_| job.has_succeeded());
        let mut done: BTreeSet<u32> = BTreeSet::new();
        for Effect { attempt, robot, .. } in &case.effects {
            self.hold(started.contains(attempt), Rule::EffectExplained, || {
                format!("{robot} did it as attempt {attempt}, which never began")
            });
            self.hold(done.insert(*attempt), Rule::EffectOnce, || {
                format!("{robot} did it twice in attempt {attempt}")
            });
        }
        // An attempt that was lost may have done its work: nobody can know. Any other has told how it ended.
        for attempt in done.iter().filter(|attempt| !lost.contains(attempt)) {
            let (rule, what) = match succeeded_by {
                Some(last) if last == *attempt => continue,
                Some(last) => (
                    Rule::EffectOnce,
                    format!("it was done in attempt {attempt} and again in attempt {last}, and no lease was lost"),
                ),
                None => (
                    Rule::EffectExplained,
                    format!("it was done in attempt {attempt}, and the job is {}", job.state),
                ),
            };
            self.hold(false, rule, || what);
        }
        if let Some(attempt) = succeeded_by {
            self.hold(done.contains(&attempt), Rule::EffectDone, || {
                format!("attempt {attempt} succeeded, and nothing was done")
            });
        }
    }

    fn robot(&mut self, case: &Case, job: &Job, evidence: &Evidence) {
        let can = job.robot.as_ref().and_then(|robot| evidence.capabilities.get(robot));
        let Some(can) = can else { return };
        let needed = &case.accepted.order.capabilities;
        let missing: Vec<&String> = needed.iter().filter(|needed| !can.contains(*needed)).collect();
        self.hold(missing.is_empty(), Rule::RobotCapable, || {
            format!("it went to a robot that lacks {missing:?}")
        });
    }
}

/// Whether the job ended because its last attempt was lost: it was hit by a kill once too often, and the sample could
/// not know.
fn spent_on_losses(case: &Case, job: &Job) -> bool {
    let spent = story::started(&case.history).len() == case.accepted.order.max_attempts as usize;
    let last_lost = story::lost(&case.history).contains(&job.attempt);
    job.state == "failed" && spent && last_lost
}

fn unseen(kill: &Kill, cases: &[Case]) -> Option<Violation> {
    let case = cases.iter().find(|case| case.accepted.id == kill.job);
    let seen = case.is_some_and(|case| {
        let cancelled = case.history.last().is_some_and(|step| step.to == "cancelled");
        cancelled || story::lost(&case.history).contains(&kill.attempt)
    });
    let what = || {
        format!(
            "{} was killed in attempt {}, and its history knows of no loss",
            kill.robot, kill.attempt
        )
    };
    (!seen).then(|| Violation::of_job(Rule::KillSeen, &kill.job, what()))
}

fn is_edge(step: &Transition) -> bool {
    let Some(from) = step.from.as_deref() else {
        return step.seq == 1 && matches!(step.to.as_str(), "scheduled" | "ready");
    };
    EDGES
        .iter()
        .any(|(state, next)| *state == from && next.contains(&step.to.as_str()))
}

fn result_number(job: &Job) -> Option<u64> {
    let result: serde_json::Value = serde_json::from_str(job.result.as_ref()?.get()).ok()?;
    result["number"].as_u64()
}

fn told(step: &Transition) -> String {
    let from = step.from.as_deref().unwrap_or("nowhere");
    format!("from {from} to {}", with_reason(&step.to, step.reason.as_deref()))
}

fn with_reason(state: &str, reason: Option<&str>) -> String {
    reason.map_or_else(|| state.to_owned(), |reason| format!("{state} ({reason})"))
}

#[cfg(test)]
mod tests;
