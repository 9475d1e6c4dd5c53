//! Whether a run kept what the product promises: evidence in, defects out. Pure.
//!
//! The rules are written from the contract, and share nothing with the code that keeps them.

mod job;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::effects::Mark;
use crate::evidence::{Evidence, Found};
use crate::order::LABEL;
use crate::record::Event;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A job that was acknowledged is not there.
    Lost,
    /// A job is there that nobody attempted to submit.
    Unexpected,
    /// One key gave two jobs.
    TwoForOneKey,
    /// A submit or a cancel was refused that nothing is wrong with.
    Refused,
    /// A job is not over, long after faults stopped.
    Unfinished,
    /// A history has a gap, steps that do not join, or two ends.
    HistoryBroken,
    /// More attempts began than the job allows.
    TooManyAttempts,
    /// One attempt was begun twice.
    BegunTwice,
    /// An effect came twice, and no lost lease explains it.
    EffectTwice,
    /// A job succeeded, and its effect is not there.
    EffectMissing,
    /// An attempt ran, or had an effect, of which the server knows nothing.
    EffectUnexplained,
    /// A job that is to end when its robot is lost was given to another one.
    WentOnAfterLoss,
    /// A job ended in a way in which its kind cannot end.
    EndedOtherwise,
    /// A job whose cancelling was acknowledged did not stay cancelled.
    CancelUndone,
    /// A result is not that of the job and its last attempt.
    ResultOfAnother,
    /// A robot was given what it cannot do.
    NotCapable,
    /// A server or a robot ended by itself, or not when it was told to.
    ProcessEnded,
    /// The audit of the store found something.
    Audit,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// Which promise it breaks.
    pub rule: Rule,
    /// The job that it is about, if it is about one.
    pub job: Option<String>,
    /// What was seen, for people.
    pub what: String,
}

impl Defect {
    fn of_run(rule: Rule, what: impl Into<String>) -> Defect {
        Defect {
            rule,
            job: None,
            what: what.into(),
        }
    }

    fn of_job(rule: Rule, job: &str, what: impl Into<String>) -> Defect {
        Defect {
            rule,
            job: Some(job.to_owned()),
            what: what.into(),
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.job {
            Some(job) => write!(f, "{:?}: job {job}: {}", self.rule, self.what),
            None => write!(f, "{:?}: {}", self.rule, self.what),
        }
    }
}

/// Everything that is wrong.
pub(crate) fn check(evidence: &Evidence) -> Vec<Defect> {
    let mut defects = of_entries(evidence);
    defects.extend(of_keys(evidence));
    let by_job = marks_by_job(evidence);
    let cancelled = cancelled(evidence);
    for found in &evidence.jobs {
        let marks = by_job.get(found.job.id.as_str()).map_or(&[][..], Vec::as_slice);
        let Some(order) = order_of(found).and_then(|number| evidence.orders.get(&number)) else {
            let what = format!("nobody submitted it ({:?}, {})", found.job.labels, found.job.state);
            defects.push(Defect::of_job(Rule::Unexpected, &found.job.id, what));
            continue;
        };
        let case = job::Case {
            order,
            found,
            marks,
            was_cancelled: cancelled.contains(&order.number),
            capabilities: &evidence.capabilities,
        };
        defects.extend(case.check());
    }
    defects.extend(strays(evidence, &by_job));
    defects.extend(evidence.audit.iter().map(|fault| Defect::of_run(Rule::Audit, fault)));
    defects
}

/// The number of the order that the job says it came from.
pub(crate) fn order_of(found: &Found) -> Option<u64> {
    found.job.labels.get(LABEL)?.parse().ok()
}

/// What submitters and processes met.
fn of_entries(evidence: &Evidence) -> Vec<Defect> {
    let defect = |event: &Event| match event {
        Event::Refused { order, why } => Some(Defect::of_run(
            Rule::Refused,
            format!("order {order} was refused: {why}"),
        )),
        Event::Ended {
            name,
            how,
            expected: false,
        } => Some(Defect::of_run(Rule::ProcessEnded, format!("{name}: {how}"))),
        _ => None,
    };
    evidence
        .entries
        .iter()
        .filter_map(|entry| defect(&entry.event))
        .collect()
}

/// Each acknowledged job is there, and each key gave one.
fn of_keys(evidence: &Evidence) -> Vec<Defect> {
    let mut by_order: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for found in &evidence.jobs {
        if let Some(number) = order_of(found) {
            by_order.entry(number).or_default().insert(&found.job.id);
        }
    }
    let there: BTreeSet<&str> = evidence.jobs.iter().map(|found| found.job.id.as_str()).collect();
    let mut defects = Vec::new();
    for (order, job) in acknowledged(evidence) {
        if !there.contains(job) {
            let what = format!("order {order} was acknowledged as this job, which is not there");
            defects.push(Defect::of_job(Rule::Lost, job, what));
        }
        by_order.entry(order).or_default().insert(job);
    }
    let doubled = by_order.into_iter().filter(|(_, jobs)| jobs.len() > 1);
    defects.extend(doubled.map(|(order, jobs)| {
        let what = format!("order {order} is more than one job: {jobs:?}");
        Defect::of_run(Rule::TwoForOneKey, what)
    }));
    defects
}

/// What was acknowledged: orders and their jobs, each pair once.
pub(crate) fn acknowledged(evidence: &Evidence) -> BTreeSet<(u64, &str)> {
    let pairs = evidence.entries.iter().filter_map(|entry| match &entry.event {
        Event::Acknowledged { order, job, .. } => Some((*order, job.as_str())),
        _ => None,
    });
    pairs.collect()
}

/// The orders of which a server said that they are cancelled.
fn cancelled(evidence: &Evidence) -> BTreeSet<u64> {
    let order = |event: &Event| match event {
        Event::Cancelled { order, state } if state == "cancelled" => Some(*order),
        _ => None,
    };
    evidence
        .entries
        .iter()
        .filter_map(|entry| order(&entry.event))
        .collect()
}

fn marks_by_job(evidence: &Evidence) -> BTreeMap<&str, Vec<&Mark>> {
    let mut by_job: BTreeMap<&str, Vec<&Mark>> = BTreeMap::new();
    for mark in &evidence.marks {
        by_job.entry(&mark.job).or_default().push(mark);
    }
    by_job
}

/// What was done for jobs that are not there.
fn strays(evidence: &Evidence, by_job: &BTreeMap<&str, Vec<&Mark>>) -> Vec<Defect> {
    let there: BTreeSet<&str> = evidence.jobs.iter().map(|found| found.job.id.as_str()).collect();
    let stray = by_job.iter().filter(|(job, _)| !there.contains(*job));
    let defect = |(job, marks): (&&str, &Vec<&Mark>)| {
        let what = format!("{} worked for it, and it is not there", marks[0].robot);
        Defect::of_job(Rule::EffectUnexplained, job, what)
    };
    stray.map(defect).collect()
}
