//! The job that everybody runs: it does nothing, and carries 200 bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The size of a payload as compact JSON.
pub const PAYLOAD_BYTES: usize = 200;

/// As many digits as a time of this century has, so that all payloads are of one size.
const TIMELESS: u64 = 1_000_000_000_000_000;

/// What is left for the text.
const TEXT_BYTES: usize = PAYLOAD_BYTES - r#"{"at":1000000000000000,"text":""}"#.len();

/// What a job carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// When it was submitted, in microseconds since 1970, or a number that means no time.
    pub at: u64,
    /// What makes it 200 bytes long.
    pub text: String,
}

impl Payload {
    /// A payload that tells no time.
    pub fn timeless() -> Self {
        Self::of(TIMELESS)
    }

    /// A payload that tells the time that it is now.
    pub fn now() -> Self {
        Self::of(now_us())
    }

    /// Some payloads that tell no time.
    pub fn many(count: usize) -> Vec<Self> {
        vec![Self::timeless(); count]
    }

    fn of(at: u64) -> Self {
        Self {
            at,
            text: "x".repeat(TEXT_BYTES),
        }
    }

    /// How long ago it was submitted, in microseconds, if it tells.
    pub(crate) fn age_us(at: u64) -> Option<u64> {
        (at != TIMELESS).then(|| now_us().saturating_sub(at))
    }
}

/// All processes of a run read the one clock of their machine.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(TIMELESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_has_the_same_size() {
        for payload in [Payload::timeless(), Payload::now()] {
            let text = serde_json::to_string(&payload).expect("is JSON");
            assert_eq!(text.len(), PAYLOAD_BYTES);
        }
    }
}
