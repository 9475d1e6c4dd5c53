//! Long seeded runs: the same steps for the same seed, on every store.

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::step::{Step, step};

/// The steps of `seed`, without end.
pub fn steps(seed: u64) -> impl Iterator<Item = Step> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let steps = step();
    std::iter::from_fn(move || Some(steps.new_tree(&mut runner).expect("every step can be drawn").current()))
}

/// How many seeds beyond the fixed ones `REMUDA_SEEDS` asks for.
pub fn more_seeds() -> u64 {
    std::env::var("REMUDA_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
