//! Words that the inner crates do not say outside their tests: whatever asks a clock or rolls dice.
//!
//! The `clippy.toml` of each such crate says the same with types; this also sees what a macro or a `use` would hide from it, and
//! fails in a test run as well.

/// What asks a clock, waits or rolls dice.
const ASKING: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "tokio::time",
    "rand::",
    "fastrand::",
    "getrandom::",
    "new_v4",
    "now_v7",
];

/// A line that names what it should not.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// The number of the line, from one.
    pub line: usize,
    /// What it names.
    pub word: &'static str,
}

/// The lines of a Rust file, formatted by rustfmt, that ask a clock or chance; comments and what is for tests only are left out.
pub fn asking(source: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lines = source.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = indent_of(line);
            // The item ends where a line is no deeper than its attribute and closes it.
            lines
                .by_ref()
                .find(|(_, it)| indent_of(it) <= indent && it.ends_with(['}', ';']));
        } else {
            findings.extend(words_in(line).map(|word| Finding { line: number + 1, word }));
        }
    }
    findings
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn words_in(line: &str) -> impl Iterator<Item = &'static str> {
    let code = line.split("//").next().unwrap_or_default();
    ASKING.iter().copied().filter(move |word| names(code, word))
}

fn names(code: &str, word: &str) -> bool {
    let within_a_word = |at: usize| code[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
    code.match_indices(word).any(|(at, _)| !within_a_word(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_found_with_its_line() {
        let source = "fn f() {\n    let now = Timestamp::now();\n}\n";
        let found = Finding {
            line: 2,
            word: "Timestamp::now",
        };
        assert_eq!(asking(source), [found]);
    }

    #[test]
    fn comments_and_longer_words_are_no_findings() {
        assert_eq!(
            asking("// never Instant::now\nlet it = operand::new(); // rand::rng\n"),
            []
        );
    }

    #[test]
    fn what_is_for_tests_is_left_out_and_what_follows_is_not() {
        let source = "\
#[cfg(test)]
mod tests {
    fn f() {
        rand::rng();
    }
}

#[cfg(test)]
use rand::rng;

fn g() {
    fastrand::u8(..);
}
";
        assert_eq!(
            asking(source),
            [Finding {
                line: 12,
                word: "fastrand::"
            }]
        );
    }
}
