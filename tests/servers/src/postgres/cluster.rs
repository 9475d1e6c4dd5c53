//! The databases of one Postgres, whoever runs it.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use url::Url;

use super::binaries::Binaries;

/// The longest name that Postgres does not cut.
const NAME_BYTES_MAX: usize = 63;

/// The database that every Postgres has.
const ADMIN: &str = "postgres";

/// A Postgres at which databases can be made.
#[derive(Debug)]
pub struct Cluster {
    address: Url,
    binaries: Binaries,
}

impl Cluster {
    /// The Postgres at this URL, whose user may make databases.
    pub(super) fn at(address: &str, binaries: Binaries) -> anyhow::Result<Cluster> {
        let address = Url::parse(address).context("not the URL of a Postgres")?;
        ensure!(address.has_host(), "the URL of a Postgres names its host");
        Ok(Cluster { address, binaries })
    }

    /// Its host, its port and its user, with no database.
    pub(crate) fn address(&self) -> &Url {
        &self.address
    }

    /// The URL of a database of this name, whether or not it is there.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.address.clone();
        url.set_path(database);
        url.into()
    }

    /// Makes an empty database of this name (`[a-z0-9_]`, at most 63 bytes) and gives its URL; an error if there is one already.
    pub fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
        let good = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
        ensure!(good, "{name:?} is no plain name of a database");
        self.sql(ADMIN, &format!("create database \"{name}\""))
            .with_context(|| format!("cannot make the database {name}"))?;
        Ok(self.url(name))
    }

    /// Makes an empty database that nobody else uses, in this process or another, and gives its URL. It goes with the server.
    pub fn fresh_database(&self) -> anyhow::Result<String> {
        self.create_database(&fresh_name())
    }

    /// Runs SQL on a database and answers with its rows, a line each, columns parted by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        self.sql_at(&self.url(database), statement)
    }

    /// As [`Self::sql`], by another way to this Postgres, such as a pooler before it.
    pub fn sql_at(&self, url: &str, statement: &str) -> anyhow::Result<String> {
        self.binaries.psql(url, statement)
    }
}

fn fresh_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    // A process id comes round again within the life of a shared server; together with the time it does not.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{:x}_{made}", process::id(), since.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_names_differ_and_are_plain() {
        let names = [fresh_name(), fresh_name()];
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|it| it.len() <= NAME_BYTES_MAX));
    }
}
