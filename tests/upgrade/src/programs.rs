//! The two programs: `remuda` of this version and of the one before.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::previous;

/// Names a folder in which somebody has just built all programs of this version, which is not done again.
const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// Which of the two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The one before this.
    Old,
    /// The code as it is now.
    New,
}

impl Version {
    /// `remuda` of this version, built first where it is not there, reading nothing from its surroundings.
    pub fn remuda(self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program());
        command.args(words).env_clear().stdin(Stdio::null());
        command
    }

    /// Builds both versions where they are not there yet: no lease waits for that.
    pub fn build_both() {
        for version in [Version::Old, Version::New] {
            version.program();
        }
    }

    /// Brings the schema of the store up to what this version has.
    pub fn migrate(self, store: &str) {
        let output = self
            .remuda(&["store", "migrate", "--store", store])
            .output()
            .expect("remuda runs");
        assert!(output.status.success(), "{self:?}: {output:?}");
    }

    fn program(self) -> &'static Path {
        static OLD: OnceLock<PathBuf> = OnceLock::new();
        static NEW: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Version::Old => OLD.get_or_init(|| {
                let program = previous::program(&root(), target());
                program.unwrap_or_else(|error| panic!("the version before this one cannot be had: {error:#}"))
            }),
            Version::New => NEW.get_or_init(new),
        }
    }
}

/// The root of this workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..")
        .canonicalize()
        .expect("this crate lies in the workspace")
}

fn new() -> PathBuf {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Path::new(&folder).join("remuda");
    }
    let build = ["build", "--quiet", "--package", "remuda", "--bin", "remuda"];
    let status = servers::cargo(&root()).args(build).status().expect("cargo runs");
    assert!(status.success(), "this version is built");
    target().join("debug/remuda")
}

/// The target folder of this workspace.
fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        let ask = ["metadata", "--no-deps", "--format-version", "1"];
        let told = servers::cargo(&root()).args(ask).output().expect("cargo runs").stdout;
        let metadata: Value = serde_json::from_slice(&told).expect("metadata is JSON");
        metadata["target_directory"]
            .as_str()
            .expect("it names the target folder")
            .into()
    })
}
