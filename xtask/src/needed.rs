//! The servers that the tests need, and `cargo-lambda`: one of each for a whole run, told to all test processes by variables.

use std::any::Any;
use std::env;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use servers::{CARGO_LAMBDA, DynamoDb, Postgres, Sqs, TEST_DYNAMODB, TEST_POSTGRES, TEST_SQS};

use crate::say;

/// A server that we started, held only to be dropped.
type Ours = Box<dyn Any + Send>;

/// The servers of a run; they go when this does.
pub(crate) struct Needed(Vec<Part>);

/// One server or program, and the variable by which test processes find it.
struct Part {
    variable: &'static str,
    address: String,
    _ours: Option<Ours>,
}

impl Needed {
    /// Brings all of them up at once. One that cannot be had fails a run in CI; elsewhere only the tests that need it will fail.
    pub(crate) fn up() -> anyhow::Result<Needed> {
        let starts: [fn() -> anyhow::Result<Part>; 4] = [postgres, dynamodb, sqs, cargo_lambda];
        let parts = thread::scope(|scope| {
            let starting = starts.map(|it| scope.spawn(it));
            starting.map(|it| it.join().expect("starting a server returns its errors"))
        });
        let mut up = Vec::new();
        for part in parts {
            match part {
                Ok(part) => up.push(part),
                Err(error) if in_ci() => return Err(error),
                Err(error) => say(&format!(
                    "going on without, so the tests that need it will fail: {error:#}"
                )),
            }
        }
        Ok(Needed(up))
    }

    /// Tells the command, and what it starts, where the servers are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.envs(self.0.iter().map(|it| (it.variable, &it.address)));
    }
}

fn postgres() -> anyhow::Result<Part> {
    bring_up("Postgres", TEST_POSTGRES, || {
        let server = Postgres::builder().quick().start()?;
        let version = server.sql("postgres", "show server_version")?;
        Ok((server.url("postgres"), version, Box::new(server)))
    })
}

fn dynamodb() -> anyhow::Result<Part> {
    bring_up("DynamoDB Local", TEST_DYNAMODB, || {
        let server = DynamoDb::start()?;
        server.call("ListTables", "{}")?;
        Ok((server.endpoint(), server.version(), Box::new(server)))
    })
}

fn sqs() -> anyhow::Result<Part> {
    bring_up("SQS", TEST_SQS, || {
        let server = Sqs::start()?;
        server.call("ListQueues", "{}")?;
        Ok((server.endpoint(), server.version(), Box::new(server)))
    })
}

fn cargo_lambda() -> anyhow::Result<Part> {
    if env::var_os(CARGO_LAMBDA).is_none() {
        say("cargo-lambda: looking for it …");
    }
    let program = servers::cargo_lambda().context("cargo-lambda cannot be had")?;
    say(&format!("cargo-lambda: {}", program.display()));
    Ok(Part {
        variable: CARGO_LAMBDA,
        address: program.to_string_lossy().into_owned(),
        _ours: None,
    })
}

/// The server that the caller's variable names, or else the one that is started, which gives its address, its version and itself.
fn bring_up(
    name: &str,
    variable: &'static str,
    start: impl FnOnce() -> anyhow::Result<(String, String, Ours)>,
) -> anyhow::Result<Part> {
    if let Ok(address) = env::var(variable) {
        say(&format!("{name}: the one that {variable} names"));
        return Ok(Part {
            variable,
            address,
            _ours: None,
        });
    }
    say(&format!("{name}: starting …"));
    let begun = Instant::now();
    let (address, version, ours) = start().with_context(|| format!("{name} cannot be had"))?;
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("{name}: {version} is up after {seconds:.1} s"));
    Ok(Part {
        variable,
        address,
        _ours: Some(ours),
    })
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|it| it == "true")
}
