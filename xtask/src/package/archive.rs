//! The archive of a function, as Lambda takes it: a program called `bootstrap`, and nothing that changes from build to build.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// What Lambda starts.
const PROGRAM: &str = "bootstrap";

/// It may be run and read by all, for Lambda runs it under an account of its own.
const MODE: u32 = 0o755;

/// The smallest; a function is unpacked at each cold start, which takes as long at every level.
const LEVEL: i64 = 9;

/// The archive of this program. The same program always gives the same bytes: its time is the first that an archive can have.
pub(crate) fn of(program: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(MODE);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file(PROGRAM, options)?;
    archive.write_all(program)?;
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};
    use zip::ZipArchive;

    use super::super::manifest::hex;
    use super::*;

    /// As long as a program, and as little alike.
    fn program() -> Vec<u8> {
        let word = |number: u32| number.wrapping_mul(2_654_435_761).to_be_bytes();
        (0..100_000).flat_map(|number| word(number / 3)).collect()
    }

    #[test]
    fn an_archive_holds_the_program_that_all_may_run() {
        let archive = of(&program()).expect("is made");
        let mut archive = ZipArchive::new(Cursor::new(archive)).expect("is one");
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_index(0).expect("is there");
        assert_eq!(file.name().expect("is UTF-8"), "bootstrap");
        assert_eq!(file.unix_mode(), Some(0o100_755));
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        let mut unpacked = Vec::new();
        file.read_to_end(&mut unpacked).expect("is whole");
        assert_eq!(unpacked, program());
    }

    #[test]
    fn the_same_program_gives_the_same_archive_today_and_with_the_next_release() {
        let archive = of(&program()).expect("is made");
        assert_eq!(archive, of(&program()).expect("is made"));
        assert_ne!(archive, of(&program()[1..]).expect("is made"));
        // Another way to compress would change every function's hash, which is to be known before it is done.
        let small = of(b"#!/bin/sh\nexit 0\n").expect("is made");
        let hash = hex(&Sha256::digest(&small));
        assert_eq!(hash, "31fe6bca93bcbf5193e659a931772aa504d78d029ebac846efa37d53bfbb6170");
    }
}
