//! Which jobs are meant, for the list and for bulk changes.

use clap::Args;
use serde_json::{Map, Value};

use crate::arguments::{JobState, Label, name_of};

/// Conditions that all have to hold.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct JobFilter {
    /// Jobs in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) state: Option<JobState>,
    /// Jobs of this queue
    #[arg(long, value_name = "QUEUE")]
    pub(crate) queue: Option<String>,
    /// Jobs of this workflow
    #[arg(long, value_name = "WORKFLOW")]
    pub(crate) workflow: Option<String>,
    /// Jobs that this robot has or had last
    #[arg(long, value_name = "ROBOT_ID")]
    pub(crate) robot: Option<String>,
    /// Jobs with this label; several must all be there
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<Label>,
}

impl JobFilter {
    /// The conditions as the list's parameters.
    pub(crate) fn to_query(&self) -> Vec<(String, String)> {
        let named = [
            ("state", self.state.as_ref().map(name_of)),
            ("queue", self.queue.clone()),
            ("workflow", self.workflow.clone()),
            ("robot", self.robot.clone()),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)));
        named.chain(self.labels.iter().map(Label::to_filter)).collect()
    }

    /// The conditions as the `filter` of a bulk change: named as the list's parameters are.
    pub(crate) fn to_body(&self) -> Map<String, Value> {
        self.to_query()
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bulk_change_is_filtered_by_the_names_of_the_list() {
        let filter = JobFilter {
            state: Some(JobState::TimedOut),
            queue: Some("slow".to_owned()),
            labels: vec!["team=finance".parse().unwrap()],
            ..JobFilter::default()
        };
        assert_eq!(
            Value::Object(filter.to_body()),
            json!({ "state": "timed_out", "queue": "slow", "label.team": "finance" })
        );
    }
}
