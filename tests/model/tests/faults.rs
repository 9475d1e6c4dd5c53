//! Whatever faults a store puts in: what was acknowledged is there, and once they stop everything ends.
//!
//! Some seeds are fixed; `REMUDA_SEEDS=n` tries `n` more. A failure names its seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use model_tests::{
    fleet::Fleet,
    run::more_seeds,
    stores::{DynamoDb, Memory, Place, Sqlite, block_on},
};

/// How many steps a run takes before the faults stop.
const STEPS: usize = 600;

/// Where seeds beyond the fixed ones begin.
const MORE_FROM: u64 = 1_000;

#[test]
fn everything_acknowledged_in_memory_is_there_and_ends() {
    (0..8)
        .chain(MORE_FROM..MORE_FROM + more_seeds())
        .for_each(|seed| run::<Memory>(seed, STEPS));
}

#[test]
fn everything_acknowledged_in_sqlite_is_there_and_ends() {
    (0..2).for_each(|seed| run::<Sqlite>(seed, STEPS));
}

mod heavy {
    use super::*;

    #[test]
    fn everything_acknowledged_in_dynamodb_is_there_and_ends() {
        (0..1).for_each(|seed| run::<DynamoDb>(seed, 150));
    }
}

fn run<P: Place>(seed: u64, steps: usize) {
    let run = || {
        block_on(async {
            let mut fleet = Fleet::new(P::store().await, seed).await;
            fleet.go_on(steps).await;
            fleet.come_to_rest().await;
        });
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        eprintln!("seed {seed} failed");
        resume_unwind(panic);
    }
}
