//! Numbers as they are written in JSON, compared and bounded by their exact value.

use std::fmt;

/// Beyond so many digits an exponent is no number that anybody means; such numbers are told apart by their digits alone.
const EXPONENT_DIGITS_MAX: usize = 18;

/// Integers with no more zeros than this at their end are written without an exponent.
const PLAIN_ZEROS_MAX: usize = 20;

/// The value of a JSON number: `digits × 10^exponent`, `digits` without zeros at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: String,
    exponent: Exponent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exponent {
    Known(i64),
    /// As it was written, without a plus and leading zeros, and the number of digits after the point.
    Vast(String, usize),
}

impl Decimal {
    /// Reads a number that is well-formed JSON.
    pub fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, mantissa) = mantissa
            .strip_prefix('-')
            .map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let written = format!("{whole}{fraction}");
        let trimmed = written.trim_end_matches('0');
        let digits = trimmed.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Self {
                negative: false,
                digits,
                exponent: Exponent::Known(0),
            };
        }
        // `written` is `digits` with as many zeros after it as were cut, and the fraction shifts the point.
        let shift =
            i64::try_from(written.len() - trimmed.len()).unwrap_or(0) - i64::try_from(fraction.len()).unwrap_or(0);
        Self {
            negative,
            digits,
            exponent: Exponent::parse(exponent, shift),
        }
    }

    /// The value, if it is an integer that fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let Exponent::Known(zeros) = self.exponent else {
            return None;
        };
        let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros < 20)?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}{}", self.digits, "0".repeat(zeros)).parse().ok()
    }
}

impl Exponent {
    fn parse(text: &str, shift: i64) -> Self {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.strip_prefix('+').unwrap_or(text)),
        };
        let digits = digits.trim_start_matches('0');
        if digits.len() <= EXPONENT_DIGITS_MAX {
            let exponent: i64 = format!("{sign}0{digits}").parse().unwrap_or(0);
            return Self::Known(exponent + shift);
        }
        Self::Vast(format!("{sign}{digits}"), usize::try_from(shift.abs()).unwrap_or(0))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return out.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        match &self.exponent {
            Exponent::Known(exponent) => match usize::try_from(*exponent) {
                Ok(zeros) if zeros <= PLAIN_ZEROS_MAX => write!(out, "{sign}{}{}", self.digits, "0".repeat(zeros)),
                _ => write!(out, "{sign}{}e{exponent}", self.digits),
            },
            Exponent::Vast(exponent, shift) => write!(out, "{sign}{}e{exponent}.{shift}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_recognised_however_they_are_written() {
        for (text, value) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("0.5e1", Some(5)),
            ("-12e2", Some(-1_200)),
            ("0e999999999999999999999", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("5.5", None),
            ("1e19", None),
            ("1e99999999999999999999", None),
        ] {
            assert_eq!(Decimal::parse(text).to_i64(), value, "{text}");
        }
    }
}
