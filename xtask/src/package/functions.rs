//! Which functions there are: every package whose manifest lies under `functions/`.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};

use super::build::Store;

/// Where the functions are, in the workspace.
const FOLDER: &str = "functions";

/// A function to be packaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// The package's name, by which it is deployed.
    pub(crate) name: String,
    /// The program in it.
    pub(crate) program: String,
    pub(crate) version: String,
}

/// The functions of the workspace at `root` that are asked for, all of them when none is named; each can be built for `store`.
pub(crate) fn of(root: &Path, store: Store, named: &[String]) -> anyhow::Result<Vec<Function>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cannot read the workspace")?;
    pick(&metadata, store, named)
}

fn pick(metadata: &Metadata, store: Store, named: &[String]) -> anyhow::Result<Vec<Function>> {
    let folder = metadata.workspace_root.join(FOLDER);
    let mut packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| package.manifest_path.starts_with(&folder))
        .collect();
    packages.sort_by_key(|package| package.name.as_str());
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for name in named {
        ensure!(
            names.contains(&name.as_str()),
            "there is no function {name}; there are {}",
            names.join(", ")
        );
    }
    packages.retain(|package| named.is_empty() || named.iter().any(|name| name == package.name.as_str()));
    ensure!(!packages.is_empty(), "no package lies under {FOLDER}/");
    packages.into_iter().map(|package| function(package, store)).collect()
}

fn function(package: &Package, store: Store) -> anyhow::Result<Function> {
    let name = package.name.to_string();
    ensure!(
        package.features.contains_key(store.name()),
        "{name} has no feature {}, so it cannot be built for that store",
        store.name()
    );
    let programs = package.targets.iter().filter(|it| it.kind.contains(&TargetKind::Bin));
    let programs: Vec<&str> = programs.map(|it| it.name.as_str()).collect();
    let [program] = programs[..] else {
        bail!("{name} is to have one program, and has {}", programs.len())
    };
    Ok(Function {
        program: program.to_owned(),
        version: package.version.to_string(),
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(store: Store, named: &[&str]) -> anyhow::Result<Vec<String>> {
        let named: Vec<String> = named.iter().map(ToString::to_string).collect();
        let functions = of(&crate::root()?, store, &named)?;
        Ok(functions.into_iter().map(|function| function.name).collect())
    }

    #[test]
    fn every_folder_of_functions_is_packaged_for_either_store() {
        let folder = crate::root().expect("a root").join(FOLDER);
        let mut folders: Vec<String> = std::fs::read_dir(folder)
            .expect("is there")
            .map(|entry| entry.expect("is read").path())
            .filter(|path| path.join("Cargo.toml").is_file())
            .map(|path| path.file_name().expect("has a name").to_string_lossy().into_owned())
            .collect();
        folders.sort();
        assert!(folders.len() >= 5, "{folders:?}");
        for store in [Store::Sqs, Store::Postgres] {
            assert_eq!(names(store, &[]).expect("are found"), folders);
        }
    }

    #[test]
    fn a_function_is_picked_by_its_name_and_a_wrong_name_is_told_the_right_ones() {
        assert_eq!(
            names(Store::Sqs, &["submit", "dispatch"]).expect("are found"),
            ["dispatch", "submit"]
        );
        let error = names(Store::Sqs, &["sumbit"]).expect_err("there is none").to_string();
        assert!(
            error.contains("no function sumbit") && error.contains("submit, timeout-sweep"),
            "{error}"
        );
    }
}
