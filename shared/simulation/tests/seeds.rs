//! Seeds that every change has to stand, and that the simulation is worth something.
//!
//! `REMUDA_SEEDS=n` tries `n` more, from another place each day.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use domain::job::StateName;
use simulation::{
    plan::{Plan, Trouble},
    run::{self, Outcome},
};

/// How many seeds every change has to stand.
const SEEDS: u64 = 2_000;

/// Steps that are so rare that some hundred seeds need not meet them.
const RARE: [(Option<StateName>, StateName); 1] = [(Some(StateName::Leased), StateName::Failed)];

#[test]
fn two_thousand_seeds_break_no_rule() {
    let failures = failures(0..SEEDS);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn as_many_seeds_as_asked_for_break_no_rule() {
    let more = std::env::var("REMUDA_SEEDS").ok().and_then(|text| text.parse().ok());
    let day = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs()
        / 86_400;
    let from = day * 1_000_000;
    let failures = failures(from..from + more.unwrap_or(0));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
    for seed in 0..200 {
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

/// What the seeds of `range` broke, a line a seed.
fn failures(range: std::ops::Range<u64>) -> Vec<String> {
    let (next, failures) = (AtomicU64::new(range.start), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !range.contains(&seed) {
                        return;
                    }
                    let Outcome { violations, .. } = run::run(&Plan::of(seed), false);
                    if !violations.is_empty() {
                        let line = format!("seed {seed}: {}", violations.join("; "));
                        failures.lock().expect("nobody panics with it").push(line);
                    }
                }
            });
        }
    });
    failures.into_inner().expect("nobody panics with it")
}
