//! What can go wrong, how often it does, and how often it did.

use std::sync::atomic::{AtomicU64, Ordering};

/// A way in which a store may let its caller down and still keep every promise of the seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// An error before anything was done.
    Refused,
    /// All was done, and the caller was told that the store is out of reach.
    Unanswered,
    /// Some of a batch was done, the rest was not, and the caller was told that the store is out of reach.
    CutShort,
    /// A conflict where there was none, and nothing written.
    Conflict,
    /// Not this call alone is refused: for a while every other one is.
    Throttled,
    /// An answer that takes its time.
    Slow,
    /// An index as it was when the same was last asked of it.
    Stale,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 7] = [
        Self::Refused,
        Self::Unanswered,
        Self::CutShort,
        Self::Conflict,
        Self::Throttled,
        Self::Slow,
        Self::Stale,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::CutShort => "cut-short",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Slow => "slow",
            Self::Stale => "stale",
        }
    }
}

/// How often each fault comes, of a thousand calls that it could come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates([u16; Fault::ALL.len()]);

impl Rates {
    /// None at all.
    pub const NONE: Self = Self([0; Fault::ALL.len()]);

    /// Enough of each that a short run meets all of them.
    pub const ROUGH: Self = Self([60, 60, 60, 60, 0, 0, 250]);

    /// These with another rate for `fault`.
    #[must_use]
    pub const fn with(mut self, fault: Fault, per_mille: u16) -> Self {
        self.0[fault as usize] = per_mille;
        self
    }

    /// How often `fault` comes, of a thousand calls.
    pub const fn of(&self, fault: Fault) -> u16 {
        self.0[fault as usize]
    }
}

/// How often each fault came.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; Fault::ALL.len()]);

impl Tally {
    pub(super) fn count(&self, fault: Fault) {
        self.0[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often `fault` came.
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize].load(Ordering::Relaxed)
    }

    /// How many faults came.
    pub fn all(&self) -> u64 {
        Fault::ALL.iter().map(|fault| self.of(*fault)).sum()
    }
}
