//! What a run showed: every round, the medians, and how each contestant stands to the best peer and to the limit.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;

use super::contestant::{Contestant, Fence, Keeps};
use super::plan::Group;
use super::runs::Outcome;
use super::server::Setting;
use crate::figures::Spread;

/// All that is known after a run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) postgres: Vec<Setting>,
    pub(crate) rounds: usize,
    pub(crate) contestants: Vec<Taking>,
    pub(crate) results: Vec<Standing>,
}

/// Where it ran.
#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) system: &'static str,
}

/// A contestant, and whether it took part.
#[derive(Serialize)]
pub(crate) struct Taking {
    pub(crate) name: &'static str,
    pub(crate) version: Option<&'static str>,
    pub(crate) keeps: Keeps,
    pub(crate) fence: Fence,
    /// Why it did not take part.
    pub(crate) missing: Option<String>,
}

impl Taking {
    pub(crate) fn of(contestant: Contestant, missing: Option<String>) -> Self {
        let about = contestant.about();
        Self {
            name: about.name,
            version: about.version,
            keeps: about.keeps,
            fence: about.fence,
            missing,
        }
    }
}

/// How one contestant did in one measurement.
#[derive(Serialize)]
pub(crate) struct Standing {
    pub(crate) measurement: String,
    pub(crate) group: Group,
    pub(crate) contestant: &'static str,
    #[serde(skip)]
    pub(crate) who: Contestant,
    pub(crate) did: String,
    /// Jobs a second; where the time from submit to start is measured, those that were submitted.
    pub(crate) rate: Option<Spread>,
    /// Of single calls, claims or waits, in microseconds.
    pub(crate) p50_us: Option<Spread>,
    /// As above: one of a hundred is longer.
    pub(crate) p99_us: Option<Spread>,
    /// How often an idle worker asks, in microseconds: half of it is in the median of a wait.
    pub(crate) poll_us: u64,
    /// Jobs a second in the last tenth of the time, as a share of the steady state's without a held transaction.
    pub(crate) of_steady: Option<f64>,
    /// The p99 as a multiple of its own at the first backlog.
    pub(crate) of_least_backlog: Option<f64>,
    pub(crate) wal_bytes_per_job: Option<f64>,
    pub(crate) rows_died_per_job: Option<f64>,
    pub(crate) rows_dead_at_end: Option<f64>,
    /// As a multiple of the best peer that keeps finished jobs: rates where there are rates, medians of times elsewhere.
    pub(crate) of_best_keeping_peer: Option<f64>,
    /// As a multiple of SQL by hand.
    pub(crate) of_raw: Option<f64>,
    /// Why nothing was measured.
    pub(crate) without: Option<String>,
    pub(crate) rounds: Vec<Outcome>,
}

/// What rounds gave, before they are compared. Measurements stay in the order in which they were made.
#[derive(Default)]
pub(crate) struct Results {
    order: Vec<(String, Group)>,
    rounds: BTreeMap<(usize, usize), Vec<Outcome>>,
}

impl Results {
    pub(crate) fn add(&mut self, name: &str, group: Group, contestant: Contestant, outcome: Outcome) {
        let place = self.order.iter().position(|(known, _)| known == name);
        let place = place.unwrap_or_else(|| {
            self.order.push((name.to_owned(), group));
            self.order.len() - 1
        });
        let key = (place, rank(contestant));
        self.rounds.entry(key).or_default().push(outcome);
    }

    /// Every contestant's standing in every measurement.
    pub(crate) fn standings(self) -> Vec<Standing> {
        let contestants = Contestant::value_variants();
        let standing = |((place, rank), rounds): ((usize, usize), Vec<Outcome>)| {
            let (name, group) = &self.order[place];
            Standing::of(name, *group, contestants[rank], rounds)
        };
        let mut standings: Vec<Standing> = self.rounds.into_iter().map(standing).collect();
        compare(&mut standings);
        standings
    }
}

