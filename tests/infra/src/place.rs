//! Where things are.

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("the crate lies two folders deep")
        .to_owned()
}

/// The folder of the root module.
pub fn infra() -> PathBuf {
    root().join("infra")
}

/// The package that stands for a built one for `store`, as a value for the variable `package` in the folder `from` of `infra`.
pub fn package(from: &str, store: &str) -> String {
    let up = Path::new(from)
        .components()
        .filter(|part| part.as_os_str() != ".")
        .count();
    format!("{}tests/package/{store}", "../".repeat(up))
}

/// Says that a check was not made, and why, also where the output of tests that pass is hidden.
pub fn not_run(what: &str, why: &str) {
    use std::io::Write as _;
    // Past the test harness, which keeps what `eprintln` says to itself.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {what}: {why}");
}
