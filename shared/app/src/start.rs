//! How a function starts: settings, telemetry, the store, and then whatever it is for.

use axum::Router;
use lambda_http::{Error, lambda_runtime};

use crate::{gateway, http, settings::Settings, state::App, store::OpenStore, telemetry};

/// The app of a function, made once from the environment.
pub async fn app() -> Result<App, Error> {
    Ok(store_and_app().await?.1)
}

/// The app of a function, made once from the environment, and the store that it is on.
pub async fn store_and_app() -> Result<(OpenStore, App), Error> {
    let settings = Settings::from_env()?;
    telemetry::start(&settings);
    let store = OpenStore::open(&settings).await?;
    let app = App::on(&store, &settings);
    Ok((store, app))
}

/// Serves `router` as a Lambda function behind an HTTP API.
pub async fn serve(router: Router, app: &App) -> Result<(), Error> {
    lambda_runtime::run(gateway::service(http::finish(router, app))).await
}
