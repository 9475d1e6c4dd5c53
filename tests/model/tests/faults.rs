//! Whatever faults a store puts in: what was acknowledged is there, and once they stop everything ends.
//!
//! Some seeds are fixed; `REMUDA_SEEDS=n` tries `n` more. A failure names its seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use model_tests::{
    fleet::Fleet,
    run::more_seeds,
    stores::{Memory, Place, Sqlite, block_on},
};

/// Where seeds beyond the fixed ones begin.
const MORE_FROM: u64 = 1_000;

#[test]
fn everything_acknowledged_in_memory_is_there_and_ends() {
    (0..8)
        .chain(MORE_FROM..MORE_FROM + more_seeds())
        .for_each(run::<Memory>);
}

#[test]
fn everything_acknowledged_in_sqlite_is_there_and_ends() {
    (0..2).for_each(run::<Sqlite>);
}

fn run<P: Place>(seed: u64) {
    let run = || {
        block_on(async {
            let mut fleet = Fleet::new(P::store().await, seed).await;
            fleet.go_on(600).await;
            fleet.come_to_rest().await;
        });
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
        eprintln!("seed {seed} failed");
        resume_unwind(panic);
    }
}
