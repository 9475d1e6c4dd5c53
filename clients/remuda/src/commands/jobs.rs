//! `remuda jobs`: jobs one by one.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{jobs_bulk, watch};
use crate::answers::{Explanation, History, Job};
use crate::context::{Context, job_path, now};
use crate::failure::Failure;
use crate::filter::JobFilter;
use crate::paging::{Extent, list};
use crate::render;

/// What can be done about jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// List jobs, newest first
    List(ListJobs),
    /// Show one job in full
    Show(OneJob),
    /// Cancel a job: at once where it waits, by way of its robot where it runs
    Cancel(CancelJob),
    /// Run a job that did not succeed again, as a new job
    Retry(RetryJob),
    /// Print what a job wrote
    Logs(Logs),
    /// Say why a job is where it is, and what would have to change
    Explain(OneJob),
    /// Follow a job until it ends; ctrl-c leaves the job alone
    Watch(OneJob),
    /// List every transition of a job, oldest first
    History(OneJob),
    /// Cancel every job that a filter meets
    BulkCancel(jobs_bulk::BulkChangeArgs),
    /// Run every job again that a filter meets and that did not succeed
    BulkRetry(jobs_bulk::BulkChangeArgs),
}

/// The job that is meant.
#[derive(Debug, Args)]
pub(crate) struct OneJob {
    /// The job's id
    #[arg(value_name = "JOB")]
    pub(super) id: String,
}

/// Which jobs, and how many.
#[derive(Debug, Args)]
pub(crate) struct ListJobs {
    #[command(flatten)]
    filter: JobFilter,
    #[command(flatten)]
    extent: Extent,
}

/// A job to cancel.
#[derive(Debug, Args)]
pub(crate) struct CancelJob {
    #[command(flatten)]
    job: OneJob,
    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// A job to run again.
#[derive(Debug, Args)]
pub(crate) struct RetryJob {
    #[command(flatten)]
    job: OneJob,
    /// Follow the new job until it ends
    #[arg(long)]
    wait: bool,
}

/// The log that is meant.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    job: OneJob,
    /// The attempt, from 1; the last one when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
}

/// Does what was asked about jobs.
pub(crate) async fn run(command: Jobs, context: &Context) -> Result<(), Failure> {
    match command {
        Jobs::List(jobs) => list_jobs(&jobs, context).await,
        Jobs::Show(job) => show(&job, context).await,
        Jobs::Cancel(cancel) => cancel_job(&cancel, context).await,
        Jobs::Retry(retry) => retry_job(&retry, context).await,
        Jobs::Logs(logs) => print_logs(&logs, context).await,
        Jobs::Explain(job) => explain(&job, context).await,
        Jobs::Watch(job) => watch::run(&job.id, context).await,
        Jobs::History(job) => history(&job, context).await,
        Jobs::BulkCancel(change) => jobs_bulk::run(&change, "bulk-cancel", context).await,
        Jobs::BulkRetry(change) => jobs_bulk::run(&change, "bulk-retry", context).await,
    }
}

async fn list_jobs(jobs: &ListJobs, context: &Context) -> Result<(), Failure> {
    let listing = list(context, "/v1/jobs", &jobs.filter.to_query(), &jobs.extent).await?;
    context.show_list(&listing, "no such jobs", |jobs: &[Job]| {
        render::jobs(context.output.style(), jobs, now())
    })
}

async fn show(job: &OneJob, context: &Context) -> Result<(), Failure> {
    let answer = context.get(&job_path(&job.id, ""), &[]).await?;
    context.show(&answer, |job, now| {
        render::job_details(context.output.style(), &job, now)
    })
}

async fn cancel_job(cancel: &CancelJob, context: &Context) -> Result<(), Failure> {
    let body = cancel
        .reason
        .as_ref()
        .map_or_else(|| json!({}), |reason| -> Value { json!({ "reason": reason }) });
    let answer = context.post(&job_path(&cancel.job.id, "/cancel"), &body).await?;
    let job: Job = answer.read()?;
    context.acknowledge(&answer, || match job.cancel_requested_at {
        Some(_) if !job.is_finished() => format!("job {} is told to stop at its robot's next sync", job.id),
        _ => render::job_line(&job),
    })
}

async fn retry_job(retry: &RetryJob, context: &Context) -> Result<(), Failure> {
    let answer = context.post(&job_path(&retry.job.id, "/retry"), &json!({})).await?;
    if retry.wait {
        return watch::from_its_beginning(&answer, context).await;
    }
    context.show_new_job(&answer)
}

async fn print_logs(logs: &Logs, context: &Context) -> Result<(), Failure> {
    let query: Vec<(&str, String)> = logs
        .attempt
        .map(|attempt| ("attempt", attempt.to_string()))
        .into_iter()
        .collect();
    let log = context
        .client
        .get_text(&job_path(&logs.job.id, "/logs"), &query)
        .await?;
    if context.output.is_json() {
        return context.output.line(&json!({ "log": log }).to_string());
    }
    if log.is_empty() {
        context.output.hint("nothing was written yet");
    }
    context.output.raw(&log)
}

async fn explain(job: &OneJob, context: &Context) -> Result<(), Failure> {
    let answer = context.get(&job_path(&job.id, "/explain"), &[]).await?;
    context.show(&answer, |explanation: Explanation, _| {
        render::explanation(context.output.style(), &explanation)
    })
}

async fn history(job: &OneJob, context: &Context) -> Result<(), Failure> {
    let answer = context.get(&job_path(&job.id, "/history"), &[]).await?;
    context.show(&answer, |history: History, now| {
        render::history(context.output.style(), &history.items, now)
    })
}
