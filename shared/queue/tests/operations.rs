//! The operations keep every promise of the contract on the memory store.

use queue::memory::MemoryStore;
use queue_conformance::Fixture;

#[expect(clippy::unused_async, reason = "every store is made alike")]
async fn in_memory() -> Fixture {
    Fixture::new(MemoryStore::new())
}

queue_conformance::operation_suite!(memory, in_memory);
