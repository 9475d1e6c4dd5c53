//! What a robot reports besides its syncs: ends, jobs given back, logs, checkpoints.

use std::sync::Arc;

use domain::job::{ErrorKind, Fence, Outcome, StateName};
use queue::{Answered, FinishReport, Refusal};
use queue_conformance::kit::{Held, failed, report};

use super::{Robot, short};
use crate::{
    plan::Mishap,
    scheduler::Handle,
    server::NoAnswer,
    world::{Ended, Heard, World},
};

impl Robot {
    /// Reports every attempt that is over, until that is answered.
    pub(super) async fn report_what_ended(&mut self) {
        let now = self.world.handle.now();
        self.working.iter_mut().for_each(|work| work.conclude(now));
        for mut work in std::mem::take(&mut self.working) {
            if let Some(report) = work.report.clone() {
                if self.finish(&work.held, report.clone()).await {
                    self.report_once_more(&work.held, report).await;
                    continue;
                }
                work.report = Some(report);
            }
            self.working.push(work);
        }
    }

    /// Whether the report was answered, with whatever.
    async fn finish(&self, held: &Held, report: FinishReport) -> bool {
        let answer = self.send_finish(held, report.clone()).await;
        match self.world.hear(answer) {
            Heard::Done(answered) => {
                self.check_answer(held, &report, answered);
                true
            }
            Heard::Refused(Refusal::WrongRobot) => {
                let what = format!(
                    "I4: {} may not end attempt {} of {}",
                    self.me.id, held.fence.attempt, held.job
                );
                self.world.handle.violated(what);
                true
            }
            Heard::Refused(_) => true,
            Heard::Nothing => false,
        }
    }

    async fn send_finish(&self, held: &Held, report: FinishReport) -> Result<Result<Answered, Refusal>, NoAnswer> {
        let (tenant, id, job) = (self.me.tenant.clone(), self.me.id.clone(), held.job);
        let call = self.world.servers.call(
            || format!("finish {}", short(self.me.id.as_str())),
            move |engine| {
                let (tenant, id, report) = (tenant.clone(), id.clone(), report.clone());
                Box::pin(async move { engine.finish(&tenant, &id, job, report).await })
            },
        );
        call.await
    }

    /// I14: whoever says the same again hears the same again.
    fn check_answer(&self, held: &Held, report: &FinishReport, answered: Answered) {
        let ended = Ended {
            digest: report.digest.clone(),
            answer: answered.state,
        };
        let attempt = (held.job, held.fence.attempt);
        let before = self.world.book().ended.insert(attempt, ended.clone());
        if before.as_ref().is_some_and(|before| *before != ended) {
            self.world
                .handle
                .violated(format!("I14: {attempt:?} ended as {before:?} and as {ended:?}"));
        }
        if answered.state == StateName::Succeeded && report.outcome != Outcome::Succeeded {
            self.world
                .handle
                .violated(format!("I6: {report:?} was answered with {answered:?}"));
        }
    }

    /// Now and then a report is sent again, as it was or otherwise.
    async fn report_once_more(&self, held: &Held, report: FinishReport) {
        let handle: &Handle = &self.world.handle;
        if handle.happens(150) {
            self.finish(held, report.clone()).await;
        }
        let answered = self.world.book().ended.contains_key(&(held.job, held.fence.attempt));
        if answered && handle.happens(100) {
            let other = match report.outcome {
                Outcome::Succeeded => failed(ErrorKind::Application),
                _ => Outcome::Succeeded,
            };
            let answer = self.send_finish(held, self::report(held, other, None)).await;
            if let Heard::Done(answer) = self.world.hear(answer) {
                let what = format!("I6: {} ended twice, the second time as {answer:?}", held.job);
                handle.violated(what);
            }
        }
    }

