//! `remuda dead-letters`: jobs that failed for good, until somebody has dealt with them.

use clap::{Args, Subcommand};
use remuda_client::segment;
use serde_json::{Value, json};

use crate::answers::Job;
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::paging::{Extent, list};
use crate::render;

/// What can be done about dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List the failed and timed-out jobs that nobody has dealt with
    List(Extent),
    /// Run the job again as a new one, and take it off the list
    Requeue(OneLetter),
    /// Take the job off the list: it is not worth running again
    Discard(NotedLetter),
    /// Take the job off the list: its work was done in another way
    Resolve(NotedLetter),
}

/// The job that is meant.
#[derive(Debug, Args)]
pub(crate) struct OneLetter {
    /// The job's id
    #[arg(value_name = "JOB")]
    id: String,
}

/// The job that is meant, and a word about it.
#[derive(Debug, Args)]
pub(crate) struct NotedLetter {
    #[command(flatten)]
    letter: OneLetter,
    /// A note for whoever asks later
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Does what was asked about dead letters.
pub(crate) async fn run(command: DeadLetters, context: &Context) -> Result<(), Failure> {
    match command {
        DeadLetters::List(extent) => list_letters(&extent, context).await,
        DeadLetters::Requeue(letter) => requeue(&letter, context).await,
        DeadLetters::Discard(noted) => close(&noted, "discard", "is discarded", context).await,
        DeadLetters::Resolve(noted) => close(&noted, "resolve", "is resolved", context).await,
    }
}

async fn list_letters(extent: &Extent, context: &Context) -> Result<(), Failure> {
    let listing = list(context, "/v1/dead-letters", &[], extent).await?;
    context.show_list(&listing, "no dead letters", |jobs: &[Job]| {
        render::jobs(context.output.style(), jobs, now())
    })
}

async fn requeue(letter: &OneLetter, context: &Context) -> Result<(), Failure> {
    let answer = context.post(&path(letter, "requeue"), &json!({})).await?;
    context.show_new_job(&answer)
}

async fn close(noted: &NotedLetter, verb: &str, told: &str, context: &Context) -> Result<(), Failure> {
    let body = noted
        .note
        .as_ref()
        .map_or_else(|| json!({}), |note| -> Value { json!({ "note": note }) });
    let answer = context.post(&path(&noted.letter, verb), &body).await?;
    context.acknowledge(&answer, || format!("job {} {told} and off the list", noted.letter.id))
}

fn path(letter: &OneLetter, verb: &str) -> String {
    format!("/v1/dead-letters/{}/{verb}", segment(&letter.id))
}
