//! Time that a test moves, and chance that comes from a seed.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::Timestamp;
use queue::{Clock, Entropy};
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The moment at which every test begins, in milliseconds since 1970.
const BEGINNING_MS: i64 = 1_790_000_000_000;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock {
    micros: AtomicI64,
}

impl TestClock {
    /// Moves the clock on by `time`.
    pub fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a test spans no more than some years");
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            micros: AtomicI64::new(Timestamp::from_millis(BEGINNING_MS).as_micros()),
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// A clock of another server: as far from the first as it is set.
pub(super) struct SkewedClock {
    pub(super) true_clock: Arc<TestClock>,
    pub(super) behind: Duration,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        self.true_clock.now() - self.behind
    }
}

/// Chance that is the same for the same seed.
///
/// Draws count up in the bytes that order the ids made of them, so that jobs made in one millisecond have ids in the order in
/// which they were made.
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<(u32, StdRng)>,
}

impl SeededEntropy {
    /// The draws of `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new((0, StdRng::seed_from_u64(seed))),
        }
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> [u8; 16] {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (drawn, generator) = &mut *state;
        *drawn += 1;
        let mut bytes: [u8; 16] = generator.random();
        bytes[..3].fill(0);
        bytes[3..7].copy_from_slice(&drawn.to_be_bytes());
        bytes
    }
}