    /// What comes along while it works: it gives back, logs, keeps checkpoints, and pretends to be somebody else.
    pub(super) async fn report_on_the_way(&mut self) {
        for mut work in std::mem::take(&mut self.working) {
            if work.under_way.is_none() {
                if self.world.handle.happens(30) && self.release(&work.held).await {
                    continue;
                }
            } else if self.world.handle.happens(150) {
                self.log(&work.held, &mut work.chunk).await;
            } else if self.world.handle.happens(50) {
                self.checkpoint(&work.held).await;
            }
            if self.world.mishaps.happens(Mishap::RobotForged) {
                self.forge(&work.held).await;
            }
            self.working.push(work);
        }
    }

    /// Whether the job is given back, or may be: then it is not begun any more.
    async fn release(&self, held: &Held) -> bool {
        let (tenant, id, job, fence) = (self.me.tenant.clone(), self.me.id.clone(), held.job, held.fence.clone());
        let call = self.world.servers.call(
            || "release".to_owned(),
            move |engine| {
                let (tenant, id, fence) = (tenant.clone(), id.clone(), fence.clone());
                Box::pin(async move { engine.release(&tenant, &id, job, fence).await })
            },
        );
        !matches!(
            self.world.hear(call.await),
            Heard::Refused(Refusal::Job(domain::Rejection::AlreadyStarted))
        )
    }

    async fn log(&self, held: &Held, chunk: &mut u32) {
        let (tenant, id, job, fence) = (self.me.tenant.clone(), self.me.id.clone(), held.job, held.fence.clone());
        // Sometimes it forgets where it was.
        let seq = if self.world.handle.happens(100) {
            *chunk + 1
        } else {
            *chunk
        };
        let call = self.world.servers.call(
            || "log".to_owned(),
            move |engine| {
                let (tenant, id, fence) = (tenant.clone(), id.clone(), fence.clone());
                let text = format!("line {seq}\n").into_bytes();
                Box::pin(async move { engine.append_log(&tenant, &id, job, fence, seq, text).await })
            },
        );
        match self.world.hear(call.await) {
            Heard::Done(()) => *chunk = seq + 1,
            Heard::Refused(Refusal::LogGap { next_seq }) => *chunk = next_seq,
            Heard::Refused(_) | Heard::Nothing => {}
        }
    }

    async fn checkpoint(&self, held: &Held) {
        let (tenant, id, job, fence) = (self.me.tenant.clone(), self.me.id.clone(), held.job, held.fence.clone());
        let call = self.world.servers.call(
            || "checkpoint".to_owned(),
            move |engine| {
                let (tenant, id, fence) = (tenant.clone(), id.clone(), fence.clone());
                let name = "page".parse().expect("a good name");
                Box::pin(async move {
                    engine
                        .put_checkpoint(&tenant, &id, job, fence, name, "3".to_owned())
                        .await
                })
            },
        );
        // Whatever is answered, the next attempt begins where the last checkpoint is.
        let _ = self.world.hear(call.await);
    }

    /// I4: a token that was never given, or an attempt that is long over, changes nothing.
    async fn forge(&self, held: &Held) {
        let wrong = domain::LeaseToken::parse("lt_forged").expect("a good token");
        let forged = Held {
            job: held.job,
            fence: Fence {
                attempt: held.fence.attempt,
                token: wrong,
            },
        };
        expect_nothing(
            &self.world,
            self.send_finish(&forged, report(&forged, Outcome::Succeeded, None))
                .await,
            &forged,
        );
        if held.fence.attempt > 1 {
            let older = Held {
                job: held.job,
                fence: Fence {
                    attempt: held.fence.attempt - 1,
                    token: held.fence.token.clone(),
                },
            };
            expect_nothing(
                &self.world,
                self.send_finish(&older, report(&older, Outcome::Succeeded, None)).await,
                &older,
            );
        }
    }
}

fn expect_nothing(world: &Arc<World>, answer: Result<Result<Answered, Refusal>, NoAnswer>, forged: &Held) {
    if let Heard::Done(answered) = world.hear(answer) {
        world
            .handle
            .violated(format!("I4: {forged:?} was answered with {answered:?}"));
    }
}
