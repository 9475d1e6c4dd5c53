//! The inputs that are kept: written by hand, or found by a fuzzer and worth keeping.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// An input that is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The name of its file.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The folder of everything that concerns fuzzing.
pub fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs of the target `name`, by the names of their files.
pub fn of(name: &str) -> Vec<Kept> {
    let folder = home().join("corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut kept: Vec<Kept> = files
        .map(|file| read(&file.expect("a folder can be read").path()))
        .collect();
    kept.sort_by(|one, other| one.name.cmp(&other.name));
    kept
}

fn read(file: &Path) -> Kept {
    Kept {
        name: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: fs::read(file).expect("a kept input can be read"),
    }
}

/// The words that inputs are made of, from the dictionary that libFuzzer takes as well: a word in quotes a line.
pub fn words() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(home().join("words.dict")).expect("the dictionary is there");
    text.lines().filter_map(word).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let quoted = line.trim().strip_prefix('"')?.strip_suffix('"')?;
    let (mut bytes, mut rest) = (Vec::new(), quoted.as_bytes());
    loop {
        rest = match rest {
            [] => break,
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                after
            }
            [b'\\', escaped, after @ ..] => {
                bytes.push(*escaped);
                after
            }
            [first, after @ ..] => {
                bytes.push(*first);
                after
            }
        };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_what_stands_between_its_quotes() {
        assert_eq!(word(r#""a\"b\\c\x00\xfF""#), Some(b"a\"b\\c\x00\xff".to_vec()));
        assert_eq!(word("# a comment"), None);
    }
}
