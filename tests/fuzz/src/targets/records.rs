//! What is read back from a store or a queue.

use std::fmt::Debug;

use domain::{Job, Queue, Robot};
use queue::{ApiKey, hints::HintMessage, mark, store::Lane};
use serde::{Serialize, de::DeserializeOwned};

/// The body of a record, of any kind: what is read is written so that it reads the same again.
pub fn record(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(job) = same::<Job>(text) {
        let _ = (job.next_timer(), job.is_dead_letter());
    }
    same::<Robot>(text);
    same::<Queue>(text);
    same::<ApiKey>(text);
    same::<HintMessage>(text);
    let lane = Lane::from_stored(text.to_owned());
    let _ = (lane.queue(), lane.target(), lane.class());
    let _ = mark::read(text);
}

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = serde_json::from_str(text).ok()?;
    let written = serde_json::to_string(&read).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, read);
    Some(read)
}
