//! The operations keep every promise of the contract on DynamoDB.

mod common;

use queue_conformance::Fixture;

async fn on_dynamodb() -> Fixture {
    Fixture::new(common::new_store(common::options()).await)
}

queue_conformance::operation_suite!(dynamodb, on_dynamodb);
