//! The Terraform in `infra/`, held to the code that it deploys: its routes, its table, its policies, and that it is valid.
//!
//! What needs a program that is not here, `terraform`, a provider, `checkov`, says `NOT RUN` and why. It never takes a look at
//! less for a look at all.

mod checkov;
mod configuration;
mod permissions;
mod place;
mod plan;
mod terraform;

pub use checkov::checkov;
pub use configuration::{Index, Routes, Table, routes, table};
pub use permissions::{Statement, of_function, refused, told};
pub use place::{infra, not_run, package};
pub use plan::{planned, policies};
pub use terraform::{Check, Terraform};

/// How many alarms there are on DynamoDB and SQS, and on Postgres: each is paid for, and a test counts them in the plan.
pub const ALARMS: [(&str, u32); 2] = [("sqs", 26), ("postgres", 22)];
