//! What processor is built for, and whether Rust can.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::bail;
use clap::ValueEnum;
use serde::Serialize;

use crate::say;

/// A processor that Lambda has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Architecture {
    /// Graviton: the cheaper one.
    #[value(name = "arm64")]
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// Rust's name of the target.
    pub(crate) const fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// How `cargo lambda build` is asked for it.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::Arm64 => "--arm64",
            Self::X86_64 => "--x86-64",
        }
    }
}

/// The architecture that was asked for, or else the first that can be built for; `has_library` says whether Rust's library for a
/// target is there.
pub(crate) fn choose(
    asked: Option<Architecture>,
    has_library: &mut dyn FnMut(&str) -> bool,
) -> anyhow::Result<Architecture> {
    let first = asked.unwrap_or(Architecture::Arm64);
    if has_library(first.target()) {
        return Ok(first);
    }
    let missing = missing(first);
    if asked.is_none() && has_library(Architecture::X86_64.target()) {
        say(&format!("building for x86_64 in place of arm64, since {missing}"));
        return Ok(Architecture::X86_64);
    }
    bail!(missing)
}

fn missing(architecture: Architecture) -> String {
    let target = architecture.target();
    format!("Rust's library for {target} is not installed: run `rustup target add {target}`")
}

/// Whether the Rust that builds the workspace at `root` has its library for this target.
pub(crate) fn has_library(root: &Path, target: &str) -> bool {
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", target]);
    let told = rustc
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Some(told) = told.ok().filter(|told| told.status.success()) else {
        return false;
    };
    let folder = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: &str = "aarch64-unknown-linux-gnu";
    const X86_64: &str = "x86_64-unknown-linux-gnu";

    fn chosen(asked: Option<Architecture>, installed: &[&str]) -> Result<Architecture, String> {
        choose(asked, &mut |target| installed.contains(&target)).map_err(|error| error.to_string())
    }

    #[test]
    fn arm64_is_built_for_unless_only_x86_64_can_be() {
        assert_eq!(chosen(None, &[ARM64, X86_64]), Ok(Architecture::Arm64));
        assert_eq!(chosen(None, &[X86_64]), Ok(Architecture::X86_64));
        assert_eq!(
            chosen(Some(Architecture::X86_64), &[ARM64, X86_64]),
            Ok(Architecture::X86_64)
        );
    }

    #[test]
    fn an_architecture_that_was_asked_for_is_never_replaced() {
        let told = chosen(Some(Architecture::Arm64), &[X86_64]).expect_err("cannot be built for");
        assert_eq!(
            told,
            "Rust's library for aarch64-unknown-linux-gnu is not installed: run `rustup target add aarch64-unknown-linux-gnu`"
        );
        assert!(chosen(Some(Architecture::X86_64), &[ARM64]).is_err());
        assert!(chosen(None, &[]).is_err());
    }

    #[test]
    fn the_library_of_a_target_that_is_none_is_missing() {
        let root = crate::root().expect("a root");
        assert!(!has_library(&root, "pdp11-unknown-linux-gnu"));
        let host = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
        let host = String::from_utf8(host).expect("UTF-8");
        let host = host
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .expect("is told");
        assert!(has_library(&root, host));
    }
}
