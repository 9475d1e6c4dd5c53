//! The Lambda function that robots call.

use app::start;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = start::app().await?;
    start::serve(robot_callback::routes(app.clone()), &app).await
}
