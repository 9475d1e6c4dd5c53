//! What a run leaves behind: jobs and histories from the server, effects from the world outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use remuda_client::{CallError, Client, Retry};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::workload::Accepted;
use crate::answers::{History, Job, Page, Transition};
use crate::context::job_path;
use crate::failure::Failure;

/// How many jobs are asked for at once: as many as a list gives.
const PAGE_JOBS: &str = "200";

/// How many pages of jobs are read at most, so that a list without an end is noticed.
const PAGES_MAX: usize = 100;

/// How many histories are asked for at a time.
const HISTORIES_AT_ONCE: usize = 8;

/// All that is known of a run when it is over.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Each job that the server accepted, with what is known of it.
    pub(super) cases: Vec<Case>,
    /// Jobs that the tenant has and nobody has submitted.
    pub(super) unexpected: Vec<Job>,
    /// What each robot can do, by its id.
    pub(super) capabilities: BTreeMap<String, BTreeSet<String>>,
    /// Who was killed, and in the middle of what.
    pub(super) kills: Vec<Kill>,
    /// Effects of jobs that were never accepted.
    pub(super) stray_effects: Vec<Effect>,
}

/// An accepted job and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) accepted: Accepted,
    /// The job as the server has it; none if it has not.
    pub(super) job: Option<Job>,
    pub(super) history: Vec<Transition>,
    /// What its attempts did in the world outside, in the order they did it.
    pub(super) effects: Vec<Effect>,
}

/// One thing that was done in the world outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) job: String,
    pub(super) attempt: u32,
    /// The robot's name.
    pub(super) robot: String,
}

/// A robot that was killed in the middle of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kill {
    /// The robot's name.
    pub(super) robot: String,
    /// The job that it was at.
    pub(super) job: String,
    pub(super) attempt: u32,
    /// Whether it was started again.
    pub(super) returns: bool,
}

/// Every job of the tenant.
pub(super) async fn jobs(client: &Client) -> Result<Vec<Job>, CallError> {
    jobs_where(client, &[]).await
}

/// The jobs that run now.
pub(super) async fn running_jobs(client: &Client) -> Result<Vec<Job>, CallError> {
    jobs_where(client, &[("state", "running".to_owned())]).await
}

async fn jobs_where(client: &Client, filter: &[(&'static str, String)]) -> Result<Vec<Job>, CallError> {
    let mut jobs = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut query = vec![("limit", PAGE_JOBS.to_owned())];
        query.extend(filter.iter().cloned());
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page: Page<Job> = Retry::default().run(|| client.get("/v1/jobs", &query)).await?;
        jobs.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(jobs)
}

/// What the server and the effects file say of the accepted jobs.
pub(super) async fn gather(client: &Client, accepted: &[Accepted], effects: &Path) -> Result<Evidence, Failure> {
    let mut found: BTreeMap<String, Job> = jobs(client)
        .await?
        .into_iter()
        .map(|job| (job.id.clone(), job))
        .collect();
    let mut histories = histories(client, found.keys().cloned()).await?;
    let mut effects = effects_by_job(&read_effects(effects)?);
    let case = |accepted: &Accepted| Case {
        job: found.remove(&accepted.id),
        history: histories.remove(&accepted.id).unwrap_or_default(),
        effects: effects.remove(&accepted.id).unwrap_or_default(),
        accepted: accepted.clone(),
    };
    Ok(Evidence {
        cases: accepted.iter().map(case).collect(),
        unexpected: found.into_values().collect(),
        stray_effects: effects.into_values().flatten().collect(),
        ..Evidence::default()
    })
}

async fn histories(
    client: &Client,
    ids: impl Iterator<Item = String>,
) -> Result<BTreeMap<String, Vec<Transition>>, Failure> {
    let turns = Arc::new(Semaphore::new(HISTORIES_AT_ONCE));
    let mut asking = JoinSet::new();
    for id in ids {
        let (client, turns) = (client.clone(), turns.clone());
        asking.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let path = job_path(&id, "/history");
            let history: Result<History, CallError> = Retry::default().run(|| client.get(&path, &[])).await;
            history.map(|history| (id, history.items))
        });
    }
    let mut histories = BTreeMap::new();
    while let Some(asked) = asking.join_next().await {
        let (id, items) = asked.expect("asking does not panic, and nobody cancels it")?;
        histories.insert(id, items);
    }
    Ok(histories)
}

fn read_effects(path: &Path) -> Result<Vec<Effect>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::Input {
        name: path.display().to_string(),
        source,
    })?;
    text.lines()
        .map(|line| parse_effect(line).ok_or_else(|| Failure::unsuccessful(format!("no effect reads {line:?}"))))
        .collect()
}

fn parse_effect(line: &str) -> Option<Effect> {
    let mut words = line.split(' ');
    Some(Effect {
        job: words.next()?.to_owned(),
        attempt: words.next()?.parse().ok()?,
        robot: words.next()?.to_owned(),
    })
}

fn effects_by_job(effects: &[Effect]) -> BTreeMap<String, Vec<Effect>> {
    let mut by_job: BTreeMap<String, Vec<Effect>> = BTreeMap::new();
    for effect in effects {
        by_job.entry(effect.job.clone()).or_default().push(effect.clone());
    }
    by_job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_read_as_a_workflow_writes_it() {
        let effect = parse_effect("j-1 2 excel-1 ledger-update").unwrap();
        assert_eq!(
            (effect.job.as_str(), effect.attempt, effect.robot.as_str()),
            ("j-1", 2, "excel-1")
        );
        assert_eq!(parse_effect("half a line"), None);
    }
}
