//! Temporary folders that a server's account can reach.

use std::env;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::account::Account;

/// May be searched by everybody, not only by its owner.
const SEARCHABLE_BY_ALL: u32 = 0o001;

/// A new folder that only the account can read: ours when there is none to drop to.
pub(crate) fn make(prefix: &str, account: Option<Account>) -> anyhow::Result<TempDir> {
    let parent = parent(account)?;
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&parent)
        .with_context(|| format!("cannot make a folder in {}", parent.display()))?;
    if let Some(Account { uid, gid }) = account {
        chown(folder.path(), Some(uid), Some(gid)).context("cannot give the folder to the server's account")?;
    }
    Ok(folder)
}

fn parent(account: Option<Account>) -> anyhow::Result<PathBuf> {
    let wanted = env::temp_dir();
    if account.is_none() {
        return Ok(wanted);
    }
    // A private TMPDIR of root's is of no use to an account that is not root.
    let candidates = [wanted, "/tmp".into(), "/var/tmp".into()];
    let found = candidates.iter().find(|it| reachable_by_all(it)).cloned();
    found.context("no temporary folder that other users can reach: set TMPDIR to one")
}

/// Whether every folder from the root down to this one may be searched by everybody.
pub(crate) fn reachable_by_all(folder: &Path) -> bool {
    folder.is_absolute()
        && folder
            .ancestors()
            .all(|it| it.metadata().is_ok_and(|it| it.mode() & SEARCHABLE_BY_ALL != 0))
}

/// Where downloads are kept from one run to the next.
pub(crate) fn cache(account: Option<Account>) -> anyhow::Result<PathBuf> {
    if account.is_some() {
        // What lies under root's home is out of reach for the account that has to run it.
        return Ok("/var/cache/remuda".into());
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    let cache = base
        .context("no folder for downloads: set XDG_CACHE_HOME")?
        .join("remuda");
    ensure!(
        !cache.is_file(),
        "{} is a file where a folder should be",
        cache.display()
    );
    Ok(cache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_is_not_reachable_by_all() {
        let private = make("servers-", None).expect("makes a folder");
        let inside = private.path().join("inside");
        std::fs::create_dir(&inside).expect("makes a folder inside");
        assert!(!reachable_by_all(&inside));
        assert!(reachable_by_all(Path::new("/")));
        assert!(!reachable_by_all(Path::new("relative")));
    }
}
