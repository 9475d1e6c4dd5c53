//! The memory store keeps every promise of the seam.

use queue::memory::MemoryStore;
use queue_conformance::Fixture;

#[expect(clippy::unused_async, reason = "every store is made alike")]
async fn in_memory() -> Fixture {
    Fixture::new(MemoryStore::new())
}

queue_conformance::store_suite!(memory, in_memory);
