//! A local SQS: the package `local-aws-sqs` on Node, fetched once from npm, and a script of ours that mends what it does otherwise than
//! AWS.
//!
//! What stays otherwise than on AWS: a purge takes its full 60 seconds, a changed visibility counts as one more receive, no message
//! comes twice or out of order by itself, and nothing is throttled.

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::emulator::Emulator;
use crate::keeper::{Kind, surround};
use crate::npm::Package;
use crate::service::{Protocol, Service};
use crate::shared::Shared;
use crate::{folder, port, program};

/// Names the endpoint of a running SQS that tests share in place of one a process.
pub const TEST_SQS: &str = "REMUDA_TEST_SQS";

/// The oldest Node that the package runs on.
const NODE_VERSION_MIN: u32 = 18;

const PROTOCOL: Protocol = Protocol {
    target: "AmazonSQS",
    name: "sqs",
};

static KIND: Kind = Kind {
    name: "SQS",
    stopped_by: "KILL",
    is_up: |line| line == "sqs: ready",
    gave_up: |line| line.starts_with("sqs: cannot") || line.contains("Error:"),
    surround,
    hear: |_| {},
};

static PACKAGE: Package = Package {
    name: "local-aws-sqs",
    version: "2.0.2",
    manifest: include_str!("package.json"),
    lock: include_str!("package-lock.json"),
};

const SCRIPT: &str = include_str!("serve.js");

const HOW_TO_GET_IT: &str = "The local SQS is missing. It runs on Node 18 or later and is fetched once by npm (`apt-get install nodejs \
npm`, `brew install node`); tests take one that runs already if REMUDA_TEST_SQS names its endpoint";

/// A local SQS of our own: stopped, and its data removed, when dropped and when the process ends in any way. Stopped and started again
/// it has the same queues without their messages.
pub struct Sqs(Emulator);

impl Sqs {
    /// Starts one without queues; it takes connections when this returns.
    pub fn start() -> anyhow::Result<Sqs> {
        let parts = Parts::find().context(HOW_TO_GET_IT)?;
        port::with_free(|port| Sqs::start_on(port, &parts))
    }

    fn start_on(port: u16, parts: &Parts) -> anyhow::Result<Sqs> {
        let folder = folder::make("remuda-sqs-", None)?;
        let script = folder.path().join("serve.js");
        fs::write(&script, SCRIPT).context("cannot write the script of SQS")?;
        let mut serve = Command::new(&parts.node);
        serve
            .arg(script)
            .arg(&parts.package)
            .arg(port.to_string())
            .arg(folder.path().join("queues.json"));
        Emulator::start(PROTOCOL, &KIND, &PACKAGE, port, folder, &serve).map(Sqs)
    }
}

impl Deref for Sqs {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

/// What it takes to run SQS.
struct Parts {
    node: PathBuf,
    package: PathBuf,
}

impl Parts {
    fn find() -> anyhow::Result<Parts> {
        let new_enough = |it: &PathBuf| program::major_version(it, "--version") >= Some(NODE_VERSION_MIN);
        let node = program::on_path("node").into_iter().find(new_enough);
        Ok(Parts {
            node: node.context("no Node of version 18 or later")?,
            package: PACKAGE.fetched()?,
        })
    }
}

/// The SQS that the tests of this process share: the one that `REMUDA_TEST_SQS` names, or else one of this process. Tests keep apart by
/// the names of their queues.
pub fn shared_sqs() -> anyhow::Result<&'static Service> {
    static SHARED: Shared<Service, Emulator> = Shared::new();
    SHARED.reach(
        TEST_SQS,
        |endpoint| Service::at(PROTOCOL, endpoint),
        || Ok(Sqs::start()?.0),
    )
}
