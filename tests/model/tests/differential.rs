//! The same seeded run on memory and on each other store: the same answers, and the same jobs and robots, after each step.
//!
//! Some seeds are fixed; `REMUDA_SEEDS=n` tries `n` more. A failure names its seed and step.

use std::sync::Arc;

use model_tests::{
    book::Book,
    run::{more_seeds, steps},
    stores::{DynamoDb, Place, Postgres, Sqlite, block_on},
    world::World,
};
use queue::memory::MemoryStore;
use queue_conformance::audit;

/// How many steps each seed takes.
const STEPS: usize = 250;

/// Where seeds beyond the fixed ones begin.
const MORE_FROM: u64 = 1_000;

#[test]
fn sqlite_does_as_memory_does() {
    (0..3)
        .chain(MORE_FROM..MORE_FROM + more_seeds())
        .for_each(|seed| block_on(compare::<Sqlite>(seed)));
}

mod heavy {
    use super::*;

    #[test]
    fn postgres_does_as_memory_does() {
        (0..2)
            .chain(MORE_FROM..MORE_FROM + more_seeds())
            .for_each(|seed| block_on(compare::<Postgres>(seed)));
    }

    #[test]
    fn dynamodb_does_as_memory_does() {
        (0..1)
            .chain(MORE_FROM..MORE_FROM + more_seeds())
            .for_each(|seed| block_on(compare::<DynamoDb>(seed)));
    }
}

async fn compare<P: Place>(seed: u64) {
    let mut book = Book::default();
    let mut memory = World::new(Arc::new(MemoryStore::new()), seed);
    let mut other = World::new(P::store().await, seed);
    for (place, step) in steps(seed).take(STEPS).enumerate() {
        let Some(call) = book.call(&step) else { continue };
        let (expected, answer) = (memory.call(&call).await, other.call(&call).await);
        assert_eq!(answer, expected, "to {call:?}, step {place} of seed {seed}");
        book.hear(&call, &answer);
        let told = format!("after {call:?}, step {place} of seed {seed}");
        assert_eq!(jobs(&other).await, jobs(&memory).await, "{told}");
        assert_eq!(robots(&other).await, robots(&memory).await, "{told}");
    }
}

/// Every job with all that is stored of it: both worlds drew the same ids and tokens.
async fn jobs(world: &World) -> Vec<queue::JobView> {
    audit::all_jobs(&world.kit().engine, &world.kit().tenant).await
}

async fn robots(world: &World) -> Vec<domain::Robot> {
    audit::all_robots(&world.kit().engine, &world.kit().tenant).await
}
