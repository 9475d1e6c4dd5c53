//! The members of an object and the elements of an array, as the texts they came as.
//!
//! What is beyond the bounds is counted and skipped, so that a body of many tiny parts takes no more room than it came in.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::MEMBERS_MAX;

/// The members of an object.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    /// The first of each name, up to [`MEMBERS_MAX`].
    pub(super) first: Vec<(String, &'a str)>,
    /// The names that came again.
    pub(super) repeated: Vec<String>,
    /// How many there are.
    pub(super) count: usize,
}

/// The elements of an array.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    /// Those within the bound.
    pub(super) first: Vec<&'a str>,
    /// How many there are.
    pub(super) count: usize,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        let mut seen: HashSet<String> = HashSet::new();
        while members.count < MEMBERS_MAX {
            let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? else {
                return Ok(members);
            };
            members.count += 1;
            if seen.insert(name.clone()) {
                members.first.push((name, raw.get()));
            } else {
                members.repeated.push(name);
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members.count += 1;
        }
        Ok(members)
    }
}

impl<'a> Elements<'a> {
    /// The elements of the array `text`, up to `max` of them; `None` when it is no array.
    pub(super) fn of(text: &'a str, max: usize) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_seq(ElementsVisitor { max }).ok()
    }
}

struct ElementsVisitor {
    max: usize,
}

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Elements<'de>, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.max {
            let Some(element) = sequence.next_element::<&'de RawValue>()? else {
                let count = first.len();
                return Ok(Elements { first, count });
            };
            first.push(element.get());
        }
        let mut count = first.len();
        while sequence.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Elements { first, count })
    }
}
