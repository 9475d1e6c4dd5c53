//! One value of a form, and the kinds of values there are.

use std::{fmt::Display, ops::RangeInclusive};

use domain::{BadName, Timestamp};

use super::{
    Form,
    parts::{Elements, Members},
};
use crate::{decimal::Decimal, problem::Mistake};

/// A value, or every mistake in it.
pub type Read<T> = Result<T, Vec<Mistake>>;

/// A value of a form as it came, and its place.
pub struct Field<'a> {
    pointer: String,
    raw: &'a str,
}

impl<'a> Field<'a> {
    pub(super) fn new(pointer: String, raw: &'a str) -> Self {
        Self {
            pointer,
            raw: raw.trim_ascii(),
        }
    }

    /// The JSON text of the value, as it came.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The mistake that `message` tells of this value.
    pub fn wrong<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(vec![Mistake::new(self.pointer.clone(), message)])
    }

    pub(super) fn is_null(&self) -> bool {
        self.raw == "null"
    }

    /// A string.
    pub fn string(&self) -> Read<String> {
        serde_json::from_str(self.raw).or_else(|_| self.wrong("must be a string"))
    }

    /// A string of a length in characters, none of them control characters.
    pub fn plain(&self, chars: RangeInclusive<usize>) -> Read<String> {
        let text = self.string()?;
        if chars.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            return Ok(text);
        }
        let (least, most) = chars.into_inner();
        self.wrong(format!(
            "must be {least} to {most} characters, none of them control characters"
        ))
    }

    /// A string of at most `chars_max` characters; control characters other than line feed and tab are replaced, so that
    /// every store and every terminal takes it.
    pub fn prose(&self, chars_max: usize) -> Read<String> {
        let text = self.string()?;
        if text.chars().count() > chars_max {
            return self.wrong(format!("must be at most {chars_max} characters"));
        }
        let clean = |character: char| match character {
            '\n' | '\t' => character,
            _ if character.is_control() => char::REPLACEMENT_CHARACTER,
            _ => character,
        };
        Ok(text.chars().map(clean).collect())
    }

    /// A string that `parse` takes.
    pub fn name<T>(&self, parse: impl FnOnce(&str) -> Result<T, BadName>) -> Read<T> {
        let text = self.string()?;
        parse(&text).or_else(|rule| self.wrong(rule.to_string()))
    }

    /// One of the words that `parse` knows; `words` lists them.
    pub fn word<T>(&self, words: &[&str], parse: impl FnOnce(&str) -> Option<T>) -> Read<T> {
        let text = self.string().unwrap_or_default();
        parse(&text).map_or_else(|| self.wrong(format!("must be one of {}", words.join(", "))), Ok)
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Read<bool> {
        serde_json::from_str(self.raw).or_else(|_| self.wrong("must be true or false"))
    }

    /// An integer within `range`, however it is written.
    pub fn integer<T>(&self, range: RangeInclusive<T>) -> Read<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let is_number = self
            .raw
            .starts_with(|first: char| first == '-' || first.is_ascii_digit());
        let value = is_number.then(|| self.raw.parse().ok().or_else(|| Decimal::parse(self.raw).to_i64()));
        let value = value.flatten().and_then(|value| T::try_from(value).ok());
        match value.filter(|value| range.contains(value)) {
            Some(value) => Ok(value),
            None => self.wrong(format!("must be an integer from {} to {}", range.start(), range.end())),
        }
    }

    /// A number within `range`.
    pub fn number(&self, range: RangeInclusive<f64>) -> Read<f64> {
        let value: Option<f64> = serde_json::from_str(self.raw).ok();
        match value.filter(|value| range.contains(value)) {
            Some(value) => Ok(value),
            None => self.wrong(format!("must be a number from {} to {}", range.start(), range.end())),
        }
    }

    /// A moment as RFC 3339 text.
    pub fn moment(&self) -> Read<Timestamp> {
        let text = self.string().unwrap_or_default();
        Timestamp::parse(&text).map_or_else(|| self.wrong("must be a time like 2026-11-21T09:30:00.000Z"), Ok)
    }

    /// An array of at most `count_max` elements, each read by `reader`.
    pub fn list<T>(&self, count_max: usize, reader: impl Fn(&Field<'a>) -> Read<T>) -> Read<Vec<T>> {
        let Some(elements) = Elements::of(self.raw, count_max) else {
            return self.wrong("must be an array");
        };
        if elements.count > count_max {
            return self.wrong(format!(
                "must have at most {count_max} elements, and has {}",
                elements.count
            ));
        }
        let fields = elements.first.iter().enumerate();
        let read = fields.map(|(place, raw)| reader(&Field::new(format!("{}/{place}", self.pointer), raw)));
        gathered(read)
    }

    /// The JSON texts of an array of 1 to `count_max` elements.
    pub fn texts(&self, count_max: usize) -> Read<Vec<&'a str>> {
        match Elements::of(self.raw, count_max) {
            Some(elements) if (1..=count_max).contains(&elements.count) => Ok(elements.first),
            _ => self.wrong(format!("must be an array of 1 to {count_max} elements")),
        }
    }

    /// An object with members of any name, at most `count_max`, each read by `reader`.
    pub fn map<T>(&self, count_max: usize, reader: impl Fn(&str, &Field<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.object(|form| Some(form.prefixed("", |name, field| reader(name, field))))
            .and_then(|read| {
                if read.len() > count_max {
                    return self.wrong(format!("must have at most {count_max} members, and has {}", read.len()));
                }
                Ok(read)
            })
    }

    /// An object that `reader` reads; it gives `None` where a mistake was noted.
    pub fn object<T>(&self, reader: impl FnOnce(&mut Form<'a>) -> Option<T>) -> Read<T> {
        let Ok(members) = serde_json::from_str::<Members<'a>>(self.raw) else {
            return self.wrong("must be an object");
        };
        let mut form = Form::open(&self.pointer, members);
        let value = reader(&mut form);
        form.close(value)
    }
}

/// All values, or all mistakes.
fn gathered<T>(read: impl Iterator<Item = Read<T>>) -> Read<Vec<T>> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(value) => values.push(value),
            Err(more) => mistakes.extend(more),
        }
    }
    if mistakes.is_empty() { Ok(values) } else { Err(mistakes) }
}
