//! JSON texts as they came: checked once, then read and passed on without losing a digit.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// How deep arrays and objects may lie within each other. Answers lay up to four more around what came, as a sync does around
/// a checkpoint, and many readers of JSON give up at 128.
pub const DEPTH_MAX: usize = 120;

/// Why bytes are no JSON that is taken; the message is for the person who sent them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Takes `bytes` if they are one JSON text: UTF-8, nothing after it, at most [`DEPTH_MAX`] deep, no half surrogate pairs.
pub fn check(bytes: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Malformed::new(format!("the body is no UTF-8 from byte {} on", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Err(Malformed::new("the body is empty"));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_eof() {
            "it ends too early"
        } else {
            "it is no JSON"
        };
        Malformed::new(format!("{what} at line {line}, column {column}"))
    })?;
    check_depth_and_escapes(text)?;
    Ok(text)
}

/// Looks at what the parser lets pass. The text is known to be JSON otherwise.
fn check_depth_and_escapes(text: &str) -> Result<(), Malformed> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut in_string) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                at += escape_length(&bytes[at..])
                    .ok_or_else(|| Malformed::new(format!("half of a surrogate pair is missing near byte {at}")))?;
                continue;
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Malformed::new(format!("it is more than {DEPTH_MAX} levels deep")));
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// How long the escape at the start of `bytes` is; `None` for half of a surrogate pair.
fn escape_length(bytes: &[u8]) -> Option<usize> {
    if bytes.get(1) != Some(&b'u') {
        return Some(2);
    }
    match code_unit(bytes)? {
        0xD800..=0xDBFF => {
            let second = bytes
                .get(6..)
                .filter(|rest| rest.starts_with(b"\\u"))
                .and_then(code_unit)?;
            (0xDC00..=0xDFFF).contains(&second).then_some(12)
        }
        0xDC00..=0xDFFF => None,
        _ => Some(6),
    }
}

/// The number in an escape like `\u00e4` at the start of `bytes`.
fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(bytes.get(2..6)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// `text`, which is JSON, without the white space between its parts.
pub fn compact(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |character: &char| {
        let part = in_string || !character.is_ascii_whitespace();
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        part
    };
    text.chars().filter(keep).collect()
}

/// `text`, which was checked when it came, as a value that is written as it is.
pub fn raw(text: String) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_every_kind_is_taken() {
        for text in [
            "null",
            " 1 ",
            "-0.5e+10",
            "\"\\u0000\"",
            "\"\\ud83d\\ude00\"",
            "\"\\\\ud800\"",
            "[]",
            "{\"a\":[1,{}]}",
            "1e99999",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(text));
        }
    }

    #[test]
    fn what_is_no_json_is_told() {
        for text in [
            &b""[..],
            b"  ",
            b"{",
            b"{} x",
            b"nul",
            b"'a'",
            b"[1,]",
            b"{\"a\":1,}",
            b"01",
            b"\"\n\"",
            b"\xff",
            b"\"\\ud800\"",
            b"\"\\ude00\"",
            b"\"\\ud83dx\"",
            b"\"\\ud83d\\u0041\"",
            b"\xef\xbb\xbf{}",
            b"NaN",
        ] {
            assert!(check(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(check(nested(DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(check(nested(1_000_000).as_bytes()).is_err());
        assert!(check(format!("\"{}\"", "[".repeat(1_000)).as_bytes()).is_ok());
    }

    #[test]
    fn compact_json_keeps_what_is_in_strings() {
        assert_eq!(
            compact(" { \"a b\" : [ 1.0 , \"\\\" x\" ] } "),
            "{\"a b\":[1.0,\"\\\" x\"]}"
        );
        assert_eq!(compact("\"\\\\\" "), "\"\\\\\"");
    }
}
