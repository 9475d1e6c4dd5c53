//! Packages of the npm registry, by npm's own client: exactly the files whose checksums a lock file of ours names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::{download, folder};

/// The lines of npm's complaint that an error quotes; those that follow are its own stack.
const LINES_MAX: usize = 5;

/// A package of one version, and what it needs.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// `package.json`, which asks for the package.
    pub(crate) manifest: &'static str,
    /// `package-lock.json`, which holds the checksum of each file that is fetched.
    pub(crate) lock: &'static str,
}

impl Package {
    /// The folder of the package in the cache, fetched first when it is not there.
    pub(crate) fn fetched(&self) -> anyhow::Result<PathBuf> {
        self.fetched_into(&folder::cache(None)?)
    }

    fn fetched_into(&self, cache: &Path) -> anyhow::Result<PathBuf> {
        let folder = cache.join(format!("{}-{}", self.name, self.version));
        let what = format!("{} {} from npm", self.name, self.version);
        download::once(&folder, &what, |target| self.install(target))
            .with_context(|| format!("npm cannot fetch {} {}", self.name, self.version))?;
        Ok(folder.join("node_modules").join(self.name))
    }

    fn install(&self, target: &Path) -> anyhow::Result<()> {
        fs::create_dir(target)?;
        fs::write(target.join("package.json"), self.manifest)?;
        fs::write(target.join("package-lock.json"), self.lock)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        let output = npm
            .current_dir(target)
            .stdin(Stdio::null())
            .output()
            .context("cannot run npm")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let first: Vec<_> = said.lines().take(LINES_MAX).collect();
        ensure!(output.status.success(), "{}:\n{}", output.status, first.join("\n"));
        Ok(())
    }
}
