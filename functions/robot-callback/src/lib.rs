//! Everything a robot says: that it is there, what it works on, how that went, and what it writes on the way.
//!
//! It reads what a robot sends, hands it to the queue, and answers. It never decides about a job, and never refuses a
//! robot for load.

mod finish;
mod notes;
mod register;
mod reports;
mod requests;
mod session;
mod sync;

use app::App;
use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::requests::{
    AssignedJob, FinishAnswer, FinishReport, HeldJob, LeaseReport, OpenSession, RegisterRobot, RegisteredRobot,
    ReleaseJob, ReportedError, ReportedProgress, RobotSettings, RunningJob, SessionOpened, SyncRequest, SyncResponse,
};

/// The routes, bare, and what they say of themselves.
pub fn router(app: App) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(register::register_robot))
        .routes(routes!(session::open_session))
        .routes(routes!(sync::sync))
        .routes(routes!(reports::finish_attempt))
        .routes(routes!(reports::release_job))
        .routes(routes!(notes::put_log))
        .routes(routes!(notes::put_checkpoint))
        .with_state(app)
        .split_for_parts()
}
