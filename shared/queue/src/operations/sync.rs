//! The one hot call of a robot: it is heard of, renews, reports progress, hears cancels, and gets jobs.
//!
//! A robot's record reserves a slot before a job is leased, and gives it back only when the job can no longer be leased
//! on the strength of it. So a robot never holds more than it may, however many syncs and dispatches race.

mod desk;
mod messages;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    Event, Job, JobId, Queue, QueueName, Robot, RobotId, TenantName, Timestamp,
    job::{Fence, State},
    plan::plan,
    robot::{Mode, Reservation, Turn},
};

use futures::{channel::oneshot, future::try_join};

use self::desk::{Desk, settle};
pub use self::messages::{Assignment, LeaseAnswer, LeaseStatus, Listed, SyncAnswer, SyncRequest};
use crate::{
    codec::{self, Stored, job_key, queue_key, robot_key},
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    hints::Hint,
    recent::Writes,
    store::{BlobKey, Change, Committed, Grant, Key, Kind, Lane, Record, StoreError},
};

/// How many lanes of one queue a sync looks at: more kinds of jobs than a queue has, because a robot never sees what lies
/// beyond.
pub(crate) const LANES_MAX: usize = 10_000;

/// How many jobs a sync is offered at the most beyond the slots it has: some may be out of time.
const OFFERED_BEYOND: usize = 8;

/// When a robot that was given jobs is expected back, to say that it began them; and one that missed some, which another was
/// given meanwhile.
const BEGIN_SYNC: Duration = Duration::from_millis(100);

/// What a claim gave.
#[derive(Default)]
struct Claimed {
    jobs: Vec<Stored<Job>>,
    /// Whether some went to another robot meanwhile: there may be more to be had at once.
    missed: bool,
}

impl Engine {
    /// Answers a sync. The same one again gets the same jobs again.
    pub async fn sync(&self, tenant: &TenantName, id: &RobotId, request: SyncRequest) -> Result<SyncAnswer, Refusal> {
        for _ in 0..TRIES_MAX {
            let recalled = self.recall_robot(tenant, id, &request);
            let confirm = recalled.is_some();
            let robot = match recalled {
                Some(robot) => robot,
                None => self.load_robot(tenant, id).await?.ok_or(Refusal::NotFound)?,
            };
            let turn = robot.value.turn(request.epoch, request.seq)?;
            let before = robot.value.clone();
            let loading = self.desk(robot, confirm, turn, &request);
            let (desk, mut lanes) = try_join(loading, self.lanes_for(&before, turn, &request)).await?;
            let Some(mut desk) = desk else { continue };
            lanes.retain(|lane| desk.is_open(lane));
            desk.renew(&request);
            match turn {
                Turn::New => {
                    desk.hear(&request);
                    desk.reconcile();
                    desk.hand_over();
                }
                Turn::Again => desk.settle_claims(),
            }
            if !self.write_jobs(&desk).await? {
                continue;
            }
            if turn == Turn::Again {
                return Ok(self.answer_again(desk).await?);
            }
            if let Some(answer) = self.claim_and_answer(desk, lanes, &before, &request).await? {
                return Ok(answer);
            }
        }
        Err(too_busy().into())
    }

    /// The robot as this engine wrote it last, if this sync is the one that comes next.
    fn recall_robot(&self, tenant: &TenantName, id: &RobotId, request: &SyncRequest) -> Option<Stored<Robot>> {
        let robot = self.recent()?.robots.take(&robot_key(tenant, id), self.now())?;
        (robot.value.turn(request.epoch, request.seq) == Ok(Turn::New)).then_some(robot)
    }

    /// Whether this engine wrote the end of the job of `hold`, so that nothing of it bears on a new sync of the robot that
    /// held it. It is told once.
    fn take_end(&self, tenant: &TenantName, hold: &Reservation) -> bool {
        let last_lease = |recent: &Writes| recent.over.take(&job_key(tenant, hold.job), self.now());
        self.recent().and_then(last_lease).as_ref() == Some(&hold.token)
    }

