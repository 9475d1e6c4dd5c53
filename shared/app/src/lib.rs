//! What the functions share: settings, telemetry, keys, forms, problems, metrics, health, and the `OpenAPI` document.
//!
//! It stands between HTTP and the queue. It decides nothing about a job, and keeps no secret where it could be printed.

pub mod auth;
pub mod canonical;
pub mod clock;
pub mod decimal;
pub mod fields;
pub mod form;
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
