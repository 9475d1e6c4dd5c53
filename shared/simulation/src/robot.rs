//! Robots: they keep to the rules as far as they can, and now and then somebody pulls the plug.

mod begun;
mod reports;
mod work;

use std::{sync::Arc, time::Duration};

use domain::robot::{Mode, SyncRejection};
use queue::{Assignment, LeaseStatus, Listed, Refusal, SyncAnswer, SyncRequest};
use queue_conformance::kit::Held;

use self::work::Work;
use crate::{
    plan::Mishap,
    scheduler::Group,
    world::{Heard, Member, World},
};

/// For how many seconds a paused robot stands still: past any lease, and shorter than a tea break too.
const PAUSE_SECONDS: std::ops::Range<u64> = 20..400;

/// How long a robot waits before it tries again what was not answered.
const AGAIN_SECONDS: std::ops::Range<u64> = 1..6;

/// How many slots a robot says it has that lies.
const LIED_SLOTS: u32 = 10;

/// One robot of flesh and blood: what it knows is gone when it is killed.
pub(crate) struct Robot {
    world: Arc<World>,
    me: Member,
    /// Tells it from others with the same key.
    body: u64,
    epoch: Option<u64>,
    seq: u64,
    /// A sync that was not answered.
    open: Option<SyncRequest>,
    working: Vec<Work>,
    /// When it was told to come back.
    next_sync: Duration,
}

/// Lets a robot begin to work for `member`, and gives the group that it can be killed by.
pub(crate) fn begin(world: &Arc<World>, member: &Member) -> Group {
    let body = world.handle.new_group();
    let robot = Robot {
        world: Arc::clone(world),
        me: member.clone(),
        body: world.handle.number(),
        epoch: None,
        seq: 0,
        open: None,
        working: Vec::new(),
        next_sync: Duration::ZERO,
    };
    let name = format!("{}#{}", short(member.id.as_str()), robot.body);
    world.handle.spawn(body, || name, robot.live());
    world.book().bodies.push(body);
    body
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

impl Robot {
    async fn live(mut self) {
        let world = Arc::clone(&self.world);
        loop {
            world.rest_while_off().await;
            if world.mishaps.happens(Mishap::RobotPaused) {
                world.handle.say(|| "stands still".to_owned());
                world.handle.sleep(world.handle.seconds(PAUSE_SECONDS)).await;
            }
            self.report_what_ended().await;
            self.report_on_the_way().await;
            if self.epoch.is_none() && !self.open_session().await {
                world.handle.sleep(world.handle.seconds(AGAIN_SECONDS)).await;
                continue;
            }
            self.sync().await;
            world.handle.sleep(self.pause()).await;
        }
    }

    /// Until the server wants to hear of it, or something that it works on ends.
    fn pause(&self) -> Duration {
        if self.open.is_some() || self.epoch.is_none() {
            return self.world.handle.seconds(AGAIN_SECONDS);
        }
        let now = self.world.handle.now();
        let ends = self.working.iter().filter_map(Work::ends_at).map(|at| at.since(now));
        ends.chain([self.next_sync])
            .min()
            .unwrap_or_default()
            .max(Duration::from_millis(50))
    }

    async fn open_session(&mut self) -> bool {
        let (tenant, id) = (self.me.tenant.clone(), self.me.id.clone());
        let holding: Vec<_> = self
            .working
            .iter()
            .map(|work| (work.held.job, work.held.fence.clone()))
            .collect();
        let answer = self
            .world
            .servers
            .call(
                || format!("session {}", short(self.me.id.as_str())),
                move |engine| {
                    let (tenant, id, holding) = (tenant.clone(), id.clone(), holding.clone());
                    Box::pin(async move { engine.open_session(&tenant, &id, &holding).await })
                },
            )
            .await;
        match self.world.hear(answer) {
            Heard::Done(epoch) => {
                (self.epoch, self.seq, self.open) = (Some(epoch), 0, None);
                true
            }
            Heard::Refused(_) | Heard::Nothing => false,
        }
    }

    async fn sync(&mut self) {
        let Some(request) = self.next_sync() else { return };
        let (tenant, id, sent) = (self.me.tenant.clone(), self.me.id.clone(), request.clone());
        let answer = self
            .world
            .servers
            .call(|| format!("sync {} {}", short(id.as_str()), sent.seq), {
                let (id, sent) = (self.me.id.clone(), request.clone());
                move |engine| {
                    let (tenant, id, sent) = (tenant.clone(), id.clone(), sent.clone());
                    Box::pin(async move { engine.sync(&tenant, &id, sent).await })
                }
            })
            .await;
        match self.world.hear(answer) {
            Heard::Done(answer) => {
                self.open = None;
                self.hear(&request, &answer);
            }
            Heard::Refused(Refusal::Sync(SyncRejection::SessionSuperseded)) => self.epoch = None,
            // An answer to a later one came before: it goes on with a new one.
            Heard::Refused(_) => self.open = None,
            Heard::Nothing => self.open = Some(request),
        }
    }

    /// The sync that was not answered, or most of the time that one, or a new one.
    fn next_sync(&mut self) -> Option<SyncRequest> {
        let epoch = self.epoch?;
        if let Some(open) = self.open.clone()
            && self.world.handle.happens(800)
        {
            return Some(open);
        }
        self.seq += 1 + self.world.handle.draw(0..2);
        let working = u32::try_from(self.working.len()).unwrap_or(u32::MAX);
        let free_slots = if self.world.mishaps.happens(Mishap::RobotLied) {
            LIED_SLOTS
        } else {
            self.me.profile.max_jobs.saturating_sub(working)
        };
        Some(SyncRequest {
            epoch,
            seq: self.seq,
            mode: if working == 0 { Mode::Idle } else { Mode::Busy },
            free_slots,
            running: self.working.iter().map(listed).collect(),
        })
    }

    fn hear(&mut self, request: &SyncRequest, answer: &SyncAnswer) {
        self.next_sync = answer.next_sync;
        for lease in &answer.leases {
            let Some(place) = self
                .working
                .iter()
                .position(|work| work.held.job == lease.job && work.held.fence.attempt == lease.attempt)
            else {
                continue;
            };
            match lease.status {
                LeaseStatus::Renewed => self.begin_work(place),
                // A report that is on its way is sent all the same.
                LeaseStatus::Lost if self.working[place].report.is_none() => drop(self.working.remove(place)),
                LeaseStatus::Lost => {}
                LeaseStatus::Cancel => self.working[place].stop(self.world.handle.now()),
            }
        }
        if answer.assign.len() > request.free_slots as usize {
            self.world
                .handle
                .violated(format!("I10: {request:?} was answered with {answer:?}"));
        }
        answer.assign.iter().for_each(|given| self.take(given));
    }

    /// I12: what it is given was written down as given to it.
    fn take(&mut self, given: &Assignment) {
        let held = Held::from(given);
        let (job, fence) = (held.job, &held.fence);
        if !self
            .world
            .witness
            .was_given(&self.me.id, job, fence.attempt, &fence.token)
        {
            self.world
                .handle
                .violated(format!("I12: {} was handed {job}, which it was not given", self.me.id));
        }
        if !self.working.iter().any(|work| work.held == held) {
            self.working.push(Work::new(held));
        }
    }
}

fn listed(work: &Work) -> Listed {
    Listed {
        job: work.held.job,
        fence: work.held.fence.clone(),
        progress: None,
    }
}