    /// Loads what the sync is about; `None` when the robot, which `confirm` loads again with it, is not as it is taken to be.
    async fn desk(
        &self,
        robot: Stored<Robot>,
        confirm: bool,
        turn: Turn,
        request: &SyncRequest,
    ) -> Result<Option<Desk>, StoreError> {
        let tenant = &robot.value.tenant;
        let held = robot.value.answered.iter().chain(&robot.value.holds);
        let held: BTreeMap<JobId, &Reservation> = held.map(|hold| (hold.job, hold)).collect();
        let mut ids: BTreeSet<JobId> = request.running.iter().map(|listed| listed.job).collect();
        for (job, hold) in held {
            if turn == Turn::Again || !self.take_end(tenant, hold) {
                ids.insert(job);
            }
        }
        let own_key = confirm.then(|| robot_key(tenant, &robot.value.id));
        let queue_keys = robot.value.queues.iter().map(|name| queue_key(tenant, name));
        let job_keys = ids.iter().map(|id| job_key(tenant, *id));
        let keys: Vec<Key> = queue_keys.chain(job_keys).chain(own_key).collect();
        let (mut queues, mut jobs) = (BTreeMap::new(), BTreeMap::new());
        let mut is_confirmed = !confirm;
        for record in self.store.load(&keys).await?.into_iter().flatten() {
            match record.key.kind {
                Kind::Queue => {
                    let queue: Queue = codec::read(&record)?.value;
                    queues.insert(queue.name.clone(), queue);
                }
                Kind::Robot => is_confirmed = record.version == robot.version,
                _ => {
                    let job: Stored<Job> = codec::read(&record)?;
                    jobs.insert(job.value.id, job);
                }
            }
        }
        let desk = Desk {
            now: self.now(),
            robot,
            queues,
            jobs,
            changed: Vec::new(),
            fenced: Vec::new(),
            leases: Vec::new(),
            given: Vec::new(),
            payloads: BTreeMap::new(),
        };
        Ok(is_confirmed.then_some(desk))
    }

    /// Writes the jobs that the sync changed; `false` when one was changed by somebody else.
    async fn write_jobs(&self, desk: &Desk) -> Result<bool, StoreError> {
        let ids = desk.changed.iter().chain(&desk.fenced);
        let jobs: Vec<&Stored<Job>> = ids.filter_map(|id| desk.jobs.get(id)).collect();
        let changes: Vec<Change> = jobs.iter().map(|job| self.job_change(job, desk.now)).collect();
        if changes.is_empty() {
            return Ok(true);
        }
        let outcomes = self.commit_jobs(changes).await?;
        for (job, outcome) in jobs.into_iter().zip(&outcomes) {
            if *outcome == Committed::Done {
                self.remember_held(job, desk.now);
            }
        }
        Ok(outcomes.iter().all(|outcome| *outcome == Committed::Done))
    }

    /// Remembers a job that was written at `now`, if it is held, for the report of its end.
    fn remember_held(&self, job: &Stored<Job>, now: Timestamp) {
        let Some(recent) = self.recent() else { return };
        if job.value.state.hold().is_some() {
            let written = job.clone().written(codec::job_due_at(job, now));
            recent.held.put(job_key(&job.value.tenant, job.value.id), written, now);
        }
    }

    /// Remembers the robot that was written at `now` with this sync, for its next one.
    fn remember_robot(&self, robot: &Stored<Robot>, now: Timestamp) {
        let Some(recent) = self.recent() else { return };
        let key = robot_key(&robot.value.tenant, &robot.value.id);
        recent.robots.put(key, robot.clone().written(robot.due_at), now);
    }

    /// Claims jobs of `lanes` for free slots and writes the robot; `None` when the robot was changed by somebody else.
    async fn claim_and_answer(
        &self,
        mut desk: Desk,
        lanes: Vec<Lane>,
        before: &Robot,
        request: &SyncRequest,
    ) -> Result<Option<SyncAnswer>, StoreError> {
        let free = desk.robot.value.free() as usize;
        let work_waits = free > 0 && !lanes.is_empty();
        desk.robot.value.next_sync_at = Some(desk.now + self.next_sync(&desk, work_waits));
        let claimed = if work_waits {
            self.claim(&mut desk, &lanes, free).await?
        } else {
            desk.settle_robot(&[]);
            self.write_robot(before, &desk).await?.then(Claimed::default)
        };
        let Some(Claimed { jobs, missed }) = claimed else {
            return Ok(None);
        };
        for job in jobs {
            desk.jobs.insert(job.value.id, job);
        }
        let assign = self.assignments(&mut desk).await?;
        let next_sync = if assign.is_empty() && !missed {
            self.next_sync(&desk, work_waits)
        } else {
            BEGIN_SYNC
        };
        let drain = desk.robot.value.drain;
        debug_assert!(assign.len() <= request.free_slots as usize);
        Ok(Some(SyncAnswer {
            server_time: desk.now,
            next_sync,
            leases: desk.leases,
            assign,
            drain,
        }))
    }

