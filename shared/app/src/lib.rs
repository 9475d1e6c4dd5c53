//! What the functions share: settings, telemetry, keys, forms, problems, metrics, health, and the `OpenAPI` document.
//!
//! It stands between HTTP and the queue. It decides nothing about a job, and keeps no secret where it could be printed.

#[cfg(not(any(feature = "postgres", feature = "sqlite", feature = "sqs")))]
compile_error!("build in a store at least: --features sqs, postgres or sqlite");

pub mod auth;
pub mod canonical;
pub mod clock;
pub mod decimal;
pub mod emf;
pub mod fields;
pub mod form;
pub mod gateway;
pub mod health;
pub mod http;
pub mod json;
pub mod keys;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod settings;
pub mod start;
mod state;
mod store;
pub mod telemetry;
pub mod views;

pub use self::{
    problem::{Code, Problem},
    settings::Settings,
    state::App,
    store::{Migration, OpenStore, engine, migration_sql},
};
