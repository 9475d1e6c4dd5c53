//! A part of the mutants, where all of them take too long.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECONDS: u64 = 86_400;

/// Every `of`-th mutant, from the `part`-th on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// From 1 to `of`.
    part: usize,
    of: usize,
}

impl Share {
    /// One of `of` parts, the next one each day.
    pub(super) fn of_the_day(of: usize) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::of_day(since.as_secs() / DAY_SECONDS, of)
    }

    fn of_day(day: u64, of: usize) -> Self {
        let part = usize::try_from(day % of as u64).unwrap_or_default() + 1;
        Self { part, of }
    }

    /// The ones of `all` that are in this part.
    pub(super) fn of<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        all.iter().skip(self.part - 1).step_by(self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Self { part, of }),
            _ => Err("a part is written like 1/3".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.part, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole_and_no_one_is_in_two() {
        let all: Vec<u32> = (0..10).collect();
        let mut parts: Vec<u32> = (20_000..20_003)
            .flat_map(|day| Share::of_day(day, 3).of(&all))
            .copied()
            .collect();
        parts.sort_unstable();
        assert_eq!(parts, all);
    }

    #[test]
    fn a_part_is_one_of_them() {
        assert_eq!("2/3".parse(), Ok(Share { part: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1/0", "1", "a/b", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
