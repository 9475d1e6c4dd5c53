//! The Lambda function that operators call.

use app::start;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    let (router, _) = control::router(app.clone());
    start::serve(router, &app).await
}
