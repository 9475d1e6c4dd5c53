//! `PgBouncer` before a Postgres: what many clients of few connections go through.

mod program;

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, anyhow, ensure};
use url::Url;

pub use self::program::PGBOUNCER;
use self::program::Program;
use crate::account::{self, Account};
use crate::keeper::{Keeper, Kind, surround};
use crate::{Cluster, folder, port};

static KIND: Kind = Kind {
    name: "PgBouncer",
    // It keeps nothing that a clean end would save.
    stopped_by: "KILL",
    is_up: |line| line.contains(" LOG process up: "),
    gave_up: |line| line.contains(" FATAL "),
    surround,
    hear: |_| {},
};

/// How many connections to a database it keeps unless it is told otherwise: few, so that clients have to share them.
const POOL_SIZE: u32 = 3;

/// What every one is started with; a setting given to the builder comes later and wins.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addr", "127.0.0.1"),
    ("unix_socket_dir", ""),
    ("auth_type", "trust"),
    ("pool_mode", "transaction"),
    ("max_client_conn", "1000"),
    // Tests come with a database each: what one has done with is not to use up the server's connections.
    ("server_idle_timeout", "2"),
    ("log_connections", "0"),
    ("log_disconnections", "0"),
    ("log_stats", "0"),
];

/// A `PgBouncer` of our own on loopback, in transaction mode: stopped when dropped and when the process ends in any way.
///
/// It lets in whoever comes as the user of its Postgres, without a password, while it runs.
pub struct PgBouncer {
    /// The address of its Postgres, with its own host and port.
    address: Url,
    version: (u32, u32),
    keeper: Keeper,
}

impl PgBouncer {
    /// One to be set up before it starts, before this Postgres and all of its databases.
    pub fn before(cluster: &Cluster) -> PgBouncerBuilder<'_> {
        PgBouncerBuilder {
            cluster,
            settings: vec![("default_pool_size".to_owned(), POOL_SIZE.to_string())],
        }
    }

    /// The URL that leads through it to the database of this name.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.address.clone();
        url.set_path(database);
        url.into()
    }

    /// The URL that leads through it to where `direct` leads, which is a URL of its Postgres.
    pub fn instead_of(&self, direct: &str) -> anyhow::Result<String> {
        let direct = Url::parse(direct).context("not the URL of a database")?;
        Ok(self.url(direct.path().trim_start_matches('/')))
    }

    /// Its version, major and minor.
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    /// Stops it at once; nothing runs or listens when this returns.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.keeper.stop()
    }

    /// Starts it on the same port; it takes connections when this returns.
    pub fn start_again(&self) -> anyhow::Result<()> {
        self.keeper.start_again()
    }

    /// The folder that holds its settings, gone when it is.
    pub fn folder(&self) -> &Path {
        self.keeper.folder()
    }
}

/// How a `PgBouncer` is started.
#[derive(Debug, Clone)]
pub struct PgBouncerBuilder<'a> {
    cluster: &'a Cluster,
    settings: Vec<(String, String)>,
}

impl PgBouncerBuilder<'_> {
    /// How many connections to each database it shares among all clients.
    #[must_use]
    pub fn pool_size(self, connections: u32) -> Self {
        self.setting("default_pool_size", &connections.to_string())
    }

    /// Sets a setting, as in `pgbouncer.ini`; the last one given wins.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it; it takes connections when this returns.
    pub fn start(self) -> anyhow::Result<PgBouncer> {
        let account = account::unprivileged()?;
        let program = Program::find(account)?;
        port::with_free(|port| self.start_on(port, &program, account))
    }

    fn start_on(&self, port: u16, program: &Program, account: Option<Account>) -> anyhow::Result<PgBouncer> {
        let folder = folder::make("remuda-pgbouncer-", account)?;
        let (settings, users) = (folder.path().join("pgbouncer.ini"), folder.path().join("users.txt"));
        fs::write(&users, self.users()?).context("cannot write the users of PgBouncer")?;
        fs::write(&settings, self.ini(port, &users)?).context("cannot write the settings of PgBouncer")?;
        let mut serve = program.command();
        serve.arg(&settings);
        let keeper = Keeper::hire(&KIND, folder, account, &serve)?;
        keeper.start()?;
        let mut address = self.cluster.address().clone();
        let moved = address.set_host(Some("127.0.0.1")).is_ok() && address.set_port(Some(port)).is_ok();
        ensure!(moved, "the address of Postgres has no host that could be another");
        Ok(PgBouncer {
            address,
            version: program.version,
            keeper,
        })
    }

    /// The user of Postgres, and by what it is let in there.
    fn users(&self) -> anyhow::Result<String> {
        let address = self.cluster.address();
        let password = address.password().unwrap_or_default();
        let plain = |it: &str| !it.contains(['%', '"']);
        ensure!(
            plain(address.username()) && plain(password),
            "a user or a password with characters that a URL encodes cannot be handed to PgBouncer"
        );
        Ok(format!("\"{}\" \"{password}\"\n", address.username()))
    }

    fn ini(&self, port: u16, users: &Path) -> anyhow::Result<String> {
        let address = self.cluster.address();
        let host = address.host_str().context("the address of Postgres names its host")?;
        let postgres = address.port().unwrap_or(5432);
        let fixed = SETTINGS.iter().map(|(name, value)| format!("{name} = {value}"));
        let given = self.settings.iter().map(|(name, value)| format!("{name} = {value}"));
        let ours = [
            format!("auth_file = {}", users.display()),
            format!("listen_port = {port}"),
        ];
        let all: Vec<_> = fixed.chain(given).chain(ours).collect();
        Ok(format!(
            "[databases]\n* = host={host} port={postgres}\n\n[pgbouncer]\n{}\n",
            all.join("\n")
        ))
    }
}

/// The `PgBouncer` of this process, before the [Postgres that its tests share](crate::shared).
pub fn shared_pgbouncer() -> anyhow::Result<&'static PgBouncer> {
    static SHARED: OnceLock<Result<PgBouncer, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| {
        let started = crate::shared().and_then(|cluster| PgBouncer::before(cluster).start());
        started.map_err(|error| format!("{error:#}"))
    });
    started.as_ref().map_err(|error| anyhow!("{error}"))
}