    /// Writes the robot if there is anything to keep; `false` when it was changed by somebody else.
    async fn write_robot(&self, before: &Robot, desk: &Desk) -> Result<bool, StoreError> {
        let heard = before
            .seen_at
            .filter(|_| before.seq.is_some())
            .map(|at| desk.now.since(at));
        if heard.is_some_and(|ago| ago < self.settings.heartbeat) && before.was_only_heard(&desk.robot.value) {
            return Ok(true);
        }
        let record = codec::robot_record(&desk.robot);
        let is_written = self.store.commit(vec![record.into()]).await? == [Committed::Done];
        if is_written {
            self.remember_robot(&desk.robot, desk.now);
        }
        Ok(is_written)
    }

    /// Has the store offer jobs of `lanes` and takes those that go to this robot. Their payloads are read while they are
    /// written.
    async fn claim(&self, desk: &mut Desk, lanes: &[Lane], free: usize) -> Result<Option<Claimed>, StoreError> {
        let (now, engine) = (desk.now, self.clone());
        let (mut robot, queues, given) = (desk.robot.clone(), desk.queues.clone(), desk.given.clone());
        let (tell, told) = oneshot::channel();
        let decide = Box::new(move |offered: Vec<Record>| {
            let jobs = engine.take_for(&mut robot.value, &queues, &offered, now);
            settle(&mut robot.value, &given, &jobs);
            let grant = Grant {
                holder: codec::robot_record(&robot),
                jobs: jobs.iter().map(|job| engine.job_record(job, now)).collect(),
            };
            tell.send((robot.value, jobs)).ok();
            vec![grant]
        });
        let reading = async {
            // Nothing was decided where the store could not offer anything, which it tells by itself.
            let Ok((robot, jobs)) = told.await else { return Ok(None) };
            // What cannot be read now is asked for again once the leases are written, and told then.
            let payloads = self
                .payloads(jobs.iter().map(|job| &job.value))
                .await
                .unwrap_or_default();
            Ok(Some((robot, jobs, payloads)))
        };
        let granting = self.store.claim(lanes, free + free.min(OFFERED_BEYOND), decide);
        let (granted, decided) = try_join(granting, reading).await?;
        let (Some((robot, jobs, payloads)), Some(granted)) = (decided, granted.into_iter().next()) else {
            return Ok(None);
        };
        if granted.holder == Committed::Conflict {
            return Ok(None);
        }
        // A job that was not written stays reserved until the next sync finds that nobody holds it.
        let written = |outcome: &Committed| *outcome == Committed::Done;
        let decided = jobs.len();
        let jobs: Vec<Stored<Job>> = jobs
            .into_iter()
            .zip(&granted.jobs)
            .filter(|(_, outcome)| written(outcome))
            .map(|(job, _)| job)
            .collect();
        desk.robot.value = robot;
        desk.payloads = payloads;
        self.remember_robot(&desk.robot, now);
        for job in &jobs {
            self.remember_held(job, now);
        }
        self.watch(jobs.iter().map(|job| &job.value), now).await;
        let missed = jobs.len() < decided;
        Ok(Some(Claimed { jobs, missed }))
    }

    /// Has somebody look when the leases of `jobs` end, where the sweep would come late.
    pub(crate) async fn watch(&self, jobs: impl Iterator<Item = &Job>, now: Timestamp) {
        let mut hints: Vec<Hint> = Vec::new();
        for job in jobs {
            hints.extend(self.timer_hint(job, now).filter(|hint| !hints.contains(hint)));
        }
        if !hints.is_empty() {
            self.hints.wake(&hints).await;
        }
    }

    /// Leases to `robot` those of the offered jobs that are its.
    fn take_for(
        &self,
        robot: &mut Robot,
        queues: &BTreeMap<QueueName, Queue>,
        offered: &[Record],
        now: Timestamp,
    ) -> Vec<Stored<Job>> {
        // A job that cannot be read is left where it is; whoever asks for it by its id is told.
        let jobs: Vec<Stored<Job>> = offered.iter().filter_map(|record| codec::read(record).ok()).collect();
        let ready: Vec<&Stored<Job>> = jobs
            .iter()
            .filter(|job: &&Stored<Job>| !job.value.is_due(now))
            .collect();
        let values: Vec<&Job> = ready.iter().map(|job| &job.value).collect();
        let strategy = |name: &QueueName| queues.get(name).map(|queue| queue.strategy).unwrap_or_default();
        let matches = plan(&values, &[&*robot], strategy, self.word());
        let mut taken = Vec::new();
        for found in matches {
            let job = ready[found.job];
            let event = Event::Claim {
                robot: robot.id.clone(),
                token: self.new_token(),
                lease: lease_of(queues, &job.value.spec.queue),
            };
            if let Ok(leased) = job.value.apply(&event, now) {
                robot.reserve(&leased, now);
                taken.push(job.with(leased));
            }
        }
        taken
    }

