//! The event that each function is measured with, out of `events/`.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::Value;

/// Which sample each function gets, and the HTTP status of a right answer.
const SAMPLES: [(&str, &str, Option<u64>); 6] = [
    ("submit", "good", Some(201)),
    ("dispatch", "schedule", None),
    ("robot-callback", "register", Some(201)),
    ("timeout-sweep", "schedule", None),
    ("control", "list", Some(200)),
    ("migrate", "state", None),
];

/// The idempotency key of the sample, which would make each submit after the first a replay.
const SAME: &str = "october";

/// An event to be sent again and again.
pub(crate) struct Sample {
    text: String,
    status: Option<u64>,
    sent: u32,
}

impl Sample {
    /// The sample of `function`, sent with `key`.
    pub(crate) fn of(function: &str, key: &str) -> anyhow::Result<Self> {
        let found = SAMPLES.iter().find(|(name, ..)| *name == function);
        let (_, case, status) = found.with_context(|| format!("{function} has no sample"))?;
        let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
        let file = events.join(function).join(case).with_extension("json");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self {
            text: text.replace("Bearer KEY", &format!("Bearer {key}")),
            status: *status,
            sent: 0,
        })
    }

    /// An event for a function that looks at none.
    pub(crate) fn nothing() -> Self {
        Self {
            text: "{}".to_owned(),
            status: None,
            sent: 0,
        }
    }

    /// The next event, which asks for something new.
    pub(crate) fn event(&mut self) -> String {
        self.sent += 1;
        self.text.replace(SAME, &format!("{SAME}-{}", self.sent))
    }

    /// Whether `answer` is a right one: what is measured is no refusal.
    pub(crate) fn check(&self, answer: &[u8]) -> anyhow::Result<()> {
        let answer: Value = serde_json::from_slice(answer).context("the answer is no JSON")?;
        let status = answer["statusCode"].as_u64();
        ensure!(status == self.status, "the answer is not the right one: {answer}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builds::FUNCTIONS;

    #[test]
    fn every_function_has_a_sample_with_the_key_in_it() {
        for function in FUNCTIONS {
            let mut sample = Sample::of(function, "rk_1").expect("a sample");
            let event: Value = serde_json::from_str(&sample.event()).expect("JSON");
            let key = event["headers"]["authorization"].as_str();
            assert_eq!(key, sample.status.map(|_| "Bearer rk_1"), "{function}");
        }
    }

    #[test]
    fn no_event_is_a_replay_of_the_one_before() {
        let mut sample = Sample::of("submit", "rk_1").expect("a sample");
        assert_ne!(sample.event(), sample.event());
    }

    #[test]
    fn a_refusal_is_not_measured() {
        let sample = Sample::of("submit", "rk_1").expect("a sample");
        assert!(sample.check(br#"{"statusCode":201}"#).is_ok());
        assert!(sample.check(br#"{"statusCode":503}"#).is_err());
        assert!(sample.check(b"").is_err());
    }
}
