//! Where the program `pgbouncer` is: named by the user, on the machine, or in Debian's package, which is fetched once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::account::Account;
use crate::keeper::surround;
use crate::{download, folder, program};

/// Names the program to take, in place of the one on this machine.
pub const PGBOUNCER: &str = "REMUDA_PGBOUNCER";

/// Where Debian and its kin install it, which is on the path of administrators only.
const DEBIAN: &str = "/usr/sbin/pgbouncer";

/// The package, and the libraries that it needs and a machine without it may lack.
const PACKAGES: [&str; 3] = ["pgbouncer", "libc-ares2", "libevent-2.1-7"];

/// Sets a variable for a command.
const ENV: &str = "/usr/bin/env";

const HOW_TO_GET_IT: &str = "PgBouncer is missing. Any of these brings it: install it (`apt-get install pgbouncer`, `brew install \
pgbouncer`), name the program in REMUDA_PGBOUNCER, or have Debian 12's `apt-get`, by which it is fetched";

/// The program, and what it takes to run it.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    /// Folders of libraries that came with it.
    libraries: Vec<PathBuf>,
    /// Major and minor.
    pub(super) version: (u32, u32),
}

impl Program {
    /// The first that runs of: the one that `REMUDA_PGBOUNCER` names, the path's, Debian's, the package's, which is fetched when there
    /// is no other.
    pub(super) fn find(account: Option<Account>) -> anyhow::Result<Program> {
        if let Some(named) = env::var_os(PGBOUNCER).map(PathBuf::from) {
            let found = Program::at(&named, Vec::new());
            return found.with_context(|| format!("{PGBOUNCER} is {}, which does not run", named.display()));
        }
        let installed = program::on_path("pgbouncer").into_iter().chain([DEBIAN.into()]);
        if let Some(found) = installed.into_iter().find_map(|it| Program::at(&it, Vec::new())) {
            return Ok(found);
        }
        let package = fetched(account).context(HOW_TO_GET_IT)?;
        Program::at(&package.join("usr/sbin/pgbouncer"), libraries(&package)).context(HOW_TO_GET_IT)
    }

    /// Runs it.
    pub(super) fn command(&self) -> Command {
        if self.libraries.is_empty() {
            return Command::new(&self.path);
        }
        let mut command = Command::new(ENV);
        command.arg(library_path(&self.libraries)).arg(&self.path);
        command
    }

    fn at(path: &Path, libraries: Vec<PathBuf>) -> Option<Program> {
        let version = if libraries.is_empty() {
            program::version(path, &["--version"])
        } else {
            program::version(
                Path::new(ENV),
                &[&library_path(&libraries), path.to_str()?, "--version"],
            )
        };
        Some(Program {
            path: path.to_owned(),
            libraries,
            version: version?,
        })
    }
}

fn library_path(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|it| it.display().to_string()).collect();
    format!("LD_LIBRARY_PATH={}", folders.join(":"))
}

/// The folders below `usr/lib`: one for each kind of machine, and there is one.
fn libraries(package: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(package.join("usr/lib")).into_iter().flatten();
    folders.flatten().map(|it| it.path()).filter(|it| it.is_dir()).collect()
}

/// The folder of the unpacked package, which is fetched first when it is not there.
fn fetched(account: Option<Account>) -> anyhow::Result<PathBuf> {
    let folder = folder::cache(account)?.join("pgbouncer-debian");
    download::once(&folder, "PgBouncer (Debian's package)", unpack)?;
    Ok(folder)
}

fn unpack(target: &Path) -> anyhow::Result<()> {
    fs::create_dir(target).context("cannot make a folder for the package")?;
    let archives = tempfile::tempdir().context("cannot make a folder for the download")?;
    if download(archives.path()).is_err() {
        // A new machine has no list of packages yet.
        run(Command::new("apt-get").args(["--quiet", "update"]))?;
        download(archives.path())?;
    }
    for archive in fs::read_dir(archives.path()).context("cannot list the download")? {
        let archive = archive.context("cannot list the download")?.path();
        run(Command::new("dpkg").arg("--extract").arg(archive).arg(target))?;
    }
    Ok(())
}

fn download(folder: &Path) -> anyhow::Result<()> {
    run(Command::new("apt-get")
        .args(["--quiet", "download"])
        .args(PACKAGES)
        .current_dir(folder))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    surround(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}: {}", output.status, said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_with_the_program_is_told_to_it() {
        let package = tempfile::tempdir().expect("a folder");
        assert_eq!(libraries(package.path()), [] as [PathBuf; 0]);
        let folder = package.path().join("usr/lib/some-linux-gnu");
        fs::create_dir_all(&folder).expect("makes the folder");
        let program = Program {
            path: "/somewhere/pgbouncer".into(),
            libraries: libraries(package.path()),
            version: (1, 18),
        };
        let command = program.command();
        let words: Vec<_> = command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        assert_eq!(
            words,
            [
                format!("LD_LIBRARY_PATH={}", folder.display()),
                "/somewhere/pgbouncer".to_owned()
            ]
        );
    }

    #[test]
    fn a_program_that_does_not_run_is_none() {
        assert!(Program::at(Path::new("/nowhere/pgbouncer"), Vec::new()).is_none());
        assert!(Program::at(Path::new("/nowhere/pgbouncer"), vec!["/nowhere".into()]).is_none());
    }
}