    /// The lanes with work that `robot` may have, those of paused queues too; none for a sync that is given no job.
    async fn lanes_for(&self, robot: &Robot, turn: Turn, request: &SyncRequest) -> Result<Vec<Lane>, StoreError> {
        let takes_jobs = !robot.drain && request.mode != Mode::Draining && request.free_slots > 0;
        if turn == Turn::Again || !takes_jobs {
            return Ok(Vec::new());
        }
        let queues = robot.queues.iter();
        let prefixes: Vec<String> = queues
            .flat_map(|queue| [None, Some(&robot.id)].map(|target| Lane::prefix(&robot.tenant, queue, target)))
            .collect();
        let found = self.store.lanes_of(&prefixes, LANES_MAX).await?;
        let mut lanes: Vec<Lane> = found.into_iter().flatten().collect();
        lanes.retain(|lane| {
            let queue = QueueName::parse(lane.queue());
            let requires = codec::lane_requires(lane);
            queue.is_ok_and(|queue| requires.is_some_and(|requires| robot.fits(&queue, &requires)))
        });
        Ok(lanes)
    }

    /// When the robot is to sync next: soon while there is work, later while there is none.
    fn next_sync(&self, desk: &Desk, work_waits: bool) -> Duration {
        let idle = if work_waits {
            self.settings.busy_sync
        } else {
            self.settings.idle_sync
        };
        let leases = desk
            .robot
            .value
            .holds
            .iter()
            .filter_map(|hold| desk.jobs.get(&hold.job));
        let shortest = leases.map(|job| lease_of(&desk.queues, &job.value.spec.queue)).min();
        shortest.map_or(idle, |lease| idle.min(lease / 4))
    }

    async fn answer_again(&self, mut desk: Desk) -> Result<SyncAnswer, StoreError> {
        let assign = self.assignments(&mut desk).await?;
        let next_sync = if assign.is_empty() {
            self.next_sync(&desk, false)
        } else {
            BEGIN_SYNC
        };
        let drain = desk.robot.value.drain;
        Ok(SyncAnswer {
            server_time: desk.now,
            next_sync,
            leases: desk.leases,
            assign,
            drain,
        })
    }

    /// The jobs that the robot is answered with and all that it needs to begin, as far as they were really leased to it.
    async fn assignments(&self, desk: &mut Desk) -> Result<Vec<Assignment>, StoreError> {
        let mut assign: Vec<Assignment> = Vec::new();
        for hold in &desk.robot.value.answered {
            let Some(job) = desk.jobs.get(&hold.job).map(|job| &job.value) else {
                continue;
            };
            let Some(last) = job.state.last_hold().filter(|last| last.is(&fence_of(hold))) else {
                continue;
            };
            assign.push(Assignment {
                job: job.clone(),
                attempt: last.attempt,
                token: last.token.clone(),
                lease_ttl: lease_left(job, desk.now),
                payload: None,
                checkpoints: self.checkpoints(job, last.attempt).await?,
            });
        }
        let jobs = assign.iter().map(|given| &given.job);
        let unread = jobs.filter(|job| !desk.payloads.contains_key(&job.id));
        desk.payloads.append(&mut self.payloads(unread).await?);
        for given in &mut assign {
            given.payload = desk.payloads.remove(&given.job.id);
        }
        Ok(assign)
    }

    /// The payloads of those of `jobs` that have one.
    async fn payloads<'a>(&self, jobs: impl Iterator<Item = &'a Job>) -> Result<BTreeMap<JobId, String>, StoreError> {
        let named = jobs.filter_map(|job| Some((job.id, payload_key(job)?)));
        let (ids, keys): (Vec<JobId>, Vec<BlobKey>) = named.unzip();
        let texts = self.texts(&keys).await?;
        let found = ids.into_iter().zip(texts);
        Ok(found.filter_map(|(id, text)| Some((id, text?))).collect())
    }
}

fn fence_of(hold: &Reservation) -> Fence {
    Fence {
        attempt: hold.attempt,
        token: hold.token.clone(),
    }
}

/// How long a lease of jobs in `queue` is.
pub(crate) fn lease_of(queues: &BTreeMap<QueueName, Queue>, queue: &QueueName) -> Duration {
    queues
        .get(queue)
        .map_or(Duration::from_secs(u64::from(Queue::LEASE_SECONDS)), Queue::lease)
}

fn lease_left(job: &Job, now: Timestamp) -> Duration {
    match &job.state {
        State::Leased { lease_ends, .. } | State::Running { lease_ends, .. } => lease_ends.since(now),
        _ => Duration::ZERO,
    }
}

fn payload_key(job: &Job) -> Option<BlobKey> {
    let name = job.payload.clone()?;
    Some(BlobKey {
        owner: job_key(&job.tenant, job.id),
        name,
    })
}
