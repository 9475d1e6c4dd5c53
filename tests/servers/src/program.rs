//! Programs on this machine: where they are, and how old.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::keeper::surround;

/// Every file of this name in the folders of the path, the first first.
pub(crate) fn on_path(name: &str) -> Vec<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .map(|it| it.join(name))
        .filter(|it| it.is_file())
        .collect()
}

/// The major version that a program tells when asked for it by this argument: the first number it says. None if it does not run.
pub(crate) fn major_version(program: &Path, ask: &str) -> Option<u32> {
    numbers(&told(program, &[ask])?).next()
}

/// The version, major and minor, that a program tells when asked for it by these arguments: the first two numbers it says. None if it
/// does not run.
pub(crate) fn version(program: &Path, ask: &[&str]) -> Option<(u32, u32)> {
    let told = told(program, ask)?;
    let mut numbers = numbers(&told);
    Some((numbers.next()?, numbers.next()?))
}

fn told(program: &Path, ask: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    surround(&mut command);
    let output = command.args(ask).stdin(Stdio::null()).output().ok()?;
    // Java answers on standard error.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    output.status.success().then_some(said)
}

fn numbers(text: &str) -> impl Iterator<Item = u32> {
    let digits = text.split(|it: char| !it.is_ascii_digit());
    digits.filter(|it| !it.is_empty()).map_while(|it| it.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_java_and_node_tell_them() {
        let first_number = |text: &str| numbers(text).next();
        assert_eq!(first_number("openjdk version \"17.0.15\" 2025-04-15\n…"), Some(17));
        // As old ones counted.
        assert_eq!(first_number("java version \"1.8.0_402\""), Some(1));
        assert_eq!(first_number("v20.20.2\n"), Some(20));
        assert_eq!(
            numbers("cargo-lambda 1.9.2 (67129fc 2026-08-21Z)")
                .take(2)
                .collect::<Vec<_>>(),
            [1, 9]
        );
        assert_eq!(first_number("Unable to locate a Java Runtime."), None);
    }

    #[test]
    fn a_program_that_does_not_run_has_no_version() {
        assert_eq!(major_version(Path::new("/nowhere/java"), "-version"), None);
        assert_eq!(major_version(Path::new("/bin/false"), "17"), None);
        assert_eq!(version(Path::new("/bin/false"), &["1.9"]), None);
    }
}
