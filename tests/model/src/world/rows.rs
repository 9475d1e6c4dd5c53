//! What anybody can see, by numbers.

use domain::{Job, Timestamp, job::State};
use queue::JobView;
use queue_conformance::audit;

use super::{World, digit};
use crate::call::{JobRow, RobotRow, STEPS_SHOWN, View};

impl World {
    /// Everything that anybody can see.
    pub async fn view(&self) -> View {
        let (engine, tenant) = (&self.kit.engine, &self.kit.tenant);
        let jobs = audit::all_jobs(engine, tenant).await;
        let mut jobs: Vec<JobRow> = jobs.iter().map(|view| self.job_row(view)).collect();
        jobs.sort_by_key(|row| row.number);
        let robots = audit::all_robots(engine, tenant).await;
        let now = self.kit.now();
        let row = |robot: &domain::Robot| RobotRow {
            number: self.robot_number(&robot.id),
            state: robot.state(now),
            epoch: robot.epoch,
            drain: robot.drain,
        };
        View {
            jobs,
            robots: robots.iter().map(row).collect(),
        }
    }

    fn job_row(&self, view: &JobView) -> JobRow {
        let Job {
            state,
            reason,
            attempts,
            spec,
            error,
            progress,
            settled,
            history,
            ..
        } = &view.job;
        let since = |at: Timestamp| at.since(self.began);
        let hold = state.last_hold();
        JobRow {
            number: self.number(view.job.id),
            state: state.name(),
            reason: *reason,
            attempt: attempts.given,
            attempts_left: view.job.attempts_left(),
            robot: hold.map(|hold| self.robot_number(&hold.robot)),
            held: hold.map(|hold| (since(hold.leased_at), hold.started_at.map(since))),
            created: since(view.job.created_at),
            ended: match state {
                State::Ended { at, .. } => Some(since(*at)),
                _ => None,
            },
            cancel_requested: view.job.cancel_requested_at.map(since),
            percent: progress.as_ref().and_then(|progress| progress.percent),
            error: error.as_ref().map(|error| error.kind),
            beside: (view.payload.as_deref().map(digit), view.result.as_deref().map(digit)),
            settled: *settled,
            retry_of: spec.retry_of.map(|job| self.number(job)),
            steps: history[history.len().saturating_sub(STEPS_SHOWN)..]
                .iter()
                .map(|step| (step.to, step.attempt, step.reason))
                .collect(),
        }
    }
}
