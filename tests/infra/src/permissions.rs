//! What planned policies permit, and what none may.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context;
use serde_json::Value;

/// The actions that may stand with every resource, by statement, because AWS knows none finer.
const WITHOUT_RESOURCE: [(&str, &[&str]); 3] = [
    // X-Ray has no resources for them.
    ("SendTraces", &["xray:PutTelemetryRecords", "xray:PutTraceSegments"]),
    // Lambda makes interfaces, which have no ARN before, and describes them all.
    ("JoinNetwork", &NETWORK),
    // Takes the same away from the program.
    ("NoNetworkForTheProgram", &NETWORK),
];

const NETWORK: [&str; 6] = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

/// What the streams of a log group end in: all of one group's, which is the function's own.
const STREAMS: &str = ":*";

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name.
    pub sid: String,
    /// `Allow` or `Deny`.
    pub effect: String,
    /// What it is about.
    pub actions: Vec<String>,
    /// Which resources.
    pub resources: Vec<String>,
    /// Under which condition, as JSON.
    pub condition: Option<String>,
}

impl Statement {
    /// The statements of a policy document. One without a name, or of a shape that says less, is an error.
    pub fn all(policy: &Value) -> anyhow::Result<Vec<Self>> {
        let statements = policy["Statement"].as_array().context("a policy has statements")?;
        statements.iter().map(Self::read).collect()
    }

    fn read(statement: &Value) -> anyhow::Result<Self> {
        let list = |name: &str| {
            let all = statement[name].as_array().into_iter().flatten();
            let mut texts: Vec<String> = all.filter_map(Value::as_str).map(str::to_owned).collect();
            texts.sort_unstable();
            anyhow::ensure!(!texts.is_empty(), "no {name} in {statement}");
            Ok(texts)
        };
        let word = |name: &str| {
            statement[name]
                .as_str()
                .with_context(|| format!("no {name} in {statement}"))
        };
        Ok(Self {
            sid: word("Sid")?.to_owned(),
            effect: word("Effect")?.to_owned(),
            actions: list("Action")?,
            resources: list("Resource")?,
            condition: statement.get("Condition").map(Value::to_string),
        })
    }

    fn is_too_wide(&self) -> bool {
        let every_resource = self.resources.iter().any(|resource| resource == "*");
        let some_resource = self
            .resources
            .iter()
            .any(|resource| resource.strip_suffix(STREAMS).unwrap_or(resource).contains('*'));
        let streams = self.resources.iter().any(|resource| resource.ends_with(STREAMS));
        let permitted = || {
            let kept = WITHOUT_RESOURCE.iter().find(|(sid, _)| *sid == self.sid);
            kept.is_some_and(|(_, actions)| self.actions == *actions)
        };
        self.actions.iter().any(|action| action.contains('*'))
            || (streams && self.sid != "WriteLog")
            || (some_resource && !(every_resource && permitted()))
    }
}

/// What no policy may say, however the list of what they say is changed: a sentence each.
pub fn refused(policies: &BTreeMap<String, Value>) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for (address, policy) in policies {
        for statement in Statement::all(policy)? {
            if statement.is_too_wide() {
                complaints.push(format!(
                    "{address}: {} is wider than it has to be: {statement:?}",
                    statement.sid
                ));
            }
        }
    }
    Ok(complaints)
}

/// Every statement of every policy, a line each, for people and for comparison.
pub fn told(policies: &BTreeMap<String, Value>) -> anyhow::Result<String> {
    let mut text = String::new();
    for (address, policy) in policies {
        writeln!(text, "\n## {}\n", owner(address))?;
        for Statement {
            sid,
            effect,
            actions,
            resources,
            condition,
        } in Statement::all(policy)?
        {
            let condition = condition.map(|it| format!(", only where `{it}`")).unwrap_or_default();
            let effect = if effect == "Allow" { "may" } else { "may **not**" };
            let list = |all: &[String]| all.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
            let (actions, resources) = (list(&actions), list(&resources));
            writeln!(text, "- **{sid}**: {effect} {actions} on {resources}{condition}")?;
        }
    }
    Ok(text)
}

/// The statements of one function among planned policies.
pub fn of_function(policies: &BTreeMap<String, Value>, function: &str) -> anyhow::Result<Vec<Statement>> {
    let address = format!("module.function[\"{function}\"].aws_iam_role_policy.this");
    let policy = policies
        .get(&address)
        .with_context(|| format!("there is no policy {address}"))?;
    Statement::all(policy)
}

/// Whose policy stands at an address: `function submit`, or `schedule of dispatch`.
fn owner(address: &str) -> String {
    let name = address.split('"').nth(1).unwrap_or(address);
    if address.starts_with("module.schedules") {
        format!("schedule of {name}")
    } else {
        format!("function {name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(sid: &str, actions: &[&str], resources: &[&str]) -> usize {
        let policy =
            json!({ "Statement": [{ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources }] });
        refused(&BTreeMap::from([("a".to_owned(), policy)]))
            .expect("it can be read")
            .len()
    }

    #[test]
    fn a_statement_that_is_too_wide_is_refused() {
        for (sid, actions, resources) in [
            ("UseTable", &["dynamodb:*"][..], &["arn:aws:dynamodb:r:a:table/t"][..]),
            ("UseTable", &["dynamodb:GetItem"], &["*"]),
            ("UseTable", &["dynamodb:GetItem"], &["arn:aws:dynamodb:r:a:table/*"]),
            (
                "UseTable",
                &["dynamodb:Query"],
                &["arn:aws:dynamodb:r:a:table/t/index/*"],
            ),
            (
                "SendTraces",
                &["xray:PutTraceSegments", "xray:GetTraceSummaries"],
                &["*"],
            ),
            ("ReadLog", &["logs:GetLogEvents"], &["arn:aws:logs:r:a:log-group:/g:*"]),
            ("WriteLog", &["logs:PutLogEvents"], &["arn:aws:logs:r:a:log-group:*:*"]),
        ] {
            assert_eq!(
                complaints(sid, actions, resources),
                1,
                "{sid} {actions:?} {resources:?}"
            );
        }
    }

    #[test]
    fn what_aws_knows_nothing_finer_for_is_kept() {
        assert_eq!(
            complaints(
                "SendTraces",
                &["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                &["*"]
            ),
            0
        );
        assert_eq!(
            complaints("WriteLog", &["logs:PutLogEvents"], &["arn:aws:logs:r:a:log-group:/g:*"]),
            0
        );
        assert_eq!(
            complaints(
                "UseTable",
                &["dynamodb:Query"],
                &["arn:aws:dynamodb:r:a:table/t/index/due"]
            ),
            0
        );
    }

    #[test]
    fn a_statement_without_a_name_is_an_error() {
        let policy = json!({ "Statement": [{ "Effect": "Allow", "Action": ["a:B"], "Resource": ["c"] }] });
        assert!(Statement::all(&policy).is_err());
    }
}
