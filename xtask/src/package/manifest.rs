//! The manifest: what was packaged, for what, and the hash of each archive.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::build::Store;
use super::functions::Function;
use super::target::Architecture;

/// What a deployment reads.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    version: String,
    store: &'static str,
    architecture: Architecture,
    pub(crate) functions: BTreeMap<String, Packed>,
}

/// A function's archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Packed {
    /// The archive's name, beside the manifest.
    pub(crate) file: String,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
    /// The same in Base64, as Lambda and Terraform tell it.
    source_code_hash: String,
    /// The archive's size.
    pub(crate) bytes: u64,
}

impl Packed {
    /// What there is to say of this archive of the function.
    pub(crate) fn new(function: &str, archive: &[u8]) -> Self {
        let hash = Sha256::digest(archive);
        Self {
            file: format!("{function}.zip"),
            sha256: hex(&hash),
            source_code_hash: STANDARD.encode(hash),
            bytes: archive.len() as u64,
        }
    }
}

/// Two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // A text takes all that is written to it.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

impl Manifest {
    /// The manifest of these functions, which are all of one version, and their archives in the same order.
    pub(crate) fn new(
        store: Store,
        architecture: Architecture,
        functions: &[Function],
        packed: &[Packed],
    ) -> anyhow::Result<Self> {
        let version = functions.first().context("there is no function")?.version.clone();
        for function in functions {
            let Function { name, version: its, .. } = function;
            ensure!(*its == version, "{name} has version {its}, and others have {version}");
        }
        let names = functions.iter().map(|function| function.name.clone());
        Ok(Self {
            version,
            store: store.name(),
            architecture,
            functions: names.zip(packed.iter().cloned()).collect(),
        })
    }

    /// Whether this is what it says of the function.
    pub(crate) fn has(&self, function: &str, packed: &Packed) -> bool {
        self.functions.get(function) == Some(packed)
    }

    /// The manifest as JSON, a line a field.
    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        serde_json::to_string_pretty(self).context("cannot write the manifest as JSON")
    }

    /// Writes it as JSON, in one piece.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let half = path.with_extension("json.half");
        fs::write(&half, self.to_json()? + "\n").with_context(|| format!("cannot write {}", half.display()))?;
        fs::rename(&half, path).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn function(name: &str, version: &str) -> Function {
        Function {
            name: name.to_owned(),
            program: name.to_owned(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn a_manifest_says_what_was_built_and_each_archives_hash_in_both_forms() {
        let functions = [function("submit", "0.1.0"), function("dispatch", "0.1.0")];
        let packed = [Packed::new("submit", b"abc"), Packed::new("dispatch", b"")];
        let manifest = Manifest::new(Store::Sqs, Architecture::Arm64, &functions, &packed).expect("is made");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("manifest.json");
        manifest.write(&path).expect("is written");
        let written: Value = serde_json::from_slice(&fs::read(&path).expect("is there")).expect("is JSON");
        assert_eq!(
            written,
            json!({
                "version": "0.1.0",
                "store": "sqs",
                "architecture": "arm64",
                "functions": {
                    "dispatch": {
                        "file": "dispatch.zip",
                        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                        "source_code_hash": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                        "bytes": 0
                    },
                    "submit": {
                        "file": "submit.zip",
                        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                        "source_code_hash": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
                        "bytes": 3
                    }
                }
            })
        );
        assert!(manifest.has("submit", &packed[0]));
        assert!(!manifest.has("submit", &Packed::new("submit", b"abd")));
    }

    #[test]
    fn functions_of_two_versions_make_no_manifest() {
        let functions = [function("submit", "0.1.0"), function("dispatch", "0.2.0")];
        let error = Manifest::new(Store::Postgres, Architecture::X86_64, &functions, &[]).expect_err("is refused");
        assert!(error.to_string().contains("dispatch has version 0.2.0"), "{error}");
    }
}
