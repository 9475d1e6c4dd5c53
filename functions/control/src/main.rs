//! The Lambda function that operators call.

use app::start;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    start::serve(control::routes(app.clone()), &app).await
}
