//! Jobs read from JSON lines, keyed so that a repeat doubles none, and packed into bulks that the server takes.

mod bulk;
mod keys;
mod reader;

pub(crate) use bulk::{Bulk, BulkPacker};
pub(crate) use keys::LineKeys;
pub(crate) use reader::{Line, Lines};

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A job as its author wrote it: values stay as they are, so that no number loses a digit on the way.
#[derive(Debug, Clone)]
pub(crate) struct WrittenJob(BTreeMap<String, Box<RawValue>>);

impl WrittenJob {
    /// The job in `text`; an error says what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text)
            .map(WrittenJob)
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => "a job is a JSON object".to_owned(),
                _ => format!("not JSON: {error}"),
            })
    }

    /// Takes the idempotency key out of the job.
    pub(crate) fn take_idempotency_key(&mut self) -> Result<Option<String>, String> {
        let Some(value) = self.0.remove("idempotency_key") else {
            return Ok(None);
        };
        serde_json::from_str(value.get()).map_err(|_| "idempotency_key is not a text".to_owned())
    }

    /// The job as JSON, with `key` as its idempotency key.
    fn with_idempotency_key(mut self, key: &str) -> String {
        let key = serde_json::value::to_raw_value(key).expect("a text is JSON");
        self.0.insert("idempotency_key".to_owned(), key);
        self.to_json()
    }

    /// The job as JSON on one line.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("JSON that was read can be written")
    }

    /// The same text for every way to write the same job.
    fn canonical(&self) -> String {
        serde_json::from_str::<serde_json::Value>(&self.to_json())
            .map_or_else(|_| self.to_json(), |value| value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_keeps_its_values_as_they_were_written() {
        let job = WrittenJob::parse(br#"{ "workflow": "w", "payload": 1.00000000000000000001 }"#).unwrap();
        assert_eq!(job.to_json(), r#"{"payload":1.00000000000000000001,"workflow":"w"}"#);
    }

    #[test]
    fn what_is_no_object_is_refused_in_plain_words() {
        assert_eq!(WrittenJob::parse(b"[1]").unwrap_err(), "a job is a JSON object");
        assert!(WrittenJob::parse(b"{").unwrap_err().starts_with("not JSON"));
        assert!(WrittenJob::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_idempotency_key_is_taken_out_of_the_job() {
        let mut job = WrittenJob::parse(br#"{"workflow":"w","idempotency_key":"k"}"#).unwrap();
        assert_eq!(job.take_idempotency_key(), Ok(Some("k".to_owned())));
        assert_eq!(job.to_json(), r#"{"workflow":"w"}"#);
        assert!(
            WrittenJob::parse(br#"{"idempotency_key":7}"#)
                .unwrap()
                .take_idempotency_key()
                .is_err()
        );
    }
}
