//! Times and spans as people read and write them.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How far `at` lies from `now`, in the largest unit that fits: `3m ago`, `in 2h`, `now`.
pub(crate) fn relative(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", coarse(seconds)),
        _ => format!("{} ago", coarse(-seconds)),
    }
}

/// The time to the second in UTC, with how far it lies from `now`.
pub(crate) fn exact(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({})", to_the_second(at), relative(now, at))
}

/// The time in UTC, to the second.
pub(crate) fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time of day in UTC, to the second.
pub(crate) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// A span in at most two units: `45s`, `3m 20s`, `1d 2h`.
pub(crate) fn span(seconds: i64) -> String {
    let (larger, smaller) = match seconds {
        ..MINUTE => return format!("{seconds}s"),
        MINUTE..HOUR => ((seconds / MINUTE, "m"), (seconds % MINUTE, "s")),
        HOUR..DAY => ((seconds / HOUR, "h"), (seconds % HOUR / MINUTE, "m")),
        DAY.. => ((seconds / DAY, "d"), (seconds % DAY / HOUR, "h")),
    };
    match smaller.0 {
        0 => format!("{}{}", larger.0, larger.1),
        rest => format!("{}{} {rest}{}", larger.0, larger.1, smaller.1),
    }
}

/// A span between two times, to the tenth of a second while it is short.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> String {
    let elapsed = to.duration_since(from).max(SignedDuration::ZERO);
    if elapsed.as_secs() < MINUTE {
        format!("{:.1}s", elapsed.as_secs_f64())
    } else {
        span(elapsed.as_secs())
    }
}

fn coarse(seconds: i64) -> String {
    match seconds {
        ..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        DAY.. => format!("{}d", seconds / DAY),
    }
}

/// A span as given on the command line: whole seconds (`90`), or units (`90s`, `5m`, `1h30m`, `2d`).
pub(crate) fn parse_span(text: &str) -> Result<SignedDuration, String> {
    const HINT: &str = "a span is seconds or has units: 90, 90s, 5m, 1h30m, 2d";
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(SignedDuration::from_secs(i64::from(seconds)));
    }
    let span: Span = text.parse().map_err(|_| HINT.to_owned())?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| HINT.to_owned())?;
    if duration.is_negative() || duration.subsec_nanos() != 0 {
        return Err(HINT.to_owned());
    }
    Ok(duration)
}

/// A time as given on the command line: itself, or how far ahead it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// At this time.
    At(Timestamp),
    /// So long from now.
    In(SignedDuration),
}

impl Moment {
    /// The time that is meant, seen from `now`, to the millisecond.
    pub(crate) fn resolve(self, now: Timestamp) -> Result<Timestamp, String> {
        let at = match self {
            Moment::At(at) => at,
            Moment::In(ahead) => now
                .checked_add(ahead)
                .map_err(|_| "the time lies too far ahead".to_owned())?,
        };
        at.round(jiff::Unit::Millisecond)
            .map_err(|_| "the time lies too far ahead".to_owned())
    }
}

/// A time in RFC 3339, or a span from now.
pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse() {
        return Ok(Moment::At(at));
    }
    parse_span(text)
        .map(Moment::In)
        .map_err(|_| "a time is RFC 3339 (2030-01-31T08:00:00Z) or a span from now (90s, 2h, 1d)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_told_from_now_in_its_largest_unit() {
        let now = at("2026-11-21T12:00:00Z");
        for (time, told) in [
            ("2026-11-21T12:00:00.400Z", "now"),
            ("2026-11-21T11:59:15Z", "45s ago"),
            ("2026-11-21T11:57:00Z", "3m ago"),
            ("2026-11-21T14:30:00Z", "in 2h"),
            ("2026-11-11T12:00:00Z", "10d ago"),
        ] {
            assert_eq!(relative(now, at(time)), told, "{time}");
        }
    }

    #[test]
    fn a_span_has_at_most_two_units() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (200, "3m 20s"),
            (3660, "1h 1m"),
            (93_600, "1d 2h"),
            (86_400, "1d"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }

    #[test]
    fn a_span_is_read_with_and_without_units() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(parse_span(text).unwrap().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn a_span_that_is_negative_or_fractional_or_no_span_is_refused() {
        for text in ["-5", "-5s", "1.5s", "soon", "", "100ms"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_a_span_from_now() {
        let now = at("2026-11-21T12:00:00.123456Z");
        for (text, time) in [
            ("2030-01-31T08:00:00+01:00", "2030-01-31T07:00:00Z"),
            ("2h", "2026-11-21T14:00:00.123Z"),
            ("30", "2026-11-21T12:00:30.123Z"),
        ] {
            assert_eq!(parse_moment(text).unwrap().resolve(now).unwrap(), at(time), "{text}");
        }
        assert!(parse_moment("tomorrow").is_err());
    }
}
