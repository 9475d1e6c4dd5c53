//! The Lambda function that fires every timer that is due.

use app::start;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| timeout_sweep::handle(&app))).await
}
