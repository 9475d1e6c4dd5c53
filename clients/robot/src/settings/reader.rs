//! Reads a TOML table setting by setting, and collects every mistake instead of ending at the first.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::{Table, Value};

pub(super) struct Reader {
    /// What stands before a setting's name in messages, like `workflows."export".`.
    place: String,
    table: Table,
    known: Vec<&'static str>,
    mistakes: Vec<String>,
}

impl Reader {
    pub(super) fn new(table: Table) -> Reader {
        Reader::within(String::new(), table)
    }

    pub(super) fn within(place: String, table: Table) -> Reader {
        Reader {
            place,
            table,
            known: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    pub(super) fn mistake(&mut self, message: String) {
        self.mistakes.push(message);
    }

    /// The value, or a mistake and a placeholder that nobody will see.
    pub(super) fn require<T: Default>(&mut self, name: &str, value: Option<T>, hint: &str) -> T {
        value.unwrap_or_else(|| {
            self.mistake_unless_told(name, &format!("is missing: {hint}"));
            T::default()
        })
    }

    /// A mistake about a setting, unless one has been told about it already.
    pub(super) fn mistake_unless_told(&mut self, name: &str, what: &str) {
        let setting = format!("`{}{name}`", self.place);
        if !self.mistakes.iter().any(|mistake| mistake.starts_with(&setting)) {
            self.mistakes.push(format!("{setting} {what}"));
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if !text.trim().is_empty() => Some(text),
            other => self.wrong(name, "a text in quotes that is not empty", &other),
        }
    }

    pub(super) fn integer(&mut self, name: &'static str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        match self.take(name) {
            None => default,
            Some(Value::Integer(number)) if range.contains(&number) => number,
            Some(other) => self.wrong(name, &wanted, &other).unwrap_or(default),
        }
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        const WANTED: &str = "a list of texts, like [\"a\", \"b\"]";
        let value = self.take(name)?;
        let Value::Array(items) = &value else {
            return self.wrong(name, WANTED, &value);
        };
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.or_else(|| self.wrong(name, WANTED, &value))
    }

    pub(super) fn text_table(&mut self, name: &'static str) -> BTreeMap<String, String> {
        const WANTED: &str = "a table of texts, like { a = \"b\" }";
        let Some(value) = self.take(name) else {
            return BTreeMap::new();
        };
        let texts = value.as_table().and_then(|table| {
            table
                .iter()
                .map(|(key, item)| Some((key.clone(), item.as_str()?.to_owned())))
                .collect()
        });
        texts.or_else(|| self.wrong(name, WANTED, &value)).unwrap_or_default()
    }

    pub(super) fn tables(&mut self, name: &'static str) -> Vec<(String, Table)> {
        let Some(value) = self.take(name) else {
            return Vec::new();
        };
        let Value::Table(tables) = value else {
            return self.wrong(name, "a table", &value).unwrap_or_default();
        };
        let mut read = Vec::new();
        for (key, value) in tables {
            match value {
                Value::Table(table) => read.push((key, table)),
                other => self.mistakes.push(format!(
                    "`{name}.{key:?}` must be a table with a command, not {}",
                    other.type_str()
                )),
            }
        }
        read
    }

    /// Takes over another reader's mistakes, and what it found nobody asked for.
    pub(super) fn take_mistakes(&mut self, other: Reader) {
        if let Err(mistakes) = other.finish() {
            self.mistakes.extend(mistakes);
        }
    }

    /// All mistakes, settings that nobody asked for included.
    pub(super) fn finish(mut self) -> Result<(), Vec<String>> {
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for name in unknown {
            self.mistakes.push(format!(
                "`{}{name}` is no setting; those there are: {}",
                self.place,
                self.known.join(", ")
            ));
        }
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(self.mistakes)
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.table.remove(name)
    }

    fn wrong<T>(&mut self, name: &str, wanted: &str, found: &Value) -> Option<T> {
        let found = match found {
            Value::String(text) if text.trim().is_empty() => "an empty text".to_owned(),
            Value::Integer(number) => number.to_string(),
            other => format!("a value of type {}", other.type_str()),
        };
        self.mistakes
            .push(format!("`{}{name}` must be {wanted}, not {found}", self.place));
        None
    }
}
