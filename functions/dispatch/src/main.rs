//! The Lambda function that matches ready jobs with robots.

use app::start;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        dispatch::handle(&app, event.payload)
    }))
    .await
}
