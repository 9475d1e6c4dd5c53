//! The store on DynamoDB keeps every promise of the seam.

mod common;

use queue_conformance::Fixture;

async fn on_dynamodb() -> Fixture {
    Fixture::new(common::new_store(common::options()).await)
}

queue_conformance::store_suite!(dynamodb, on_dynamodb);
