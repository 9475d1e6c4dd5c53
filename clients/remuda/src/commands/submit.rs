//! `remuda submit`: one job from the command line or a file; many by way of `submit_lines`.

use std::collections::BTreeMap;
use std::io::Read;

use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp};
use remuda_client::{Method, Retry};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{submit_lines, watch};
use crate::arguments::{Label, OnConflict, OnLost, labels_by_name, name_of, parse_json};
use crate::context::{Answer, Context, now};
use crate::failure::Failure;
use crate::lines::WrittenJob;
use crate::moments::{Moment, parse_moment, parse_span};

const AFTER_HELP: &str = "\
Examples:
  remuda submit invoice-export --payload '{\"month\": \"2026-10\"}' --wait
  remuda submit --file job.json
  remuda submit --jsonl jobs.jsonl --batch 2026-11-21

The id of the new job goes to stdout. A submit whose answer is lost is sent
again with the same idempotency key, so it never makes two jobs.

JSON lines: each line is a job as in POST /v1/jobs; they go in bulks of at
most 1000 jobs and 5 MiB. A line without an \"idempotency_key\" gets one that
is derived from its content, from which of the equal lines of the input it
is, and from --batch. So the same command again, after a failure or by
mistake, never doubles a job, also when refused lines were mended in between.
To submit the same lines as new jobs, give another --batch. The server keeps
keys as long as their jobs, at least 7 days.
Refused lines are reported with their numbers and the others are taken; the
exit code is then 1. With --json the answer is {\"results\": [{\"line\",
\"status\", \"id\", \"error\"}]}.";

/// What to submit.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP, group = ArgGroup::new("source").args(["workflow", "file", "jsonl"]).required(true))]
pub(crate) struct Submit {
    #[command(flatten)]
    inline: Option<InlineJob>,
    /// Submit the job in this JSON file, as in POST /v1/jobs; `-` is stdin
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
    /// Submit a job for each line of this file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    jsonl: Option<String>,
    /// With --jsonl: the name of this submission; another name makes the same lines new jobs
    #[arg(
        long,
        value_name = "NAME",
        requires = "jsonl", conflicts_with_all = ["inline", "file"], default_value = "", hide_default_value = true
    )]
    batch: String,
    /// The key that makes this submission one, however often it is repeated
    #[arg(long, value_name = "KEY", conflicts_with = "jsonl")]
    idempotency_key: Option<String>,
    /// Follow the job until it ends; exit code 1 unless it succeeds
    #[arg(long, conflicts_with = "jsonl")]
    wait: bool,
}

/// A job on the command line.
#[derive(Debug, Args)]
#[group(id = "inline", multiple = true, requires = "workflow", conflicts_with_all = ["file", "jsonl"])]
struct InlineJob {
    /// The workflow to run
    #[arg(required = false, value_name = "WORKFLOW")]
    workflow: String,
    /// The workflow's version
    #[arg(long, value_name = "VERSION")]
    workflow_version: Option<String>,
    /// What the workflow works on, as JSON
    #[arg(long, value_name = "JSON", value_parser = parse_json, conflicts_with = "payload_file")]
    payload: Option<Box<RawValue>>,
    /// A file with the payload as JSON; `-` is stdin
    #[arg(long, value_name = "FILE")]
    payload_file: Option<String>,
    /// The queue [default: default]
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// 0 to 20; 20 goes first [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=20))]
    priority: Option<u8>,
    /// Wait so long before it runs (90s, 5m, 2h, 1d)
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with = "run_at")]
    delay: Option<SignedDuration>,
    /// Run it no earlier than this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    run_at: Option<Timestamp>,
    /// Give up when it has not finished by then: a time (RFC 3339) or a span from now
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    deadline: Option<Moment>,
    /// A capability that the robot must have; may be repeated
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// The environment that the robot must be of
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The one robot that may run it
    #[arg(long, value_name = "ROBOT_ID")]
    robot: Option<String>,
    /// A capability that the robot had better have; may be repeated
    #[arg(long = "prefer-capability", value_name = "NAME")]
    preferred_capabilities: Vec<String>,
    /// The robot that had better run it
    #[arg(long = "prefer-robot", value_name = "ROBOT_ID")]
    preferred_robot: Option<String>,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Label>,
    /// How often it may be started, 1 to 100 [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    max_attempts: Option<u8>,
    /// How long one attempt may run, up to 7 days [default: 1h]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    run_timeout: Option<SignedDuration>,
    /// How long it may wait for a robot, up to 7 days
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    queue_timeout: Option<SignedDuration>,
    /// What becomes of it when its robot is lost [default: retry]
    #[arg(long, value_enum, value_name = "WHAT")]
    on_lost: Option<OnLost>,
    /// Only one unfinished job of this key exists in the queue
    #[arg(long, value_name = "KEY")]
    dedup_key: Option<String>,
    /// What to do when there is one already [default: return]
    #[arg(long, value_enum, value_name = "WHAT", requires = "dedup_key")]
    on_conflict: Option<OnConflict>,
}

