//! What job ids sort by: it decides between jobs of one moment.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use queue::{Clock, memory::MemoryStore};
use queue_conformance::kit::TestClock;

use crate::world::derived_ids;

/// For how many idempotency keys an id is known.
const ERAS: u32 = 64;

/// What the id of a job made at `created` as the `number`th sorts by: ids that nobody chose begin with their moment.
pub(crate) fn drawn(created: Duration, number: usize) -> (u64, usize) {
    let began = TestClock::default().now();
    let millis = (began + created).as_millis();
    (u64::try_from(millis).expect("a run begins after 1970"), number)
}

/// What the id of a job made with the idempotency key `key` sorts by.
pub(crate) fn derived(key: &str) -> (u64, usize) {
    static KNOWN: OnceLock<HashMap<String, u64>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let keys: Vec<String> = (0..ERAS)
            .flat_map(|era| (0..3).map(move |key| format!("key-{key}-{era}")))
            .collect();
        let ids = futures::executor::block_on(derived_ids(Arc::new(MemoryStore::new()), &keys));
        let first_bits = |id: domain::JobId| u64::try_from(id.0.as_u128() >> 80).expect("48 bits are left");
        keys.into_iter().zip(ids.into_iter().map(first_bits)).collect()
    });
    (known[key], 0)
}
