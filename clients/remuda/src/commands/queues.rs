//! `remuda queues`: settings of queues, and pausing them.

use clap::{ArgGroup, Args, Subcommand};
use jiff::SignedDuration;
use remuda_client::segment;
use serde_json::{Value, json};

use crate::answers::{Queue, Stats};
use crate::arguments::{Strategy, name_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::moments::parse_span;
use crate::paging::{Extent, list};
use crate::render;

/// What can be done about queues.
#[derive(Debug, Subcommand)]
pub(crate) enum Queues {
    /// List queues with their settings and jobs
    List(Extent),
    /// Change a queue's settings; those left out stay as they are
    Set(SetQueue),
    /// Hand out no more jobs of a queue; what runs goes on
    Pause(OneQueue),
    /// Hand out a queue's jobs again
    Resume(OneQueue),
}

/// The queue that is meant.
#[derive(Debug, Args)]
pub(crate) struct OneQueue {
    /// The queue's name
    #[arg(value_name = "QUEUE")]
    name: String,
}

/// A queue's settings.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("settings").required(true).multiple(true))]
pub(crate) struct SetQueue {
    #[command(flatten)]
    queue: OneQueue,
    /// How a robot is chosen among those that could take a job
    #[arg(long, value_enum, group = "settings")]
    strategy: Option<Strategy>,
    /// How long a robot may be silent before its job is taken from it, 10s to 1h
    #[arg(long, value_name = "SPAN", value_parser = parse_span, group = "settings")]
    lease: Option<SignedDuration>,
    /// Whether the queue is paused
    #[arg(long, value_name = "true|false", group = "settings")]
    paused: Option<bool>,
}

/// Does what was asked about queues.
pub(crate) async fn run(command: Queues, context: &Context) -> Result<(), Failure> {
    match command {
        Queues::List(extent) => list_queues(&extent, context).await,
        Queues::Set(set) => put(&set.queue, &settings(&set), "is set", context).await,
        Queues::Pause(queue) => {
            put(
                &queue,
                &json!({ "paused": true }),
                "is paused; what runs goes on",
                context,
            )
            .await
        }
        Queues::Resume(queue) => put(&queue, &json!({ "paused": false }), "hands out jobs again", context).await,
    }
}

async fn list_queues(extent: &Extent, context: &Context) -> Result<(), Failure> {
    let listing = list(context, "/v1/queues", &[], extent).await?;
    if context.output.is_json() {
        return context.output.line(&listing.to_json());
    }
    // The list knows the settings, the statistics know the jobs; people want to see both.
    let stats: Stats = context.get("/v1/stats", &[]).await?.read()?;
    context.show_list(
        &listing,
        "no queues yet: a queue comes into being with its first job",
        |queues: &[Queue]| render::queues(context.output.style(), queues, &stats.queues),
    )
}

async fn put(queue: &OneQueue, settings: &Value, told: &str, context: &Context) -> Result<(), Failure> {
    let answer = context
        .put(&format!("/v1/queues/{}", segment(&queue.name)), settings)
        .await?;
    context.acknowledge(&answer, || format!("queue {} {told}", queue.name))
}

fn settings(set: &SetQueue) -> Value {
    let mut settings = json!({});
    if let Some(strategy) = &set.strategy {
        settings["strategy"] = json!(name_of(strategy));
    }
    if let Some(lease) = set.lease {
        settings["lease_seconds"] = json!(lease.as_secs());
    }
    if let Some(paused) = set.paused {
        settings["paused"] = json!(paused);
    }
    settings
}
