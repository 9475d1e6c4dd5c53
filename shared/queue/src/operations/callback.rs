//! What a robot reports of an attempt: its end, or that it gives the job back.

use domain::{
    Event, Job, JobId, Rejection, RobotId, TenantName, Timestamp,
    job::{Fence, Outcome, Report, StateName},
};
use tracing::info;

use super::submit::digest;
use crate::{
    codec::{Stored, job_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    store::{Change, Committed, Key, StoreError},
    transition::job_blob,
};

/// A robot's report of the end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishReport {
    /// The attempt it speaks for.
    pub fence: Fence,
    /// How it went.
    pub outcome: Outcome,
    /// The result as compact JSON, if there is one.
    pub result: Option<String>,
    /// The digest of the report by its meaning, without the token.
    pub digest: String,
}

/// What a report of an end came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The state of the job right after the report.
    pub state: StateName,
    /// Whether the same was reported before, so that nothing changed now.
    pub repeated: bool,
}

/// A job, if there is one, and whether it is only remembered.
struct Found {
    job: Option<Stored<Job>>,
    recalled: bool,
}

/// A report that has not been settled yet.
struct Pending {
    place: usize,
    job: JobId,
    report: FinishReport,
}

impl Engine {
    /// Takes the report of one attempt.
    pub async fn finish(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        job: JobId,
        report: FinishReport,
    ) -> Result<Answered, Refusal> {
        let mut answers = self.finish_many(tenant, robot, vec![(job, report)]).await?;
        answers.pop().unwrap_or(Err(Refusal::NotFound))
    }

