//! Postgres: one for a test that stops it, one shared by all others.

mod binaries;
mod cluster;
mod keeper;
mod wheel;

use std::env;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::anyhow;

use binaries::Binaries;
pub use cluster::Cluster;
use keeper::Keeper;

use crate::account::{self, Account};
use crate::{folder, port};

/// Names the URL of a running Postgres, its user an administrator, that tests share in place of one a process.
pub const TEST_POSTGRES: &str = "REMUDA_TEST_POSTGRES";

/// How often another port is tried when somebody was quicker to take the one found free.
const TRIES_MAX: usize = 5;

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
    folder: PathBuf,
    keeper: Mutex<Keeper>,
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
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).stop()
    }

    /// Starts a stopped server on the same port with the same data; it takes connections when this returns.
    pub fn start_again(&self) -> anyhow::Result<()> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.stop()?;
        keeper.start()
    }

    /// The folder that holds everything of this server, gone when the server is.
    pub fn folder(&self) -> &Path {
        &self.folder
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
        let mut failure = anyhow!("no port was tried");
        for _ in 0..TRIES_MAX {
            match self.start_on(port::free()?, &binaries, account) {
                Ok(started) => return Ok(started),
                // Only a port that was taken under our eyes is worth another try.
                Err(error) if error.to_string().contains("in use") => failure = error,
                Err(error) => return Err(error),
            }
        }
        Err(failure)
    }

    fn start_on(&self, port: u16, binaries: &Binaries, account: Option<Account>) -> anyhow::Result<Postgres> {
        let folder = folder::make("remuda-postgres-", account)?;
        let mut keeper = Keeper::hire(binaries, folder.path(), account, &self.options(port))?;
        // From here on the keeper removes it, which outlives us.
        let folder = folder.keep();
        keeper.make()?;
        keeper.start()?;
        let cluster = Cluster::at(&format!("postgres://postgres@127.0.0.1:{port}"), binaries.clone())?;
        Ok(Postgres {
            cluster,
            folder,
            keeper: Mutex::new(keeper),
        })
    }

    fn options(&self, port: u16) -> Vec<String> {
        let fixed = SETTINGS.iter().map(|(name, value)| format!("{name}={value}"));
        let given = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
        let all = fixed.chain(given).chain([format!("port={port}")]);
        all.flat_map(|it| ["-c".to_owned(), it]).collect()
    }
}

/// The Postgres that the tests of this process share: the one that `REMUDA_TEST_POSTGRES` names, or else a quick one of this process.
pub fn shared() -> anyhow::Result<&'static Cluster> {
    static SHARED: OnceLock<Result<Shared, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Shared::reach().map_err(|error| format!("{error:#}")));
    match shared {
        Ok(Shared::Given(cluster)) => Ok(cluster),
        Ok(Shared::Ours(postgres)) => Ok(postgres),
        Err(error) => Err(anyhow!("{error}")),
    }
}

enum Shared {
    Given(Cluster),
    Ours(Postgres),
}

impl Shared {
    fn reach() -> anyhow::Result<Shared> {
        match env::var(TEST_POSTGRES) {
            Ok(url) => Ok(Shared::Given(Cluster::at(
                &url,
                Binaries::find(account::unprivileged()?)?,
            )?)),
            Err(_) => Ok(Shared::Ours(Postgres::builder().quick().start()?)),
        }
    }
}
