//! The Java that `DynamoDB` Local runs on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program;

/// The oldest Java that `DynamoDB` Local runs on.
const VERSION_MIN: u32 = 17;

/// Where Linux keeps each version of Java.
const INSTALLED: &str = "/usr/lib/jvm";

/// The first Java, new enough, of: `JAVA_HOME`'s, the path's, and those that are installed but not on it.
pub(super) fn find() -> Option<PathBuf> {
    let home = env::var_os("JAVA_HOME").map(|it| Path::new(&it).join("bin/java"));
    let mut candidates = home.into_iter().chain(program::on_path("java")).chain(installed());
    candidates.find(|it| program::major_version(it, "-version").is_some_and(|it| it >= VERSION_MIN))
}

fn installed() -> impl Iterator<Item = PathBuf> {
    let folders = fs::read_dir(INSTALLED).into_iter().flatten().flatten();
    folders.map(|it| it.path().join("bin/java")).filter(|it| it.is_file())
}
