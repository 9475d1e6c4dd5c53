//! The memory store keeps every promise of the seam.

use queue::memory::MemoryStore;
use queue_conformance::Fixture;

async fn in_memory() -> Fixture {
    Fixture::new(MemoryStore::new())
}

queue_conformance::store_suite!(memory, in_memory);
