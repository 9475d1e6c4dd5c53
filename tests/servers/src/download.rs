//! What is fetched once and kept for all later runs.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Context;

/// Fills a folder of this path by `fetch`, which is told where, unless it is there; it comes into sight only once it is whole.
pub(crate) fn once(folder: &Path, what: &str, fetch: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let cache = folder.parent().context("a download lies in some folder")?;
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // The tests run in many processes, and one download is enough for all.
    let turn = File::create(cache.join("lock")).context("cannot make a lock file")?;
    turn.lock().context("cannot lock the folder for downloads")?;
    if folder.is_dir() {
        return Ok(());
    }
    eprintln!("Fetching {what} into {} …", folder.display());
    let half = tempfile::tempdir_in(cache).context("cannot make a folder for the download")?;
    let target = half.path().join("whole");
    fetch(&target)?;
    // Under its name only once it is whole: a download cut off is none.
    fs::rename(&target, folder).context("cannot move the download into place")
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_download_that_fails_is_not_kept_and_one_that_is_there_not_repeated() {
        let cache = tempfile::tempdir().expect("a folder");
        let folder = cache.path().join("below/thing-1");
        let broken = once(&folder, "a thing", |target| {
            fs::create_dir(target)?;
            bail!("cut off")
        });
        assert!(broken.is_err());
        assert!(!folder.exists());
        once(&folder, "a thing", |target| Ok(fs::create_dir(target)?)).expect("is fetched");
        assert!(folder.is_dir());
        once(&folder, "a thing", |_| bail!("fetched again")).expect("is there");
    }
}
