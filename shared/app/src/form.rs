//! Reads an object so that every mistake in it is told, with its place.
//!
//! A form asks for each field that it knows. What is wrong is noted and reading goes on; what was never asked for is
//! unknown, and that is a mistake too.

mod field;
mod parts;

pub use self::field::{Field, Read};
use self::parts::Members;
use crate::problem::{Mistake, Problem};

/// How many members of one object are looked at; one that has more is refused with a mistake of its own.
const MEMBERS_MAX: usize = 200;

/// An object on its way to becoming a value.
pub struct Form<'a> {
    pointer: String,
    members: Vec<(String, &'a str)>,
    asked: Vec<&'static str>,
    taken: Vec<bool>,
    mistakes: Vec<Mistake>,
}

/// Reads `text`, which has passed [`crate::json::check`], by `reader`. It gives `None` where a mistake was noted.
pub fn read<'a, T>(text: &'a str, reader: impl FnOnce(&mut Form<'a>) -> Option<T>) -> Result<T, Problem> {
    Field::new(String::new(), text).object(reader).map_err(Problem::invalid)
}

impl<'a> Form<'a> {
    /// What is at `name`, which has to be there.
    pub fn required<T>(&mut self, name: &'static str, reader: impl FnOnce(&Field<'a>) -> Read<T>) -> Option<T> {
        let Some(field) = self.take(name) else {
            self.wrong(name, "is required");
            return None;
        };
        self.note(reader(&field))
    }

    /// What is at `name`, if it is there and not `null`.
    pub fn optional<T>(&mut self, name: &'static str, reader: impl FnOnce(&Field<'a>) -> Read<T>) -> Option<T> {
        let field = self.take(name)?;
        self.note(reader(&field))
    }

    /// What is at `name`, if it is there, `null` included.
    pub fn given<T>(&mut self, name: &'static str, reader: impl FnOnce(&Field<'a>) -> Read<T>) -> Option<T> {
        let field = self.find(name)?;
        self.note(reader(&field))
    }

    /// What is at each name that begins with `prefix`, with the rest of that name.
    pub fn prefixed<T>(&mut self, prefix: &'static str, reader: impl Fn(&str, &Field<'a>) -> Read<T>) -> Vec<T> {
        self.asked.push(prefix);
        let mut read = Vec::new();
        for place in 0..self.members.len() {
            let Some(rest) = self.members[place].0.strip_prefix(prefix).map(str::to_owned) else {
                continue;
            };
            self.taken[place] = true;
            let field = self.field(place);
            read.extend(self.note(reader(&rest, &field)));
        }
        read
    }

    /// Whether something other than `null` is at `name`.
    pub fn has(&self, name: &str) -> bool {
        self.members
            .iter()
            .any(|(member, raw)| member == name && *raw != "null")
    }

    /// Notes that what is at `name` is wrong.
    pub fn wrong(&mut self, name: &str, message: impl Into<String>) {
        let pointer = format!("{}/{}", self.pointer, escaped(name));
        self.mistakes.push(Mistake::new(pointer, message));
    }

    fn take(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.find(name).filter(|field| !field.is_null())
    }

    fn find(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.asked.push(name);
        let place = self.members.iter().position(|(member, _)| member == name)?;
        self.taken[place] = true;
        Some(self.field(place))
    }

    fn field(&self, place: usize) -> Field<'a> {
        let (name, raw) = &self.members[place];
        Field::new(format!("{}/{}", self.pointer, escaped(name)), raw)
    }

    fn note<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|mistakes| self.mistakes.extend(mistakes)).ok()
    }

    fn open(pointer: &str, members: Members<'a>) -> Self {
        let mut form = Self {
            pointer: pointer.to_owned(),
            taken: vec![false; members.first.len()],
            members: members.first,
            asked: Vec::new(),
            mistakes: Vec::new(),
        };
        members
            .repeated
            .iter()
            .for_each(|name| form.wrong(name, "is given more than once"));
        if members.count > MEMBERS_MAX {
            let message = format!("has {} fields, more than any that is taken", members.count);
            form.mistakes.push(Mistake::new(pointer, message));
        }
        form
    }

    /// The value that was read, unless there was a mistake.
    fn close<T>(mut self, value: Option<T>) -> Read<T> {
        let known = self.asked.join(", ");
        for place in 0..self.members.len() {
            if !self.taken[place] {
                let name = self.members[place].0.clone();
                let message = if known.is_empty() {
                    "is not known here; no field is".to_owned()
                } else {
                    format!("is not known here; known are {known}")
                };
                self.wrong(&name, message);
            }
        }
        match value {
            Some(value) if self.mistakes.is_empty() => Ok(value),
            _ if self.mistakes.is_empty() => Err(vec![Mistake::new(self.pointer, "cannot be read")]),
            _ => Err(self.mistakes),
        }
    }
}

