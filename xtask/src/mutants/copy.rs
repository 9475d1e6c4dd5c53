//! The copy of our code that the mutants are put into.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::list::Mutant;
use super::seeding;

/// The crates that are copied: those that the mutants change, and those that catch them.
const CRATES: [&str; 4] = [
    "shared/domain",
    "shared/queue",
    "shared/queue-conformance",
    "shared/simulation",
];

/// How much the tests' own programs are optimized: building them is what takes longest, running them is not.
const TEST_LEVELS: [(&str, i64); 3] = [("domain", 1), ("queue", 0), ("queue-conformance", 0)];

/// The crate that all the others see, and that has the switch.
const DOMAIN: &str = "shared/domain/src/lib.rs";

/// The switch, as a module of the domain.
const SWITCH: &str = r#"//! Which of the mutants this process runs with.

use std::sync::OnceLock;

/// Whether it is the mutant `name`.
pub fn is(name: &str) -> bool {
    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("REMUDA_MUTANT").ok());
    chosen.as_deref() == Some(name)
}
"#;

/// The variable by which a process is told its mutant.
pub(super) const VARIABLE: &str = "REMUDA_MUTANT";

/// Whether `file`, named from the root, is one of those that are copied.
pub(super) fn holds(file: &str) -> bool {
    CRATES
        .iter()
        .any(|it| file.strip_prefix(it).is_some_and(|rest| rest.starts_with('/')))
}

/// Makes `to` a workspace of the crates as they are now with all of `mutants` in them. What is the same as before is not
/// written again, so that it is not built again.
pub(super) fn make(root: &Path, to: &Path, mutants: &[Mutant]) -> anyhow::Result<()> {
    for mutant in mutants {
        ensure!(
            holds(&mutant.file),
            "mutant `{}` is for {}, which is not copied",
            mutant.name,
            mutant.file
        );
    }
    let mut kept = BTreeSet::new();
    for name in names(root)? {
        let from = root.join(&name);
        // One that was removed and is not committed is still listed.
        if from.is_file() {
            let read = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
            put(to, &name, &changed(&name, read, mutants)?, &mut kept)?;
        }
    }
    put(
        to,
        Path::new("shared/domain/src/mutant.rs"),
        SWITCH.as_bytes(),
        &mut kept,
    )?;
    put(to, Path::new("Cargo.toml"), manifest(root)?.as_bytes(), &mut kept)?;
    remove_others(&to.join("shared"), &kept)
}

/// What git knows of or would take in.
fn names(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"])
        .args(CRATES)
        .arg("Cargo.lock")
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run git, which tells the sources from what was built")?;
    let said = String::from_utf8_lossy(&listed.stderr);
    ensure!(listed.status.success(), "git cannot list the sources: {}", said.trim());
    let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
}

/// The content of the file `name` with what is put into it.
fn changed(name: &Path, read: Vec<u8>, mutants: &[Mutant]) -> anyhow::Result<Vec<u8>> {
    let Some(file) = name.to_str().filter(|it| {
        Path::new(it).extension().is_some_and(|it| it == "rs")
            && (*it == DOMAIN || mutants.iter().any(|mutant| mutant.file == **it))
    }) else {
        return Ok(read);
    };
    let source = String::from_utf8(read).with_context(|| format!("{file} is no text"))?;
    let mut text = seeding::seeded(file, &source, mutants)?;
    if file == DOMAIN {
        text += "\npub mod mutant;\n";
    }
    Ok(text.into_bytes())
}

/// The workspace's manifest, with the copied crates for members and tests that are built sooner.
fn manifest(root: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let mut manifest: toml::Table = text.parse().context("Cargo.toml is no manifest")?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut);
    let workspace = workspace.context("Cargo.toml is no workspace's")?;
    workspace.insert("members".to_owned(), CRATES.to_vec().into());
    workspace.remove("default-members");
    workspace.remove("metadata");
    for (package, level) in TEST_LEVELS {
        let profile = ["profile", "test", "package", package]
            .into_iter()
            .try_fold(&mut manifest, entry);
        let profile = profile.context("Cargo.toml has profiles of another shape")?;
        profile.insert("opt-level".to_owned(), level.into());
    }
    toml::to_string(&manifest).context("the manifest cannot be written")
}

/// The table of that name within `table`, made if it is not there.
fn entry<'a>(table: &'a mut toml::Table, name: &str) -> Option<&'a mut toml::Table> {
    let inner = table.entry(name).or_insert_with(|| toml::Table::new().into());
    inner.as_table_mut()
}

fn put(to: &Path, name: &Path, content: &[u8], kept: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let path = to.join(name);
    if fs::read(&path).ok().as_deref() != Some(content) {
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    kept.insert(path);
    Ok(())
}

/// Removes what an earlier copy had and this one has not: cargo would take it for tests.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot list {}", folder.display()))?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_the_switch_and_the_code_has_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = crate::root().expect("a root");
        let mutants = super::super::list::read(&root).expect("the list can be read");
        let left_over = folder.path().join("shared/queue/tests/left_over.rs");
        fs::create_dir_all(left_over.parent().expect("a folder")).expect("is made");
        fs::write(&left_over, "").expect("is written");
        make(&root, folder.path(), &mutants).expect("is made");
        assert!(!left_over.exists(), "it is no longer among the sources");
        for mutant in &mutants {
            let [ours, copied] =
                [root.as_path(), folder.path()].map(|at| fs::read_to_string(at.join(&mutant.file)).expect("a text"));
            let switch = format!("mutant::is({:?})", mutant.name);
            assert!(copied.contains(&switch), "{switch}");
            assert!(!ours.contains("mutant::is"), "{}", mutant.file);
        }
        let domain = fs::read_to_string(folder.path().join(DOMAIN)).expect("a text");
        assert!(domain.ends_with("pub mod mutant;\n"));
        assert!(SWITCH.contains(VARIABLE));
    }

    #[test]
    fn a_file_outside_the_copied_crates_is_known_to_be() {
        assert!(holds("shared/queue/src/codec.rs"));
        assert!(!holds("shared/queue-sqlite/src/lib.rs"));
    }
}
