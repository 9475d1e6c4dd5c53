//! What stands for AWS: what is named, or else started here and gone when this process is.

use std::fmt::Display;
use std::thread;

use servers::{DynamoDb, Sqs};

use super::{AwsLocal, of_server};
use crate::failure::Failure;
use crate::output::Output;

/// A `DynamoDB` and an SQS.
pub(super) struct Parts {
    dynamodb: Part<DynamoDb>,
    sqs: Part<Sqs>,
}

enum Part<Ours> {
    Named(String),
    Ours(Ours),
}

impl Parts {
    /// Both, started at once where they are not named.
    pub(super) fn up(local: &AwsLocal, output: Output) -> Result<Self, Failure> {
        output.hint("starting what stands for AWS …");
        let (dynamodb, sqs) = thread::scope(|scope| {
            let dynamodb = scope.spawn(|| named_or(local.dynamodb.as_deref(), DynamoDb::start));
            let sqs = named_or(local.sqs.as_deref(), Sqs::start);
            (dynamodb.join().expect("starting it returns its errors"), sqs)
        });
        Ok(Parts {
            dynamodb: dynamodb?,
            sqs: sqs?,
        })
    }

    /// The endpoint of `DynamoDB`.
    pub(super) fn dynamodb(&self) -> String {
        match &self.dynamodb {
            Part::Named(endpoint) => endpoint.clone(),
            Part::Ours(server) => server.endpoint(),
        }
    }

    /// The endpoint of SQS.
    pub(super) fn sqs(&self) -> String {
        match &self.sqs {
            Part::Named(endpoint) => endpoint.clone(),
            Part::Ours(server) => server.endpoint(),
        }
    }
}

fn named_or<Ours, Error: Display>(
    named: Option<&str>,
    start: impl FnOnce() -> Result<Ours, Error>,
) -> Result<Part<Ours>, Failure> {
    match named.filter(|endpoint| !endpoint.is_empty()) {
        Some(endpoint) => Ok(Part::Named(endpoint.trim_end_matches('/').to_owned())),
        None => start().map(Part::Ours).map_err(of_server),
    }
}