    /// Takes reports of many attempts, each for itself; the answers come in their order.
    pub async fn finish_many(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        reports: Vec<(JobId, FinishReport)>,
    ) -> Result<Vec<Result<Answered, Refusal>>, Refusal> {
        let mut answers: Vec<Option<Result<Answered, Refusal>>> = reports.iter().map(|_| None).collect();
        let mut open: Vec<Pending> = reports
            .into_iter()
            .enumerate()
            .map(|(place, (job, report))| Pending { place, job, report })
            .collect();
        for _ in 0..TRIES_MAX {
            if open.is_empty() {
                break;
            }
            open = self.finish_round(tenant, robot, open, &mut answers).await?;
            open.sort_by_key(|pending| pending.place);
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(too_busy().into())))
            .collect())
    }

    /// Settles the reports it can and gives back those that met a conflict.
    async fn finish_round(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        open: Vec<Pending>,
        answers: &mut [Option<Result<Answered, Refusal>>],
    ) -> Result<Vec<Pending>, Refusal> {
        let keys: Vec<_> = open.iter().map(|pending| job_key(tenant, pending.job)).collect();
        let found = self.recall_or_load(&keys).await?;
        let now = self.now();
        let (mut changes, mut written, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for (pending, Found { job, recalled }) in open.into_iter().zip(found) {
            let taken: Result<Stored<Job>, Refusal> = job
                .ok_or(Refusal::NotFound)
                .and_then(|job| Ok(job.with(finished(&job.value, robot, &pending, self.chance(), now)?)));
            match taken {
                // Two reports of one job in one call: the later one sees what the earlier one did.
                Ok(job)
                    if written
                        .iter()
                        .any(|(_, state): &(Pending, Stored<Job>)| state.value.id == job.value.id) =>
                {
                    again.push(pending);
                }
                Ok(job) => {
                    changes.push(self.finish_change(&job, &pending, now));
                    written.push((pending, job));
                }
                // What is remembered may be out of date: nothing is answered by it that no write confirms.
                Err(_) if recalled => again.push(pending),
                Err(Refusal::Job(Rejection::Repeated(state))) => {
                    answers[pending.place] = Some(Ok(Answered { state, repeated: true }));
                }
                Err(refusal) => answers[pending.place] = Some(Err(refusal)),
            }
        }
        if changes.is_empty() {
            return Ok(again);
        }
        let mut hints: Vec<Hint> = Vec::new();
        for ((pending, job), outcome) in written.into_iter().zip(self.commit_jobs(changes).await?) {
            match outcome {
                Committed::Conflict => again.push(pending),
                Committed::Done => {
                    let state = job.value.state.name();
                    self.remember_end(&job.value, &pending.report.fence, now);
                    info!(job.id = %job.value.id, "Attempt {} of job {} ended: {state}", pending.report.fence.attempt, job.value.id);
                    answers[pending.place] = Some(Ok(Answered { state, repeated: false }));
                    // The robot syncs at once and finds more work by itself: only a job that goes on needs a hint.
                    hints.extend(Hint::of(&job.value).filter(|hint| !hints.contains(hint)));
                }
            }
        }
        if !hints.is_empty() {
            self.hints.wake(&hints).await;
        }
        Ok(again)
    }

    /// Remembers that `job` is over, if it is, for the next sync of the robot that held it by `fence`.
    fn remember_end(&self, job: &Job, fence: &Fence, now: Timestamp) {
        let recent = self.recent().filter(|_| job.state.name().is_terminal());
        if let Some(recent) = recent {
            recent.over.put(job_key(&job.tenant, job.id), fence.token.clone(), now);
        }
    }

    /// The jobs of `keys`, in their order, as this engine wrote them last or as they are.
    async fn recall_or_load(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        let now = self.now();
        let recall = |key: &Key| self.recent().and_then(|recent| recent.held.take(key, now));
        let recalled: Vec<Option<Stored<Job>>> = keys.iter().map(recall).collect();
        let missing = keys.iter().zip(&recalled).filter(|(_, job)| job.is_none());
        let missing: Vec<Key> = missing.map(|(key, _)| key.clone()).collect();
        let mut loaded = self.load_jobs(&missing).await?.into_iter();
        let found = |job: Option<Stored<Job>>| Found {
            recalled: job.is_some(),
            job: job.or_else(|| loaded.next().flatten()),
        };
        Ok(recalled.into_iter().map(found).collect())
    }

    fn finish_change(&self, job: &Stored<Job>, pending: &Pending, now: Timestamp) -> Change {
        let mut change = self.job_change(job, now);
        if let (Some(name), Some(result)) = (result_name(&pending.report), &pending.report.result) {
            change
                .blobs
                .push(job_blob(&job.value, name, result.as_bytes().to_vec()));
        }
        change
    }

    /// Takes back a job that the robot has not begun.
    pub async fn release(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        job: JobId,
        fence: Fence,
    ) -> Result<StateName, Refusal> {
        let released = self
            .transition(tenant, job, |job| {
                is_by(job, robot, &fence)?;
                Ok(Event::Release { fence: fence.clone() })
            })
            .await;
        match released {
            Ok(job) => {
                if let Some(hint) = Hint::of(&job.value) {
                    self.hints.wake(&[hint]).await;
                }
                Ok(job.value.state.name())
            }
            Err(Refusal::Job(Rejection::Repeated(state))) => Ok(state),
            Err(refusal) => Err(refusal),
        }
    }
}

fn finished(
    job: &Job,
    robot: &RobotId,
    pending: &Pending,
    chance: domain::retry::Chance,
    now: Timestamp,
) -> Result<Job, Refusal> {
    let FinishReport {
        fence, outcome, digest, ..
    } = &pending.report;
    is_by(job, robot, fence)?;
    let report = Report {
        outcome: outcome.clone(),
        digest: digest.clone(),
        result: result_name(&pending.report),
    };
    Ok(job.apply(
        &Event::Finish {
            fence: fence.clone(),
            report,
            chance,
        },
        now,
    )?)
}

/// Where the result lies. Another result has another name, so that a report that loses a race spoils nothing.
fn result_name(report: &FinishReport) -> Option<String> {
    let result = report.result.as_ref()?;
    Some(format!(
        "result/{:05}/{}",
        report.fence.attempt,
        digest(&[result.as_bytes()])
    ))
}

/// Refuses a robot that shows the token of another robot's hold.
pub(crate) fn is_by(job: &Job, robot: &RobotId, fence: &Fence) -> Result<(), Refusal> {
    match job.state.last_hold() {
        Some(hold) if hold.is(fence) && hold.robot != *robot => Err(Refusal::WrongRobot),
        _ => Ok(()),
    }
}
