//! Where the server is, and paths on it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use crate::CallError;

/// What stands in a path segment as itself: RFC 3986's unreserved characters. All else is encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The text as one path segment: whatever it holds, it stays one segment.
///
/// Only `.` and `..` cannot be written as a segment at all; a call to a path with one is a [`CallError::BadAddress`].
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The base address without its trailing slash, checked: http or https, a host, nothing after the path.
pub(crate) fn parse_base(text: &str) -> Result<Url, CallError> {
    let bad = |reason: &str| CallError::BadAddress {
        url: text.to_owned(),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: it holds a password.
        return Err(CallError::BadAddress {
            url: url.host_str().unwrap_or_default().to_owned(),
            reason: "an address carries no user name or password; give the key apart".to_owned(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it must end with the path: no ? and no #"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The address of a path (begins with `/`, segments encoded) on this server.
pub(crate) fn join(base: &str, path: &str) -> Result<Url, CallError> {
    let bad = |reason: &str| CallError::BadAddress {
        url: format!("{base}{path}"),
        reason: reason.to_owned(),
    };
    if !path.starts_with('/') {
        return Err(bad("a path begins with /"));
    }
    if path.contains(['?', '#']) {
        return Err(bad("a path holds no ? and no #; the query is given apart"));
    }
    // A URL parser takes such a segment, also an encoded one, for a step through the tree: the call would reach another route.
    if path.split('/').any(is_dots) {
        return Err(bad("a path holds no segment `.` or `..`"));
    }
    Url::parse(&format!("{base}{path}")).map_err(|error| bad(&error.to_string()))
}

fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// Whether the server is on this very machine, which no proxy stands in front of.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one_segment() {
        for (text, expected) in [
            ("invoice-export_1.2~a", "invoice-export_1.2~a"),
            ("a/b", "a%2Fb"),
            ("100%", "100%25"),
            ("what? #1", "what%3F%20%231"),
            ("Zürich", "Z%C3%BCrich"),
        ] {
            assert_eq!(segment(text), expected);
        }
    }

    #[test]
    fn a_base_loses_its_trailing_slash_and_keeps_its_path() {
        for (text, expected) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
            (" https://jobs.example/prod/ ", "https://jobs.example/prod"),
        ] {
            assert_eq!(parse_base(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn a_base_that_is_no_server_is_refused() {
        for text in [
            "",
            "127.0.0.1:9000",
            "ftp://a",
            "http://a/?b=c",
            "http://a/#b",
            "http://",
        ] {
            assert!(matches!(parse_base(text), Err(CallError::BadAddress { .. })), "{text}");
        }
    }

    #[test]
    fn a_password_in_the_base_is_refused_and_not_repeated() {
        let error = parse_base("http://anna:s3cret@host").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn a_path_cannot_step_out_of_its_route() {
        for path in [
            "/v1/jobs/..",
            "/v1/jobs/%2e%2E/keys",
            "/v1/jobs/./x",
            "v1",
            "/v1/jobs?limit=1",
        ] {
            assert!(join("http://a", path).is_err(), "{path}");
        }
        assert_eq!(
            join("http://a/prod", "/v1/jobs/a%2Fb").unwrap().as_str(),
            "http://a/prod/v1/jobs/a%2Fb"
        );
    }

    #[test]
    fn loopback_is_known_by_name_and_by_address() {
        for (text, expected) in [
            ("http://127.0.0.1:9", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("https://jobs.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(text).unwrap()), expected, "{text}");
        }
    }
}
