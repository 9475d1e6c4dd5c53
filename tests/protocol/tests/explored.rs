//! Small numbers of everything, explored to the last state. What was explored is printed: `--no-capture` shows it.

use std::{collections::BTreeSet, sync::Arc};

use protocol_model::{
    limits::Limits,
    world::{Protocol, Seen},
};
use stateright::{Checker, Expectation, Model, Property};

/// One job and one robot, and nothing that goes wrong.
const CALM: Limits = Limits {
    jobs: 1,
    robots: 1,
    max_attempts: 2,
    calls: 1,
    leases: 0,
    syncs: 3,
    server_crashes: 0,
    robot_crashes: 0,
    lost_answers: 0,
    doubled_calls: 0,
    cancels: 0,
    dispatches: 0,
    sweeps: 0,
    guards: true,
};

/// A lease that may run out, once.
const ONE_LEASE: Limits = Limits {
    leases: 1,
    sweeps: 1,
    ..CALM
};

const EXPLORED: [(&str, Limits); 8] = [
    (
        "a call that comes twice, beside another",
        Limits {
            calls: 2,
            doubled_calls: 1,
            ..ONE_LEASE
        },
    ),
    (
        "a server that dies and an answer that is lost",
        Limits {
            syncs: 4,
            server_crashes: 1,
            lost_answers: 1,
            ..ONE_LEASE
        },
    ),
    (
        "a robot that dies twice",
        Limits {
            leases: 2,
            sweeps: 2,
            syncs: 6,
            robot_crashes: 2,
            ..CALM
        },
    ),
    (
        "two robots, one of them slow",
        Limits {
            robots: 2,
            syncs: 4,
            ..ONE_LEASE
        },
    ),
    (
        "two robots and a dispatch that race",
        Limits {
            robots: 2,
            calls: 2,
            syncs: 2,
            dispatches: 1,
            ..CALM
        },
    ),
    (
        "two jobs, two robots and a dispatch",
        Limits {
            jobs: 2,
            robots: 2,
            dispatches: 1,
            ..CALM
        },
    ),
    (
        "a cancel that races with everything",
        Limits {
            calls: 2,
            cancels: 1,
            ..ONE_LEASE
        },
    ),
    (
        "one attempt, whatever happens to it",
        Limits {
            max_attempts: 1,
            calls: 2,
            robot_crashes: 1,
            ..ONE_LEASE
        },
    ),
];

/// What an exploration came by.
#[derive(Default)]
struct Reached {
    states: BTreeSet<&'static str>,
    seen: BTreeSet<Seen>,
}

#[test]
fn every_rule_holds_in_every_state_and_every_state_is_reached() {
    let mut reached = Reached::default();
    for (name, limits) in EXPLORED {
        let model = model(limits);
        let seen = Arc::clone(&model.seen);
        let checker = model.checker().threads(2).spawn_bfs().join();
        println!(
            "{name}: {} states, {} of them different, {} steps deep",
            checker.state_count(),
            checker.unique_state_count(),
            checker.max_depth()
        );
        for property in properties() {
            let found = checker.discovery(property.name);
            match property.expectation {
                Expectation::Sometimes => reached.states.extend(found.map(|_| property.name)),
                _ => assert!(found.is_none(), "{name}: {} does not hold:\n{found:#?}", property.name),
            }
        }
        reached.seen.extend(seen.lock().expect("nobody panics with it").iter());
    }
    let sometimes = properties()
        .into_iter()
        .filter(|property| property.expectation == Expectation::Sometimes);
    let missing: Vec<&str> = sometimes
        .map(|property| property.name)
        .filter(|name| !reached.states.contains(name))
        .collect();
    assert_eq!(missing, [""; 0], "these are never reached");
    let missing: Vec<Seen> = Seen::ALL.into_iter().filter(|it| !reached.seen.contains(it)).collect();
    assert_eq!(missing, [], "these never happen");
}

#[test]
fn without_the_guard_of_versions_a_rule_is_broken() {
    let limits = Limits {
        robots: 2,
        calls: 2,
        syncs: 2,
        guards: false,
        ..CALM
    };
    let checker = model(limits).checker().threads(2).spawn_bfs().join();
    let broken: Vec<&str> = properties()
        .into_iter()
        .filter(|property| property.expectation == Expectation::Always)
        .map(|property| property.name)
        .filter(|name| checker.discovery(name).is_some())
        .collect();
    assert!(broken.contains(&"nothing happened that must not"), "{broken:?}");
}

fn model(limits: Limits) -> Protocol {
    Protocol {
        limits,
        seen: Arc::default(),
    }
}

fn properties() -> Vec<Property<Protocol>> {
    protocol_model::properties::all()
}