fn rank(contestant: Contestant) -> usize {
    let all = Contestant::value_variants();
    all.iter().position(|it| *it == contestant).unwrap_or(all.len())
}

impl Standing {
    fn of(name: &str, group: Group, who: Contestant, rounds: Vec<Outcome>) -> Self {
        let good: Vec<&Outcome> = rounds.iter().filter(|it| it.figures.rate().is_some()).collect();
        let spread = |pick: &dyn Fn(&Outcome) -> Option<f64>| {
            let figures: Vec<f64> = good.iter().filter_map(|it| pick(it)).collect();
            (!figures.is_empty()).then(|| Spread::of(figures))
        };
        let per_job = |pick: fn(&Outcome) -> i64| {
            let each = |it: &Outcome| (it.figures.jobs > 0).then(|| number(pick(it)) / jobs(it));
            spread(&each).filter(|_| group.is_all_counted()).map(|it| it.median)
        };
        let without = rounds
            .iter()
            .find_map(|it| it.failed.clone().or_else(|| it.figures.skipped.clone()));
        Self {
            measurement: name.to_owned(),
            group,
            contestant: who.name(),
            who,
            did: good.first().map(|it| it.figures.did.clone()).unwrap_or_default(),
            rate: spread(&|it| it.figures.rate().filter(|_| group != Group::Claim)),
            p50_us: spread(&|it| it.figures.latency.map(|it| micros(it.p50_us))),
            p99_us: spread(&|it| it.figures.latency.map(|it| micros(it.p99_us))),
            poll_us: good.first().map(|it| it.figures.poll_us).unwrap_or_default(),
            of_steady: None,
            of_least_backlog: None,
            wal_bytes_per_job: per_job(|it| it.wal_bytes),
            rows_died_per_job: per_job(|it| it.rows_died),
            rows_dead_at_end: spread(&|it| Some(number(it.rows_dead))).map(|it| it.median),
            of_best_keeping_peer: None,
            of_raw: None,
            without,
            rounds,
        }
    }

    /// What it is compared by: a rate, or a time in microseconds.
    pub(crate) fn figure(&self) -> Option<Spread> {
        if self.group.is_of_time() {
            self.p50_us
        } else {
            self.rate
        }
    }

    fn median(&self) -> Option<f64> {
        self.figure().map(|it| it.median)
    }

    /// Jobs a second in the last tenth of the time.
    fn last_rate(&self) -> Option<f64> {
        let lasts = self.rounds.iter().filter_map(|it| it.figures.rates.last().copied());
        let lasts: Vec<f64> = lasts.collect();
        (!lasts.is_empty()).then(|| Spread::of(lasts).median)
    }
}

