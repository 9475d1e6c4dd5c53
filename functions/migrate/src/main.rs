//! The Lambda function that brings a store up to date, and makes the first key.

use app::start;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (store, app) = start::store_and_app().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        migrate::handle(&store, &app, event.payload)
    }))
    .await
}
