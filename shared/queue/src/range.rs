//! The range of texts that begin with a prefix, for stores that sort text byte by byte.

/// The least text that sorts, byte by byte, after every text that begins with `prefix`.
///
/// Where there is none, because every character of `prefix` is the greatest, or there is none in it, it is a text
/// that sorts after all that are stored.
pub fn prefix_end(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Surrogates are no characters: what follows U+D7FF is U+E000.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return end;
        }
    }
    AFTER_ALL.to_owned()
}

/// Sorts after every text that is stored: none begins with so many of the greatest character.
const AFTER_ALL: &str = "\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_text() {
        for (prefix, end) in [
            ("a", "b"),
            ("a/", "a0"),
            ("a~", "a\u{7f}"),
            ("\u{d7ff}", "\u{e000}"),
            ("a\u{10ffff}", "b"),
        ] {
            assert_eq!(prefix_end(prefix), end);
        }
    }

    #[test]
    fn what_begins_with_a_prefix_sorts_between_it_and_its_end() {
        for prefix in [
            "",
            "a",
            "a/",
            "é",
            "\u{7f}",
            "\u{d7ff}",
            "\u{ffff}",
            "\u{10ffff}",
            "z\u{10ffff}\u{10ffff}",
        ] {
            for rest in ["", "\u{1}", "a", "\u{ffff}", "\u{10ffff}", "\u{10ffff}\u{10ffff}"] {
                let text = format!("{prefix}{rest}");
                assert!(text.as_str() >= prefix && text < prefix_end(prefix), "{text:?}");
            }
        }
    }
}
