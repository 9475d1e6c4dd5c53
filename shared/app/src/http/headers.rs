//! Headers that carry values.

use axum::http::HeaderMap;
use domain::LeaseToken;

use crate::problem::Problem;

/// The longest idempotency key.
const IDEMPOTENCY_CHARS_MAX: usize = 255;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LEASE_TOKEN: &str = "x-lease-token";

/// The key of the header `Idempotency-Key`, if there is one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| is_idempotency_key(key));
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        (Some(_), Some(_)) => Err(Problem::one("header/idempotency-key", "is given more than once")),
        (None, _) => Err(Problem::one("header/idempotency-key", IDEMPOTENCY_RULE)),
    }
}

/// What an idempotency key must be.
pub const IDEMPOTENCY_RULE: &str = "must be 1 to 255 printable ASCII characters";

/// Whether `text` can be an idempotency key.
pub fn is_idempotency_key(text: &str) -> bool {
    (1..=IDEMPOTENCY_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The token of the header `x-lease-token`.
pub fn lease_token(headers: &HeaderMap) -> Result<LeaseToken, Problem> {
    let pointer = "header/x-lease-token";
    let value = headers
        .get(LEASE_TOKEN)
        .ok_or_else(|| Problem::one(pointer, "is required"))?;
    let text = value.to_str().unwrap_or_default();
    LeaseToken::parse(text).map_err(|rule| Problem::one(pointer, rule.to_string()))
}

/// The W3C trace context that came with the request. One that is not valid is left out, as its specification asks.
pub fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?.trim();
    is_traceparent(text).then(|| text[..TRACEPARENT_CHARS].to_owned())
}

/// `VERSION-TRACE-PARENT-FLAGS`: 2, 32, 16 and 2 hexadecimal digits. A later version may have more after them.
const TRACEPARENT_CHARS: usize = 55;

fn is_traceparent(text: &str) -> bool {
    if !text.is_ascii() || text.len() < TRACEPARENT_CHARS {
        return false;
    }
    let (head, more) = text.split_at(TRACEPARENT_CHARS);
    let parts: Vec<&str> = head.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else {
        return false;
    };
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_something = |part: &str| part.bytes().any(|byte| byte != b'0');
    let ends_well = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => more.is_empty() || more.starts_with('-'),
    };
    let well_formed = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    ends_well && well_formed && is_something(trace) && is_something(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_trace_context_is_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_traceparent(good));
        assert!(is_traceparent(
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later"
        ));
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331-01--",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn an_idempotency_key_is_printable_ascii() {
        for (key, right) in [
            ("a", true),
            ("with space ~", true),
            ("", false),
            ("tab\t", false),
            (&"k".repeat(256), false),
        ] {
            assert_eq!(is_idempotency_key(key), right, "{key:?}");
        }
    }
}
