//! The rules, held up to the workspace as it is.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use layering::edges::{Crate, Dependency, forbidden};
use layering::purity::asking;

/// Crates that take time and chance as values.
const PURE: [&str; 2] = ["shared/domain/src", "shared/queue/src"];

#[test]
fn every_edge_between_crates_is_an_allowed_one() {
    let metadata = metadata();
    let crates: Vec<Crate> = metadata.packages.iter().map(|it| read(it, &metadata)).collect();
    assert!(
        crates.iter().any(|it| it.name == "domain"),
        "the workspace is not read at all"
    );
    let complaints: Vec<String> = crates.iter().flat_map(forbidden).collect();
    assert!(
        complaints.is_empty(),
        "edges that are not allowed:\n{}",
        complaints.join("\n")
    );
}

#[test]
fn every_crate_outside_tests_has_its_row_in_the_table() {
    // A row is asked for even before the first edge, so that a new crate finds its place when it is made.
    let metadata = metadata();
    let probe = |it: &Package| Crate {
        dependencies: vec![Dependency {
            name: "servers".to_owned(),
            is_ours: true,
            is_dev: true,
        }],
        ..read(it, &metadata)
    };
    let complaints: Vec<String> = metadata
        .packages
        .iter()
        .map(probe)
        .flat_map(|it| forbidden(&it))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_inner_crates_ask_neither_clock_nor_chance() {
    let root = metadata().workspace_root.into_std_path_buf();
    let files: Vec<PathBuf> = PURE.iter().flat_map(|it| sources(&root.join(it))).collect();
    assert!(files.len() > PURE.len(), "the sources are not read at all");
    let complaints: Vec<String> = files.iter().flat_map(|it| complaints_of(it)).collect();
    assert!(
        complaints.is_empty(),
        "time and chance are passed in:\n{}",
        complaints.join("\n")
    );
}

fn metadata() -> Metadata {
    let read = MetadataCommand::new().no_deps().exec();
    read.expect("cargo tells what the workspace holds")
}

fn read(package: &Package, metadata: &Metadata) -> Crate {
    let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
    let tests = metadata.workspace_root.join("tests");
    let dependencies = package.dependencies.iter().map(|it| Dependency {
        name: it.name.clone(),
        is_ours: it.path.is_some(),
        is_dev: it.kind == DependencyKind::Development,
    });
    Crate {
        name: package.name.to_string(),
        is_for_tests: folder.starts_with(tests) || package.name.as_str() == "xtask",
        dependencies: dependencies.collect(),
    }
}

fn complaints_of(file: &Path) -> Vec<String> {
    let source = fs::read_to_string(file).expect("a source file is UTF-8");
    let complain = |it: layering::purity::Finding| format!("{}:{}: {}", file.display(), it.line, it.word);
    asking(&source).into_iter().map(complain).collect()
}

/// Every source file below, but those that hold only tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").flatten();
    let (folders, files): (Vec<_>, Vec<_>) = entries.map(|it| it.path()).partition(|it| it.is_dir());
    let below = folders
        .iter()
        .filter(|it| !it.ends_with("tests"))
        .flat_map(|it| sources(it));
    let here = files
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "rs") && !it.ends_with("tests.rs"));
    here.chain(below).collect()
}
