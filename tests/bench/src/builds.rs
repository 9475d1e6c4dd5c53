//! Builds of the functions as they go to Lambda: one program a function and a store, which is all that is linked.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::ValueEnum;

use crate::lifecycle::progress;

/// How the functions are built for Lambda; see the root manifest.
const PROFILE: &str = "lambda";

/// The functions, in the order of a job's life, and the one for an operator's own hands.
pub(crate) const FUNCTIONS: [&str; 6] = [
    "submit",
    "dispatch",
    "robot-callback",
    "timeout-sweep",
    "control",
    "migrate",
];

/// The least that a function can be, and the package that it is in.
pub(crate) const HELLO: &str = "hello-lambda";
const HELLO_PACKAGE: &str = "runtime-api";

/// A store that a function can be built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreFeature {
    /// In a table, with a queue for hints: no server.
    Sqs,
    /// On a server.
    Postgres,
    /// In a file.
    Sqlite,
}

impl StoreFeature {
    /// The store's name, which is that of the feature.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

/// Where it is built, and for which stores.
#[derive(clap::Args, Clone)]
pub(crate) struct Builds {
    /// The stores to build for, in turn
    #[arg(long, value_delimiter = ',', default_value = "sqs,postgres,sqlite")]
    pub(crate) store: Vec<StoreFeature>,
    /// Where to build; a folder that is empty at first gives the time of a build from nothing
    #[arg(long, default_value = "target/bench-functions")]
    target_dir: PathBuf,
}

/// A program, built.
pub(crate) struct Built {
    /// The store that it can be set to; the least function has none.
    pub(crate) store: Option<StoreFeature>,
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
}

impl Built {
    /// The name of its store, as a table shows it.
    pub(crate) fn store_name(&self) -> &'static str {
        self.store.map_or("none", StoreFeature::name)
    }

    /// Its size in millions of bytes.
    pub(crate) fn megabytes(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
        let bytes = self.bytes as f64;
        bytes / 1e6
    }
}

impl Builds {
    /// Builds every function with each store and no other, and last the least function that there can be.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Built>> {
        let of_stores = self
            .store
            .iter()
            .flat_map(|store| FUNCTIONS.map(|function| (function, Some(*store))));
        let bar = progress(self.store.len() * FUNCTIONS.len() + 1);
        let all = of_stores.chain([(HELLO, None)]).map(|(name, store)| {
            bar.set_message(format!("building {name} {}", store.map_or("", StoreFeature::name)));
            let built = self.build(name, store);
            bar.inc(1);
            built
        });
        let all = all.collect();
        bar.finish_and_clear();
        all
    }

    /// Builds one program and keeps it where the build for the next store does not overwrite it.
    fn build(&self, name: &'static str, store: Option<StoreFeature>) -> anyhow::Result<Built> {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        command.args(["build", "--quiet", "--profile", PROFILE, "--bin", name]);
        match store {
            Some(store) => command.args(["--package", name, "--no-default-features", "--features", store.name()]),
            None => command.args(["--package", HELLO_PACKAGE]),
        };
        let begun = Instant::now();
        let status = command
            .arg("--target-dir")
            .arg(&self.target_dir)
            .status()
            .context("cannot start cargo")?;
        let time = begun.elapsed();
        anyhow::ensure!(status.success(), "cargo build of {name} failed");
        let folder = self
            .target_dir
            .join("built")
            .join(store.map_or("none", StoreFeature::name));
        let built = self.target_dir.join(PROFILE).join(name);
        let program = keep(&built, &folder).with_context(|| format!("cannot keep {}", built.display()))?;
        Ok(Built {
            store,
            name,
            bytes: fs::metadata(&program)?.len(),
            program,
            time,
        })
    }
}

/// Copies `program` into `folder`, with an absolute path.
fn keep(program: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let kept = folder.join(program.file_name().context("a program has a name")?);
    fs::copy(program, &kept)?;
    Ok(kept.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes in with each store alone.
    const OF_STORES: [(StoreFeature, &[&str]); 3] = [
        (StoreFeature::Sqs, &["queue-aws", "aws-sdk-dynamodb", "aws-sdk-sqs"]),
        (StoreFeature::Postgres, &["queue-postgres", "sqlx-postgres"]),
        (StoreFeature::Sqlite, &["queue-sqlite", "sqlx-sqlite", "libsqlite3-sys"]),
    ];

    /// The names of all crates that a function is linked from.
    fn linked(function: &str, store: StoreFeature) -> Vec<String> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
            .args([
                "tree",
                "--locked",
                "--edges",
                "no-proc-macro,normal",
                "--prefix",
                "none",
            ])
            .args([
                "--package",
                function,
                "--no-default-features",
                "--features",
                store.name(),
            ])
            .output()
            .expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let tree = String::from_utf8(output.stdout).expect("UTF-8");
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect()
    }

    #[test]
    fn a_function_links_the_store_that_it_is_built_for_and_no_other() {
        for function in FUNCTIONS {
            for (store, _) in OF_STORES {
                let linked = linked(function, store);
                for (other, crates) in OF_STORES {
                    for name in crates {
                        let is_there = linked.iter().any(|it| it == name);
                        assert_eq!(is_there, store == other, "{name} in {function} for {}", store.name());
                    }
                }
            }
        }
    }
}