/// A job as the API takes it; what is left out takes the API's default.
#[derive(Debug, Serialize)]
struct NewJob {
    workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Timestamp>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    timeouts: Fields,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    retry: Fields,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    requires: Fields,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    prefers: Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_lost: Option<String>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    dedup: Fields,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
}

/// The fields of a part of a job that were given.
type Fields = BTreeMap<&'static str, serde_json::Value>;

/// Submits what was asked for.
pub(crate) async fn run(submit: Submit, context: &Context) -> Result<(), Failure> {
    if let Some(jsonl) = &submit.jsonl {
        return submit_lines::run(jsonl, &submit.batch, context).await;
    }
    let (body, key_in_file) = match (submit.inline, &submit.file) {
        (Some(inline), _) => (inline_body(inline, now())?, None),
        (None, Some(file)) => file_body(file)?,
        (None, None) => return Err(Failure::Usage("name a workflow, or give --file or --jsonl".to_owned())),
    };
    let key = submit.idempotency_key.or(key_in_file).unwrap_or_else(random_key);
    let answer = send(&body, &key, context).await?;
    if submit.wait {
        watch::from_its_beginning(&answer, context).await
    } else {
        context.show_new_job(&answer)
    }
}

fn inline_body(inline: InlineJob, now: Timestamp) -> Result<String, Failure> {
    let job = new_job(inline, now)?;
    serde_json::to_string(&job).map_err(|error| Failure::Usage(error.to_string()))
}

fn new_job(inline: InlineJob, now: Timestamp) -> Result<NewJob, Failure> {
    let payload = match &inline.payload_file {
        Some(file) => Some(parse_json(&read_text(file)?).map_err(|error| Failure::Usage(format!("{file}: {error}")))?),
        None => inline.payload,
    };
    let seconds = |span: Option<SignedDuration>| span.map(|span| span.as_secs().into());
    Ok(NewJob {
        workflow: inline.workflow,
        workflow_version: inline.workflow_version,
        payload,
        queue: inline.queue,
        priority: inline.priority,
        delay_seconds: inline.delay.map(|delay| delay.as_secs()),
        run_at: inline.run_at,
        deadline: inline
            .deadline
            .map(|deadline| deadline.resolve(now))
            .transpose()
            .map_err(Failure::Usage)?,
        timeouts: given([
            ("run_seconds", seconds(inline.run_timeout)),
            ("queue_seconds", seconds(inline.queue_timeout)),
        ]),
        retry: given([("max_attempts", inline.max_attempts.map(Into::into))]),
        requires: given([
            ("capabilities", unless_empty(inline.capabilities)),
            ("environment", inline.environment.map(Into::into)),
            ("robot", inline.robot.map(Into::into)),
        ]),
        prefers: given([
            ("capabilities", unless_empty(inline.preferred_capabilities)),
            ("robot", inline.preferred_robot.map(Into::into)),
        ]),
        on_lost: inline.on_lost.as_ref().map(name_of),
        dedup: given([
            ("key", inline.dedup_key.map(Into::into)),
            ("on_conflict", inline.on_conflict.map(|what| name_of(&what).into())),
        ]),
        labels: labels_by_name(&inline.labels).map_err(Failure::Usage)?,
    })
}