/// A member's name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use domain::{QueueName, WorkflowName};

    use super::*;

    type Sample = (WorkflowName, i64, Vec<QueueName>, Option<bool>);

    fn sample(form: &mut Form<'_>) -> Option<Sample> {
        let workflow = form.required("workflow", |field| field.name(WorkflowName::parse));
        let priority = form.optional("priority", |field| field.integer(0..=20));
        let queues = form.optional("queues", |field| field.list(3, |each| each.name(QueueName::parse)));
        let deep = form.optional("deep", |field| {
            field.object(|form| form.required("flag", Field::boolean))
        });
        Some((workflow?, priority.unwrap_or(5), queues.unwrap_or_default(), deep))
    }

    fn pointers(text: &str) -> Vec<String> {
        let document = read(text, sample).map(|_| ()).expect_err("a mistake").document("r");
        let errors = document["errors"].as_array().expect("errors").clone();
        errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn a_right_form_gives_its_value() {
        let read = read(
            r#"{"workflow":"a","queues":["q"],"priority":null,"deep":{"flag":true}}"#,
            sample,
        )
        .expect("right");
        assert_eq!(read.0.as_str(), "a");
        assert_eq!((read.1, read.2.len(), read.3), (5, 1, Some(true)));
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        assert_eq!(
            pointers(r#"{"priority":21,"queues":["ok","NO",7],"deep":{"flag":1,"x":2},"a/b~c":1}"#),
            [
                "/workflow",
                "/priority",
                "/queues/1",
                "/queues/2",
                "/deep/flag",
                "/deep/x",
                "/a~1b~0c"
            ]
        );
    }

    #[test]
    fn a_body_that_is_no_object_is_wrong_as_a_whole() {
        for text in ["[]", "1", "\"x\"", "null", "true"] {
            assert_eq!(pointers(text), [""], "{text}");
        }
    }

    #[test]
    fn what_is_given_twice_is_told() {
        assert_eq!(pointers(r#"{"workflow":"a","workflow":"b"}"#), ["/workflow"]);
        assert_eq!(pointers(r#"{"workflow":"a","x":1,"x":1}"#), ["/x", "/x"]);
    }

    #[test]
    fn numbers_are_read_by_value_and_held_to_their_range() {
        for (text, right) in [
            ("5.0", true),
            ("2e1", true),
            ("-0", true),
            ("-1", false),
            ("0.5", false),
            ("1e99", false),
        ] {
            let text = format!(r#"{{"workflow":"a","priority":{text}}}"#);
            assert_eq!(read(&text, sample).is_ok(), right, "{text}");
        }
    }

    #[test]
    fn an_object_without_end_is_refused_without_listing_it_all() {
        let members: Vec<String> = (0..100_000).map(|place| format!("\"{place}\":0")).collect();
        let text = format!("{{\"workflow\":\"a\",{}}}", members.join(","));
        assert!(pointers(&text).contains(&String::new()));
    }

    #[test]
    fn a_list_that_is_too_long_is_told_once() {
        let text = format!(r#"{{"workflow":"a","queues":[{}"q"]}}"#, "\"q\",".repeat(500_000));
        assert_eq!(pointers(&text), ["/queues"]);
    }
}
