//! Random lives of a job: whatever happens in whatever order, the invariants hold after every step.

mod invariants;
mod liveness;
mod steps;
mod walk;

use std::collections::BTreeSet;

use domain::job::{Reason, StateName};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use self::{
    steps::{SKEW_MAX, life, life_at},
    walk::Walk,
};

proptest! {
    #[test]
    fn whatever_happens_every_invariant_holds_after_every_step(life in life()) {
        Walk::watch(&life);
    }

    #[test]
    fn clocks_that_are_apart_break_nothing(life in life_at(SKEW_MAX)) {
        Walk::watch(&life);
    }

    #[test]
    fn a_job_that_nobody_takes_ends_or_waits_ready_in_a_few_ticks(life in life()) {
        liveness::nobody_answers(Walk::after(&life));
    }

    #[test]
    fn a_job_whose_leases_never_start_ends(life in life()) {
        liveness::nobody_begins(Walk::after(&life));
    }

    #[test]
    fn a_job_whose_robots_are_all_lost_ends(life in life()) {
        liveness::everybody_is_lost(Walk::after(&life));
    }

    #[test]
    fn a_job_that_a_robot_takes_and_does_succeeds_unless_it_is_over_or_given_up(life in life()) {
        liveness::somebody_does_it(Walk::after(&life));
    }
}

/// Shows that the properties above speak of something.
#[test]
fn the_walks_come_by_every_state_and_every_reason() {
    const WALKS: usize = 1_000;
    let mut runner = TestRunner::deterministic();
    let mut seen: (BTreeSet<StateName>, BTreeSet<Reason>) = <_>::default();
    for _ in 0..WALKS {
        let life = life().new_tree(&mut runner).expect("nothing is filtered").current();
        for step in &Walk::after(&life).job.history {
            seen.0.insert(step.to);
            seen.1.extend(step.reason);
        }
    }
    assert_eq!(seen.0, BTreeSet::from(StateName::ALL));
    // Undeliverable takes ten leases in a row that nobody begins, which liveness walks on purpose.
    assert_eq!(
        seen.1,
        REASONS
            .into_iter()
            .filter(|reason| *reason != Reason::Undeliverable)
            .collect()
    );
}

/// Every reason; one that is missing here fails the test above as soon as a walk comes by it.
const REASONS: [Reason; 14] = [
    Reason::RetryBackoff,
    Reason::LeaseLost,
    Reason::RobotRestarted,
    Reason::Released,
    Reason::RunTimeout,
    Reason::QueueTimeout,
    Reason::Deadline,
    Reason::ApplicationError,
    Reason::BusinessError,
    Reason::Poison,
    Reason::Undeliverable,
    Reason::CancelledByClient,
    Reason::CancelledByRobot,
    Reason::Replaced,
];
