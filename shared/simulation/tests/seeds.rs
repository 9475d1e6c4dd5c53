//! Seeds that every change has to stand, and that the simulation is worth something.
//!
//! `REMUDA_SEEDS=n` tries `n` more, from another place each day.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use domain::job::StateName;
use simulation::{
    plan::{Plan, Trouble},
    run,
};

/// Steps that are so rare that some hundred seeds need not meet them.
const RARE: [(Option<StateName>, StateName); 1] = [(Some(StateName::Leased), StateName::Failed)];

// Four parts of the two thousand seeds that every change has to stand, so that they run beside each other.
#[test]
fn seeds_0_to_499_break_no_rule() {
    break_no_rule(0..500);
}

#[test]
fn seeds_500_to_999_break_no_rule() {
    break_no_rule(500..1_000);
}

#[test]
fn seeds_1000_to_1499_break_no_rule() {
    break_no_rule(1_000..1_500);
}

#[test]
fn seeds_1500_to_1999_break_no_rule() {
    break_no_rule(1_500..2_000);
}

#[test]
fn as_many_more_seeds_as_are_asked_for_break_no_rule() {
    let more: u64 = std::env::var("REMUDA_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let day = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
        / 86_400;
    let from = day * 1_000_000;
    break_no_rule(from..from + more);
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_last_line() {
    for seed in 0..12 {
        let [one, other] = [(); 2].map(|()| run::run(&Plan::of(seed), true));
        assert!(one.trace.len() > 50, "seed {seed} does something");
        let differs = one.trace.iter().zip(&other.trace).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.turns, other.turns, "seed {seed}");
    }
}

#[test]
fn every_trouble_comes_and_every_step_is_taken() {
    let mut troubles: BTreeMap<Trouble, u64> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    for seed in 0..400 {
        let outcome = run::run(&Plan::of(seed), false);
        for (trouble, count) in outcome.troubles {
            *troubles.entry(trouble).or_default() += count;
        }
        steps.extend(outcome.steps.into_keys());
    }
    let never: Vec<_> = Trouble::all()
        .filter(|trouble| troubles.get(trouble).is_none_or(|count| *count == 0))
        .collect();
    assert_eq!(never, [], "these never come");
    let missing: Vec<_> = run::edges()
        .filter(|edge| !steps.contains(edge) && !RARE.contains(edge))
        .collect();
    assert_eq!(missing, [], "these steps are never taken");
}

#[test]
fn without_trouble_nothing_is_lost_and_nothing_is_late() {
    for seed in 0..100 {
        let plan = Plan {
            troubles: Vec::new(),
            ..Plan::of(seed)
        };
        let outcome = run::run(&plan, false);
        assert_eq!(outcome.violations, [""; 0], "seed {seed}");
        assert!(outcome.troubles.values().all(|count| *count == 0), "seed {seed}");
    }
}

/// Runs each seed of `range`; fails with what they broke.
fn break_no_rule(range: std::ops::Range<u64>) {
    let broken: Vec<String> = range
        .map(|seed| (seed, run::run(&Plan::of(seed), false).violations))
        .filter(|(_, violations)| !violations.is_empty())
        .map(|(seed, violations)| format!("seed {seed}: {}", violations.join("; ")))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
