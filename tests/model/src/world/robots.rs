//! What a robot asks for.

use domain::{
    JobId, LeaseToken,
    job::{Fence, JobError, Outcome, Progress},
    robot::Mode,
};
use queue::{LeaseStatus, Listed, SyncAnswer, SyncRequest};
use queue_conformance::kit::{Held, client, report};

use super::{Answered, World, digit};
use crate::call::{Answer, Call, Given, How, Shown, Status, Sync, Told};

impl World {
    /// Makes a call that is about one robot.
    pub(super) async fn make_for_robot(&mut self, call: &Call) -> Answered {
        let (engine, tenant) = (self.kit.engine.clone(), self.kit.tenant.clone());
        Ok(match call {
            Call::OpenSession(robot, holding) => {
                let holding: Vec<(JobId, Fence)> = holding.iter().map(|shown| self.fence(shown)).collect();
                Answer::Opened(engine.open_session(&tenant, &self.robots[*robot], &holding).await?)
            }
            Call::Sync(robot, sync) => {
                let answer = engine
                    .sync(&tenant, &self.robots[*robot], self.sync_request(sync))
                    .await?;
                Answer::Synced(self.told(&answer))
            }
            Call::Finish(robot, shown, how, result) => {
                let (job, fence) = self.fence(shown);
                let result = result.map(|result| result.to_string());
                let report = report(&Held { job, fence }, outcome(*how), result.as_deref());
                let answered = engine.finish(&tenant, &self.robots[*robot], job, report).await?;
                Answer::Ended(answered.state, answered.repeated)
            }
            Call::Release(robot, shown) => {
                let (job, fence) = self.fence(shown);
                Answer::State(engine.release(&tenant, &self.robots[*robot], job, fence).await?)
            }
            Call::Log(robot, shown, seq, text) => {
                let (job, fence) = self.fence(shown);
                engine
                    .append_log(&tenant, &self.robots[*robot], job, fence, *seq, vec![*text])
                    .await?;
                Answer::Done
            }
            Call::Checkpoint(robot, shown, name, value) => {
                let ((job, fence), name) = (self.fence(shown), name.to_string());
                let name = name.parse().expect("a digit is a good name");
                engine
                    .put_checkpoint(&tenant, &self.robots[*robot], job, fence, name, value.to_string())
                    .await?;
                Answer::Done
            }
            Call::Drain(robot, drain) => {
                engine.set_drain(&tenant, &self.robots[*robot], *drain).await?;
                Answer::Done
            }
            Call::Remove(robot) => {
                engine.remove_robot(&tenant, &self.robots[*robot], &client()).await?;
                Answer::Done
            }
            other => unreachable!("{other:?} is about no robot"),
        })
    }

    fn sync_request(&self, sync: &Sync) -> SyncRequest {
        let progress = sync.percent.map(|percent| Progress {
            percent: Some(percent),
            message: None,
        });
        let listed = |shown: &Shown| {
            let (job, fence) = self.fence(shown);
            Listed {
                job,
                fence,
                progress: progress.clone(),
            }
        };
        SyncRequest {
            epoch: sync.epoch,
            seq: sync.seq,
            mode: match (sync.draining, sync.running.is_empty()) {
                (true, _) => Mode::Draining,
                (false, true) => Mode::Idle,
                (false, false) => Mode::Busy,
            },
            free_slots: sync.free_slots,
            running: sync.running.iter().map(listed).collect(),
        }
    }

    fn told(&mut self, answer: &SyncAnswer) -> Told {
        let status = |status| match status {
            LeaseStatus::Renewed => Status::Renewed,
            LeaseStatus::Lost => Status::Lost,
            LeaseStatus::Cancel => Status::Cancel,
        };
        let leases = answer
            .leases
            .iter()
            .map(|it| (self.number(it.job), it.attempt, status(it.status), it.ttl))
            .collect();
        let mut assign = Vec::new();
        for given in &answer.assign {
            let job = self.number(given.job.id);
            self.tokens.insert((job, given.attempt), given.token.clone());
            assign.push(Given {
                job,
                attempt: given.attempt,
                ttl: given.lease_ttl,
                payload: given.payload.as_deref().map(digit),
                checkpoints: given
                    .checkpoints
                    .iter()
                    .map(|(name, value)| (digit(name), digit(value)))
                    .collect(),
            });
        }
        Told {
            leases,
            assign,
            drain: answer.drain,
        }
    }

    fn fence(&self, shown: &Shown) -> (JobId, Fence) {
        let token = self.tokens[&(shown.job, shown.attempt)].clone();
        let wrong = || LeaseToken::parse("lt_wrong").expect("a good token");
        let token = if shown.right { token } else { wrong() };
        (
            self.jobs[shown.job],
            Fence {
                attempt: shown.attempt,
                token,
            },
        )
    }
}

fn outcome(how: How) -> Outcome {
    match how {
        How::Succeeded => Outcome::Succeeded,
        How::Cancelled => Outcome::Cancelled,
        How::Failed(kind, retry_after_seconds) => Outcome::Failed {
            error: JobError {
                kind,
                code: None,
                message: "it broke".to_owned(),
            },
            retry_after_seconds,
        },
    }
}