/// Fills in how the standings stand to each other.
fn compare(standings: &mut [Standing]) {
    for place in 0..standings.len() {
        let this = &standings[place];
        let rivals: Vec<&Standing> = standings
            .iter()
            .filter(|it| it.measurement == this.measurement)
            .collect();
        let raw = rivals
            .iter()
            .find(|it| it.who == Contestant::Raw)
            .and_then(|it| it.median());
        let keeping = rivals.iter().filter(|it| it.who.is_peer_that_keeps());
        let keeping = keeping.filter_map(|it| it.median());
        // More jobs a second are better, and less time is.
        let best = if this.group.is_of_time() {
            keeping.min_by(f64::total_cmp)
        } else {
            keeping.max_by(f64::total_cmp)
        };
        let own = standings.iter().filter(|it| it.who == this.who);
        let least = own.clone().find(|it| it.group == Group::Claim).and_then(|it| it.p99_us);
        let steady = own.clone().find(|it| it.group == Group::Steady).and_then(|it| it.rate);
        let ratio = |of: Option<f64>| Some(this.median()? / of.filter(|it| *it > 0.0)?);
        let (of_raw, of_best) = (ratio(raw), ratio(best));
        let is = |group| (this.group == group).then_some(());
        let of_least = is(Group::Claim).and_then(|()| Some(this.p99_us?.median / least?.median));
        let of_steady = is(Group::Held).and_then(|()| Some(this.last_rate()? / steady?.median));
        let this = &mut standings[place];
        (this.of_raw, this.of_best_keeping_peer) = (of_raw, of_best);
        (this.of_least_backlog, this.of_steady) = (of_least, of_steady);
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(count: i64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn jobs(outcome: &Outcome) -> f64 {
    outcome.figures.jobs as f64
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn micros(time: u64) -> f64 {
    time as f64
}

#[cfg(test)]
mod tests {
    use bench_driver::{Figures, Latency};

    use super::*;

    fn rate(jobs: u64) -> Outcome {
        Outcome {
            figures: Figures {
                jobs,
                seconds: 1.0,
                ..Figures::default()
            },
            wal_bytes: 3_000,
            ..Outcome::default()
        }
    }

    fn wait(p50_us: u64) -> Outcome {
        let mut outcome = rate(100);
        outcome.figures.latency = Some(Latency { p50_us, p99_us: p50_us });
        outcome
    }

    fn standings(outcomes: Vec<(&str, Group, Contestant, Outcome)>) -> Vec<Standing> {
        let mut results = Results::default();
        for (name, group, contestant, outcome) in outcomes {
            results.add(name, group, contestant, outcome);
        }
        results.standings()
    }

    #[test]
    fn it_is_compared_with_the_best_peer_that_keeps_jobs_and_with_the_limit() {
        let drain = |who, jobs| ("drain", Group::Drain, who, rate(jobs));
        let standings = standings(vec![
            drain(Contestant::Remuda, 300),
            drain(Contestant::Raw, 600),
            drain(Contestant::PgBoss, 100),
            drain(Contestant::ApalisPostgres, 150),
            // It deletes them.
            drain(Contestant::Pgmq, 1_000),
        ]);
        assert_eq!(standings[0].contestant, "remuda");
        assert_eq!(standings[0].of_best_keeping_peer, Some(2.0));
        assert_eq!(standings[0].of_raw, Some(0.5));
        assert_eq!(standings[0].wal_bytes_per_job, Some(10.0));
    }

    #[test]
    fn of_times_the_shortest_is_the_best() {
        let latency = |who, p50| ("wait", Group::Latency, who, wait(p50));
        let standings = standings(vec![
            latency(Contestant::Remuda, 300),
            latency(Contestant::PgBoss, 100),
            latency(Contestant::Awa, 600),
        ]);
        assert_eq!(standings[0].of_best_keeping_peer, Some(3.0));
    }

    #[test]
    fn of_several_rounds_the_median_counts_and_a_failure_is_told() {
        let steady = |outcome| ("steady", Group::Steady, Contestant::Raw, outcome);
        let failed = Outcome {
            failed: Some("no room".to_owned()),
            ..Outcome::default()
        };
        let standings = standings(vec![
            steady(rate(100)),
            steady(rate(900)),
            steady(rate(200)),
            steady(failed),
        ]);
        assert_eq!(standings[0].rate.map(|it| it.median), Some(200.0));
        assert_eq!(standings[0].without.as_deref(), Some("no room"));
    }

    #[test]
    fn a_claim_is_held_against_the_first_backlog_and_a_held_transaction_against_none() {
        let mut held = rate(50);
        held.figures.rates = vec![90.0, 40.0];
        let who = Contestant::Raw;
        let standings = standings(vec![
            ("claim of 10", Group::Claim, who, wait(100)),
            ("claim of 90", Group::Claim, who, wait(150)),
            ("steady", Group::Steady, who, rate(80)),
            ("held", Group::Held, who, held),
        ]);
        assert_eq!(standings[1].of_least_backlog, Some(1.5));
        assert_eq!(standings[3].of_steady, Some(0.5));
    }
}
