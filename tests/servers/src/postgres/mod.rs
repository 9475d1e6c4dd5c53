//! Postgres: one for a test that stops it, one shared by all others.

mod binaries;
mod cluster;
mod wheel;

use std::ops::Deref;
use std::path::Path;
use std::process::Command;

use binaries::Binaries;
pub use cluster::Cluster;

use crate::account::{self, Account};
use crate::keeper::{Keeper, Kind, surround};
use crate::shared::Shared;
use crate::{folder, port};

/// Names the URL of a running Postgres, its user an administrator, that tests share in place of one a process.
pub const TEST_POSTGRES: &str = "REMUDA_TEST_POSTGRES";

static KIND: Kind = Kind {
    name: "Postgres",
    // QUIT stops it at once. TERM is for one too young to have set its handlers: a shell starts it with QUIT ignored.
    stopped_by: "QUIT TERM",
    is_up: |line| line.ends_with("database system is ready to accept connections"),
    gave_up,
    surround,
    hear: |_| {},
};

/// What `initdb` is told. It need not wait for a disk: a folder that is cut off is never used.
const MADE_WITH: [&str; 5] = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
];

/// What every server is started with; a setting given to the builder comes later and wins.
const SETTINGS: [(&str, &str); 4] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("max_connections", "200"),
    ("logging_collector", "off"),
];

/// What makes tests quick: nothing waits for a disk. What was acknowledged outlives the server's end, but not the machine's; with
/// `synchronous_commit` off as well it would not outlive the server's.
const QUICK: [(&str, &str); 2] = [("fsync", "off"), ("full_page_writes", "off")];

/// A Postgres of our own on loopback: stopped, and its data removed, when dropped and when the process ends in any way.
///
/// Its user `postgres` needs no password, so whoever is on this machine can use it while it runs.
pub struct Postgres {
    cluster: Cluster,
    keeper: Keeper,
}

impl Postgres {
    /// Starts a server that writes to disk as one in production does.
    pub fn start() -> anyhow::Result<Postgres> {
        Postgres::builder().start()
    }

    /// A server to be set up before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Stops the server at once, as a power cut would; nothing runs or listens when this returns, and the data stay.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.keeper.stop()
    }

    /// Starts a stopped server on the same port with the same data; it takes connections when this returns.
    pub fn start_again(&self) -> anyhow::Result<()> {
        self.keeper.start_again()
    }

    /// The folder that holds everything of this server, gone when the server is.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }
}

impl Deref for Postgres {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// How a Postgres is started.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
}

impl Builder {
    /// Turns off what keeps data through the machine's own end (`fsync` and its like): quick, for tests, never for figures.
    #[must_use]
    pub fn quick(self) -> Builder {
        QUICK
            .iter()
            .fold(self, |builder, (name, value)| builder.setting(name, value))
    }

    /// Sets a setting of the server, as in `postgresql.conf`; the last one given wins.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Builder {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server; it takes connections when this returns.
    pub fn start(self) -> anyhow::Result<Postgres> {
        let account = account::unprivileged()?;
        let binaries = Binaries::find(account)?;
        port::with_free(|port| self.start_on(port, &binaries, account))
    }

    fn start_on(&self, port: u16, binaries: &Binaries, account: Option<Account>) -> anyhow::Result<Postgres> {
        let folder = folder::make("remuda-postgres-", account)?;
        let data = folder.path().join("data");
        let mut make = Command::new(binaries.folder().join("initdb"));
        make.arg("--pgdata").arg(&data).args(MADE_WITH);
        let mut serve = Command::new(binaries.folder().join("postgres"));
        serve.arg("-D").arg(&data).args(self.options(port));
        let keeper = Keeper::hire(&KIND, folder, account, &serve)?;
        keeper.run(&make)?;
        keeper.start()?;
        let cluster = Cluster::at(&format!("postgres://postgres@127.0.0.1:{port}"), binaries.clone())?;
        Ok(Postgres { cluster, keeper })
    }

    fn options(&self, port: u16) -> Vec<String> {
        let fixed = SETTINGS.iter().map(|(name, value)| format!("{name}={value}"));
        let given = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        let all = fixed.chain(given).chain([format!("port={port}")]);
        all.flat_map(|it| ["-c".to_owned(), it]).collect()
    }
}

/// Whether a server that is starting says here that it cannot. Clients that come too early are refused with `FATAL` as well.
fn gave_up(line: &str) -> bool {
    line.contains("FATAL:") && !line.contains("FATAL:  the database system is ")
}

/// The Postgres that the tests of this process share: the one that `REMUDA_TEST_POSTGRES` names, or else a quick one of this process.
pub fn shared() -> anyhow::Result<&'static Cluster> {
    static SHARED: Shared<Cluster, Postgres> = Shared::new();
    SHARED.reach(
        TEST_POSTGRES,
        |url| Cluster::at(url, Binaries::find(account::unprivileged()?)?),
        || Postgres::builder().quick().start(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_comes_too_early_does_not_fail_the_start() {
        let early = "2026-11-21 12:00:00.000 UTC [7] FATAL:  the database system is starting up";
        let taken = "2026-11-21 12:00:00.000 UTC [7] FATAL:  could not create any TCP/IP sockets";
        assert!(!gave_up(early));
        assert!(gave_up(taken));
    }
}
