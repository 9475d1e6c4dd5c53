//! A store whose calls go together keeps every promise that the one below keeps.

use std::sync::Arc;

use queue::{combine::Combined, memory::MemoryStore};
use queue_conformance::Fixture;

async fn combined() -> Fixture {
    Fixture::new(Combined::new(Arc::new(MemoryStore::new())))
}

mod seam {
    use super::combined;

    queue_conformance::store_suite!(memory, combined);
}

mod operations {
    use super::combined;

    queue_conformance::operation_suite!(memory, combined);
}
