//! How a function starts: settings, telemetry, the store, and then whatever it is for.

use axum::Router;
use lambda_http::Error;

use crate::{http, settings::Settings, state::App, telemetry};

/// The app of a function, made once from the environment.
pub async fn app() -> Result<App, Error> {
    let settings = Settings::from_env()?;
    telemetry::start(&settings);
    Ok(App::open(&settings).await?)
}

/// Serves `router` as a Lambda function behind an HTTP API.
pub async fn serve(router: Router, app: &App) -> Result<(), Error> {
    lambda_http::run(http::finish(router, app)).await
}
