//! The Lambda function that takes jobs in.

use app::start;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    start::serve(submit::routes(app.clone()), &app).await
}
