//! What must hold of one job, whatever happened around it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Defect, Rule};
use crate::effects::{Mark, What};
use crate::evidence::Found;
use crate::order::{Kind, Order};
use crate::story;

/// The reasons with which a job ends whose last attempt was lost.
const ENDED_BY_LOSS: [&str; 3] = ["lease_lost", "robot_restarted", "poison"];

/// One job, and all that is known of it.
pub(super) struct Case<'a> {
    pub(super) order: &'a Order,
    pub(super) found: &'a Found,
    pub(super) marks: &'a [&'a Mark],
    /// Whether a server said that it is cancelled.
    pub(super) was_cancelled: bool,
    pub(super) capabilities: &'a BTreeMap<String, Vec<&'static str>>,
}

impl Case<'_> {
    /// Everything that is wrong with it.
    pub(super) fn check(&self) -> Vec<Defect> {
        let parts = [
            self.of_end(),
            self.of_history(),
            self.of_attempts(),
            self.of_effects(),
            self.of_robots(),
        ];
        let defects = parts.into_iter().flatten();
        defects
            .map(|(rule, what)| Defect::of_job(rule, &self.found.job.id, self.told(&what)))
            .collect()
    }

    fn told(&self, what: &str) -> String {
        format!("order {} ({:?}): {what}", self.order.number, self.order.kind)
    }

    fn of_end(&self) -> Vec<(Rule, String)> {
        let job = &self.found.job;
        let mut defects = Vec::new();
        let ended = format!(
            "{} ({})",
            job.state,
            job.reason.as_deref().unwrap_or("without a reason")
        );
        if !story::is_end(&job.state) {
            let why = self.found.explanation.as_ref().map(ToString::to_string);
            let what = format!(
                "it is still {ended}, attempt {}: {}",
                job.attempt,
                why.unwrap_or_default()
            );
            return vec![(Rule::Unfinished, what)];
        }
        if !self.may_end_so() {
            defects.push((Rule::EndedOtherwise, format!("it ended {ended}, and cannot have")));
        }
        if self.was_cancelled && job.state != "cancelled" {
            defects.push((
                Rule::CancelUndone,
                format!("it was told to be cancelled, and is {ended}"),
            ));
        }
        if job.state == "succeeded" {
            let result = job.result.as_ref();
            let of = |name: &str| result.and_then(|result| result[name].as_u64());
            if of("order") != Some(self.order.number) || of("attempt") != Some(job.attempt.into()) {
                let what = format!("attempt {} of it succeeded, and its result is {result:?}", job.attempt);
                defects.push((Rule::ResultOfAnother, what));
            }
        }
        defects
    }

    /// Whether a job of its kind may end as it did, given what was lost and whether anybody cancelled it.
    fn may_end_so(&self) -> bool {
        let (order, job) = (self.order, &self.found.job);
        let lost = story::lost(&self.found.history);
        let reason = job.reason.as_deref().unwrap_or_default();
        match job.state.as_str() {
            "succeeded" => matches!(order.kind, Kind::Plain | Kind::Slow | Kind::Crashes | Kind::Flaky),
            "cancelled" => order.cancel,
            "timed_out" => order.kind == Kind::Stuck && reason == "run_timeout",
            "failed" if ENDED_BY_LOSS.contains(&reason) => {
                let spent = story::started(&self.found.history).len() >= order.max_attempts as usize;
                let enough = if reason == "poison" { 2 } else { 1 };
                lost.contains(&job.attempt) && lost.len() >= enough && (spent || order.fails_when_lost)
            }
            "failed" => match order.kind {
                // One that finds its robot gone fails.
                Kind::Hopeless | Kind::Lethal => reason == "application_error",
                Kind::Business => reason == "business_error",
                _ => false,
            },
            _ => false,
        }
    }

    fn of_history(&self) -> Vec<(Rule, String)> {
        let flaw = story::flaw(&self.found.history, &self.found.job.state);
        flaw.map(|flaw| (Rule::HistoryBroken, flaw)).into_iter().collect()
    }

    fn of_attempts(&self) -> Vec<(Rule, String)> {
        let history = &self.found.history;
        let (started, lost) = (story::started(history), story::lost(history));
        let mut defects = Vec::new();
        let begun: BTreeSet<u32> = self.attempts(What::Begun).collect();
        let most = started.len().max(begun.len());
        if most > self.order.max_attempts as usize {
            let what = format!("{most} attempts began, and it allows {}", self.order.max_attempts);
            defects.push((Rule::TooManyAttempts, what));
        }
        for attempt in &begun {
            if self.attempts(What::Begun).filter(|begun| begun == attempt).count() > 1 {
                defects.push((Rule::BegunTwice, format!("attempt {attempt} was begun twice")));
            }
        }
        let given_after = lost
            .first()
            .filter(|lost| history.iter().any(|step| step.attempt > **lost));
        if let Some(lost) = given_after.filter(|_| self.order.fails_when_lost) {
            let what = format!("it was to end when attempt {lost} was lost, and was given out again");
            defects.push((Rule::WentOnAfterLoss, what));
        }
        defects
    }

    fn of_effects(&self) -> Vec<(Rule, String)> {
        let (job, history) = (&self.found.job, &self.found.history);
        let (started, lost) = (story::started(history), story::lost(history));
        let mut defects = Vec::new();
        let all = self.attempts(What::Begun).chain(self.attempts(What::Done));
        for attempt in all.collect::<BTreeSet<u32>>() {
            if !started.contains(&attempt) {
                let what = format!("attempt {attempt} of it ran, and by its history never began");
                defects.push((Rule::EffectUnexplained, what));
            }
        }
        let succeeded_by = Some(job.attempt).filter(|_| job.state == "succeeded");
        // Where it was cancelled, or has not ended, the last attempt may have come so far.
        let open = Some(job.attempt).filter(|_| job.state == "cancelled" || !story::is_end(&job.state));
        let mut done = BTreeSet::new();
        for attempt in self.attempts(What::Done) {
            if !done.insert(attempt) {
                defects.push((Rule::EffectTwice, format!("attempt {attempt} did it twice")));
            } else if Some(attempt) != succeeded_by && Some(attempt) != open && !lost.contains(&attempt) {
                let what = format!("attempt {attempt} did it, was not lost, and did not succeed");
                let rule = if done.len() > 1 || succeeded_by.is_some() {
                    Rule::EffectTwice
                } else {
                    Rule::EffectUnexplained
                };
                defects.push((rule, what));
            }
        }
        if let Some(attempt) = succeeded_by.filter(|attempt| !done.contains(attempt)) {
            defects.push((
                Rule::EffectMissing,
                format!("attempt {attempt} succeeded, and nothing was done"),
            ));
        }
        defects
    }

    fn of_robots(&self) -> Vec<(Rule, String)> {
        let Some(needs) = self.order.needs else {
            return Vec::new();
        };
        let lacks = |mark: &&&Mark| {
            self.capabilities
                .get(&mark.robot)
                .is_none_or(|can| !can.contains(&needs))
        };
        let wrong = self.marks.iter().filter(|mark| mark.what == What::Begun).filter(lacks);
        wrong
            .map(|mark| {
                (
                    Rule::NotCapable,
                    format!("it needs {needs}, and {} began it", mark.robot),
                )
            })
            .collect()
    }

    fn attempts(&self, what: What) -> impl Iterator<Item = u32> {
        self.marks
            .iter()
            .filter(move |mark| mark.what == what)
            .map(|mark| mark.attempt)
    }
}
