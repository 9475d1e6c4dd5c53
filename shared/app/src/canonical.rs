//! One form for all JSON texts of the same meaning, so that a request is recognised however it is written.
//!
//! White space and the order of members do not matter; strings and numbers count by value, and numbers exactly.

use std::{fmt::Write as _, ops::Range};

use sha2::{Digest as _, Sha256};

use crate::decimal::Decimal;

/// The digest of what `text` means, 32 hexadecimal digits. `text` has passed [`crate::json::check`].
pub fn digest(text: &str) -> String {
    digest_without(text, &[])
}

/// The digest of what the object `text` means without the members of these names.
pub fn digest_without(text: &str, left_out: &[&str]) -> String {
    let hash = Sha256::digest(canonical(text, left_out).as_bytes());
    hash[..16].iter().fold(String::with_capacity(32), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The canonical form of `text` without the members `left_out` of the object that it is.
fn canonical(text: &str, left_out: &[&str]) -> String {
    let mut reader = Reader {
        rest: text,
        out: String::with_capacity(text.len()),
    };
    reader.value(left_out);
    reader.out
}

/// Reads a checked text from front to back. Its depth is bounded by the check.
struct Reader<'a> {
    rest: &'a str,
    out: String,
}

impl Reader<'_> {
    fn value(&mut self, left_out: &[&str]) {
        match self.peek() {
            Some(b'{') => self.object(left_out),
            Some(b'[') => self.array(),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                let number = Decimal::parse(self.take_word()).to_string();
                self.out.push_str(&number);
            }
            _ => {
                let word = self.take_word().to_owned();
                self.out.push_str(&word);
            }
        }
    }

    fn array(&mut self) {
        self.bump();
        self.out.push('[');
        while self.peek().is_some_and(|byte| byte != b']') {
            self.value(&[]);
            if self.peek() == Some(b',') {
                self.bump();
                self.out.push(',');
            }
        }
        self.bump();
        self.out.push(']');
    }

    /// Writes the members as they come, then puts them in the order of their names.
    fn object(&mut self, left_out: &[&str]) {
        self.bump();
        let start = self.out.len();
        let mut members: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        while self.peek().is_some_and(|byte| byte != b'}') {
            let from = self.out.len();
            self.string();
            let name = from..self.out.len();
            self.peek();
            self.bump();
            self.out.push(':');
            self.value(&[]);
            let is_left_out = left_out
                .iter()
                .any(|member| self.out[name.clone()] == format!("\"{member}\""));
            if !is_left_out {
                members.push((name, from..self.out.len()));
            }
            if self.peek() == Some(b',') {
                self.bump();
            }
        }
        self.bump();
        members.sort_by(|(one, _), (other, _)| self.out[one.clone()].cmp(&self.out[other.clone()]));
        let texts: Vec<&str> = members.iter().map(|(_, member)| &self.out[member.clone()]).collect();
        let object = format!("{{{}}}", texts.join(","));
        self.out.truncate(start);
        self.out.push_str(&object);
    }

    fn string(&mut self) {
        self.peek();
        let mut escaped = false;
        let inner = self.rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let length = inner.map_or(self.rest.len(), |inner| inner + 2);
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        let value: String = serde_json::from_str(text).unwrap_or_else(|_| text.to_owned());
        self.out
            .push_str(&serde_json::to_string(&value).expect("a string can be written"));
    }

    /// Takes a number or a literal: all up to the next sign.
    fn take_word(&mut self) -> &str {
        let ends = |byte: u8| matches!(byte, b',' | b']' | b'}' | b':') || byte.is_ascii_whitespace();
        // At least one byte goes, so that nothing can hold up the reader.
        let length = self.rest.bytes().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length.max(1).min(self.rest.len()));
        self.rest = rest;
        word
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.bytes().next()
    }

    fn bump(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) {
        assert_eq!(canonical(one, &[]), canonical(other, &[]), "{one} and {other}");
        assert_eq!(digest(one), digest(other));
    }

    fn differ(one: &str, other: &str) {
        assert_ne!(digest(one), digest(other), "{one} and {other}");
    }

    #[test]
    fn writing_does_not_matter() {
        same(r#"{"a":1,"b":[true,null]}"#, "{ \"b\" : [ true , null ] ,\n\"a\": 1 }");
        same(r#""\u0041\/\n""#, r#""A/\u000a""#);
        same(r#"{"b":{"d":1,"c":2},"a":[]}"#, r#"{"a":[ ],"b":{"c":2,"d":1}}"#);
        same(r#"{"\u0061":1}"#, r#"{"a":1}"#);
    }

    #[test]
    fn numbers_count_by_value() {
        for text in ["1", "1.0", "1e0", "10e-1", "0.1E1", "1.000"] {
            same(text, "1");
        }
        same("0", "-0.0e7");
        same("1200", "1.2e3");
        same("123456789012345678901234567890.50", "123456789012345678901234567890.5");
        differ("123456789012345678901234567890.5", "123456789012345678901234567890.6");
        differ("1", "-1");
        differ("9007199254740993", "9007199254740992");
    }

    #[test]
    fn other_values_differ() {
        differ("[1,2]", "[2,1]");
        differ(r#"{"a":1}"#, r#"{"a":2}"#);
        differ(r#"{"a":"1"}"#, r#"{"a":1}"#);
        differ(r#"{"a":null}"#, "{}");
        differ("[[],[]]", "[[[]]]");
        differ(r#"["a,b"]"#, r#"["a","b"]"#);
    }

    #[test]
    fn a_member_can_be_left_out_of_the_whole_but_not_of_its_parts() {
        let without = |text: &str| digest_without(text, &["key"]);
        assert_eq!(without(r#"{"key":1,"a":2}"#), digest(r#"{"a":2}"#));
        assert_ne!(without(r#"{"a":{"key":1}}"#), without(r#"{"a":{}}"#));
    }

    proptest::proptest! {
        #[test]
        fn what_is_canonical_stays_as_it_is(text in arbitrary_json()) {
            let once = canonical(&text, &[]);
            proptest::prop_assert_eq!(canonical(&once, &[]), once.clone());
            let (one, other): (serde_json::Value, serde_json::Value) =
                (serde_json::from_str(&text).expect("JSON"), serde_json::from_str(&once).expect("JSON"));
            proptest::prop_assert_eq!(one, other);
        }
    }

    fn arbitrary_json() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
        .prop_map(|value| serde_json::to_string_pretty(&value).expect("JSON"))
    }
}
