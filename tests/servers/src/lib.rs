//! Starts real servers for tests, benches and demos: each on a free port, with its data in a temporary folder, and gone when its owner
//! is, even when that is killed.
//!
//! Postgres is Postgres, with `PgBouncer` before it where that is asked for; for AWS stand Amazon's own `DynamoDB` Local and a local SQS. It never starts anything less in the place of
//! these: what is missing is an error that says how to get it. Functions are run by `cargo lambda watch`, or all in one by
//! `remuda dev`.

mod account;
mod download;
mod dynamodb;
mod emulator;
mod folder;
mod keeper;
mod lambda;
mod npm;
mod pgbouncer;
mod pip;
mod port;
mod postgres;
mod program;
mod remuda;
mod service;
mod shared;
mod sqs;

pub use dynamodb::{DynamoDb, DynamoDbBuilder, TEST_DYNAMODB, shared_dynamodb};
pub use emulator::Emulator;
pub use lambda::{CARGO_LAMBDA, LambdaWatch, LambdaWatchBuilder, cargo, cargo_lambda, workspace_root, zig};
pub use pgbouncer::{PGBOUNCER, PgBouncer, PgBouncerBuilder, shared_pgbouncer};
pub use pip::python_package;
pub use postgres::{Builder, Cluster, Postgres, TEST_POSTGRES, shared};
pub use remuda::Remuda;
pub use service::Service;
pub use sqs::{Sqs, TEST_SQS, shared_sqs};