fn given<const N: usize>(fields: [(&'static str, Option<serde_json::Value>); N]) -> Fields {
    fields
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}

fn unless_empty(names: Vec<String>) -> Option<serde_json::Value> {
    (!names.is_empty()).then(|| names.into())
}

/// The job in a file, and the idempotency key that its author put in, as in a bulk.
fn file_body(file: &str) -> Result<(String, Option<String>), Failure> {
    let in_this_file = |error: String| Failure::Usage(format!("{file}: {error}"));
    let mut job = WrittenJob::parse(read_text(file)?.as_bytes()).map_err(in_this_file)?;
    let key = job.take_idempotency_key().map_err(in_this_file)?;
    Ok((job.to_json(), key))
}

fn read_text(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_string(&mut text),
        file => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|source| Failure::Input {
        name: file.to_owned(),
        source,
    })?;
    Ok(text)
}

/// A key of its own for this run of the command: with it a lost answer may be asked for again.
fn random_key() -> String {
    format!("cli-{:032x}", rand::random::<u128>())
}

async fn send(body: &str, key: &str, context: &Context) -> Result<Answer, Failure> {
    let answer = Retry {
        tries_max: 3,
        ..Retry::default()
    }
    .run(|| {
        let call = context
            .client
            .request(Method::POST, "/v1/jobs")
            .header("idempotency-key", key);
        call.bytes("application/json", body.to_owned())
            .send_answer::<Box<RawValue>>()
    })
    .await?;
    if answer.headers.contains_key("idempotent-replayed") {
        context.output.hint("this was submitted before; here is that job");
    }
    Ok(Answer::new(answer.body))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        submit: Submit,
    }

    fn parse(words: &[&str]) -> Result<Submit, clap::Error> {
        Line::try_parse_from([&["submit"], words].concat()).map(|line| line.submit)
    }

    fn body(words: &[&str]) -> Value {
        let inline = parse(words).unwrap().inline.unwrap();
        serde_json::from_str(&inline_body(inline, "2026-11-21T12:00:00Z".parse().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_given_is_left_to_the_server() {
        assert_eq!(body(&["invoice-export"]), json!({ "workflow": "invoice-export" }));
    }

    #[test]
    fn every_option_has_its_place_in_the_job() {
        let words = "w --workflow-version 3 --payload {\"a\":1} --queue q --priority 20 --delay 5m --deadline 2h \
            --capability browser --capability sap --environment prod --robot rob_1 --prefer-capability gpu \
            --prefer-robot rob_2 --label team=finance --max-attempts 1 --run-timeout 90s --queue-timeout 1d \
            --on-lost fail --dedup-key k --on-conflict replace";
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(
            body(&words),
            json!({
                "workflow": "w", "workflow_version": "3", "payload": { "a": 1 }, "queue": "q", "priority": 20,
                "delay_seconds": 300, "deadline": "2026-11-21T14:00:00Z",
                "timeouts": { "run_seconds": 90, "queue_seconds": 86400 }, "retry": { "max_attempts": 1 },
                "requires": { "capabilities": ["browser", "sap"], "environment": "prod", "robot": "rob_1" },
                "prefers": { "capabilities": ["gpu"], "robot": "rob_2" }, "on_lost": "fail",
                "dedup": { "key": "k", "on_conflict": "replace" }, "labels": { "team": "finance" }
            })
        );
    }

    #[test]
    fn a_job_comes_from_one_place_only() {
        for words in [
            &["w", "--file", "job.json"][..],
            &["w", "--jsonl", "-"],
            &["--file", "a", "--jsonl", "b"],
            &["--queue", "q"],
            &["--file", "a", "--queue", "q"],
            &["--jsonl", "a", "--wait"],
            &["--jsonl", "a", "--idempotency-key", "k"],
            &["w", "--batch", "b"],
            &["w", "--delay", "5m", "--run-at", "2030-01-01T00:00:00Z"],
            &["w", "--on-conflict", "reject"],
            &["w", "--priority", "21"],
            &[],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
        for words in [
            &["w"][..],
            &["--file", "a"],
            &["--jsonl", "-"],
            &["--jsonl", "-", "--batch", "b"],
        ] {
            assert!(parse(words).is_ok(), "{words:?}: {:?}", parse(words).err());
        }
    }

    #[test]
    fn two_runs_of_the_command_have_two_keys() {
        assert_ne!(random_key(), random_key());
    }
}
