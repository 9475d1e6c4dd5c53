//! Where the program `cargo-lambda` is, and the linker that it builds with: named by the user, on the machine, or in a wheel that is
//! fetched once.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::pip::Wheel;
use crate::program;

/// Names the program `cargo-lambda` to take, in place of the one on the path.
pub const CARGO_LAMBDA: &str = "REMUDA_CARGO_LAMBDA";

/// The oldest version that runs several instances of a function.
const VERSION_MIN: (u32, u32) = (1, 9);

const WHEEL: Wheel = Wheel {
    name: "cargo-lambda",
    version: "1.9.2",
    what: "cargo-lambda",
};

/// Names the program `zig` to link with, in place of the one that is fetched; `cargo-lambda` knows it by this name too.
const ZIG: &str = "CARGO_ZIGBUILD_ZIG_PATH";

/// One version and no other: another one gives other programs.
const ZIG_WHEEL: Wheel = Wheel {
    name: "ziglang",
    version: "0.15.2",
    what: "the linker Zig",
};

const HOW_TO_GET_ZIG: &str = "Zig is missing, by which cargo-lambda links for Lambda's C library: install Python 3 with pip, from which it \
is fetched, or name the program in CARGO_ZIGBUILD_ZIG_PATH";

const HOW_TO_GET_IT: &str = "cargo-lambda is missing. Any of these brings it: install it (`pip install cargo-lambda`, \
`brew install cargo-lambda/tap/cargo-lambda`), name the program in REMUDA_CARGO_LAMBDA, or install Python 3 with pip, from which it is \
fetched";

/// The program `cargo-lambda`, at least version 1.9, the first that is there of: the one that `REMUDA_CARGO_LAMBDA` names, the path's, the
/// wheel's, which is fetched when there is no other.
pub fn cargo_lambda() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os(CARGO_LAMBDA).map(PathBuf::from) {
        ensure!(
            is_new_enough(&named),
            "{CARGO_LAMBDA} is {}, which is no cargo-lambda of version 1.9 or later",
            named.display()
        );
        return Ok(named);
    }
    if let Some(found) = program::on_path("cargo-lambda")
        .into_iter()
        .find(|it| is_new_enough(it))
    {
        return Ok(found);
    }
    let fetched = WHEEL.fetched(None).context(HOW_TO_GET_IT)?.join("bin/cargo-lambda");
    ensure!(is_new_enough(&fetched), "{} does not run", fetched.display());
    Ok(fetched)
}

/// The program `zig`: the one that `CARGO_ZIGBUILD_ZIG_PATH` names, or else the wheel's, which is fetched when it is not there. One that
/// happens to be on the path is not taken, so that the same code gives the same program on every machine.
pub fn zig() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os(ZIG).map(PathBuf::from) {
        ensure!(named.is_file(), "{ZIG} is {}, which is no program", named.display());
        return Ok(named);
    }
    let fetched = ZIG_WHEEL.fetched(None).context(HOW_TO_GET_ZIG)?;
    Ok(fetched.join("ziglang/zig"))
}

fn is_new_enough(program: &Path) -> bool {
    program::version(program, &["lambda", "--version"]).is_some_and(|it| it >= VERSION_MIN)
}
