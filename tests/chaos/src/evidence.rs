//! All that is known of a run: what submitters were told, what the servers have, and what was done in the world outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use remuda_client::{CallError, Client, Retry, segment};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::answers::{History, Job, Page, Transition};
use crate::effects::Mark;
use crate::order::Order;
use crate::record::{Entry, Event};
use crate::story;

/// How many jobs a page has, and how many pages there may be, so that a list without an end is noticed.
const PAGE_JOBS: &str = "200";
const PAGES_MAX: usize = 1_000;

/// How many histories are asked for at a time.
const AT_ONCE: usize = 8;

/// What the checker is given.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Everything that was attempted, by its number.
    pub(crate) orders: BTreeMap<u64, Order>,
    /// Everything that happened, the oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Every job that there is.
    pub(crate) jobs: Vec<Found>,
    /// What attempts wrote down, in that order.
    pub(crate) marks: Vec<Mark>,
    /// What each robot can do, by its name.
    pub(crate) capabilities: BTreeMap<String, Vec<&'static str>>,
    /// What the audit of the store found.
    pub(crate) audit: Vec<String>,
}

/// A job as the servers have it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) job: Job,
    pub(crate) history: Vec<Transition>,
    /// Why it is where it is, if it is not over.
    pub(crate) explanation: Option<Value>,
}

/// The orders of this seed that were attempted.
pub(crate) fn attempted(entries: &[Entry], seed: u64) -> BTreeMap<u64, Order> {
    let number = |entry: &Entry| match entry.event {
        Event::Attempted { order, .. } => Some(order),
        _ => None,
    };
    let numbers = entries.iter().filter_map(number);
    numbers.map(|number| (number, Order::new(number, seed))).collect()
}

/// Every job that the server has, with its history.
pub(crate) async fn jobs(client: &Client) -> anyhow::Result<Vec<Found>> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    for job in list(client).await? {
        let (client, turns) = (client.clone(), turns.clone());
        asking.spawn(async move {
            let _turn = turns.acquire_owned().await;
            found(&client, job).await
        });
    }
    let mut jobs = Vec::new();
    while let Some(asked) = asking.join_next().await {
        jobs.push(asked.context("asking for a history panicked")??);
    }
    Ok(jobs)
}

async fn list(client: &Client) -> anyhow::Result<Vec<Job>> {
    let (mut jobs, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let mut query = vec![("limit", PAGE_JOBS.to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page: Page<Job> = Retry::default().run(|| client.get("/v1/jobs", &query)).await?;
        jobs.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    ensure!(cursor.is_none(), "the list of jobs has no end");
    Ok(jobs)
}

async fn found(client: &Client, job: Job) -> Result<Found, CallError> {
    let path = format!("/v1/jobs/{}", segment(&job.id));
    let (history, explain) = (format!("{path}/history"), format!("{path}/explain"));
    let history: History = Retry::default().run(|| client.get(&history, &[])).await?;
    let explanation = if story::is_end(&job.state) {
        None
    } else {
        Some(Retry::default().run(|| client.get(&explain, &[])).await?)
    };
    Ok(Found {
        history: history.items,
        job,
        explanation,
    })
}
