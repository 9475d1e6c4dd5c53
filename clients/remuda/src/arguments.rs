//! Readers of single values from the command line; what they refuse never reaches the server.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::ValueEnum;
use serde_json::value::RawValue;

/// One label, written `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    name: String,
    value: String,
}

impl Label {
    /// As the list of jobs is asked for it: `label.NAME`, and the value.
    pub(crate) fn to_filter(&self) -> (String, String) {
        (format!("label.{}", self.name), self.value.clone())
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Label {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("a label is written name=value".to_owned()),
        }
    }
}

/// The labels by name; a name given twice is refused rather than silently overwritten.
pub(crate) fn labels_by_name(labels: &[Label]) -> Result<BTreeMap<String, String>, String> {
    let mut by_name = BTreeMap::new();
    for label in labels {
        if by_name.insert(label.name.clone(), label.value.clone()).is_some() {
            return Err(format!("the label {} is given twice", label.name));
        }
    }
    Ok(by_name)
}

/// JSON kept as it was written, so that no number loses a digit on the way.
pub(crate) fn parse_json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error} (a text needs its quotes: '\"text\"')"))
}

/// The states a job can be in, as the API writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum JobState {
    Scheduled,
    Ready,
    Leased,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
}

/// How a queue chooses among robots that could take a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Strategy {
    /// The robot with the most free slots.
    LeastLoaded,
    /// One after another.
    RoundRobin,
    /// Any.
    Random,
    /// The robot that ran the workflow last.
    Affinity,
}

/// What becomes of a job when the robot that runs it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum OnLost {
    /// It goes to another robot.
    Retry,
    /// It fails at the first loss.
    Fail,
}

/// What becomes of a job whose dedup key an unfinished job holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum OnConflict {
    /// The one there is is returned.
    Return,
    /// It is refused.
    Reject,
    /// It takes the place of one that is not yet with a robot.
    Replace,
}

/// The name of a value as the API writes it.
pub(crate) fn name_of<V: ValueEnum>(value: &V) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_split_at_its_first_equals_sign() {
        let label: Label = "team=a=b".parse().unwrap();
        assert_eq!(label.to_filter(), ("label.team".to_owned(), "a=b".to_owned()));
        assert!("team".parse::<Label>().is_err());
        assert!("=x".parse::<Label>().is_err());
    }

    #[test]
    fn a_label_given_twice_is_refused() {
        let labels: Vec<Label> = ["a=1", "a=2"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(labels_by_name(&labels), Err("the label a is given twice".to_owned()));
    }

    #[test]
    fn json_keeps_the_digits_of_a_large_number() {
        assert_eq!(
            parse_json("12345678901234567890.123").unwrap().get(),
            "12345678901234567890.123"
        );
        assert!(parse_json("plain").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn values_are_named_as_the_api_names_them() {
        assert_eq!(name_of(&JobState::TimedOut), "timed_out");
        assert_eq!(name_of(&Strategy::LeastLoaded), "least_loaded");
    }
}
