//! The rules for the record of a job: what may follow what.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Job, Timestamp,
    job::{Actor, Hold, State, StateName, Transition},
};
use queue::store::{Key, Kind, Record, Write};
use queue_conformance::audit;

use super::{SKEW_MAX, Seen};

/// From when on a sweep is late, once the lease is over: its period, what it takes, and clocks that are apart.
const NOTICED_MAX: Duration = Duration::from_secs(60 + 10 + 2 * SKEW_MAX.as_secs());

/// How long a job is kept at least, once it is over.
const RETENTION_MIN: Duration = queue::Settings::RETENTION_MIN;

/// The edges of the state graph, from everywhere but nowhere.
pub(crate) fn is_an_edge(from: Option<StateName>, to: StateName) -> bool {
    use StateName::{Cancelled, Failed, Leased, Ready, Running, Scheduled, Succeeded, TimedOut};
    match from {
        None => matches!(to, Scheduled | Ready),
        // Late reports of an attempt that nobody overtook end what waits.
        Some(Scheduled) => matches!(to, Ready | Succeeded | Failed | TimedOut | Cancelled),
        Some(Ready) => matches!(to, Leased | Succeeded | Failed | TimedOut | Cancelled),
        Some(Leased) => matches!(to, Running | Ready | Failed | TimedOut | Cancelled),
        Some(Running) => matches!(to, Ready | Scheduled | Succeeded | Failed | TimedOut | Cancelled),
        Some(Succeeded | Failed | TimedOut | Cancelled) => false,
    }
}

/// The key of the robot that holds the job which `write` puts.
pub(super) fn holder(write: &Write) -> Option<Key> {
    let Write::Put(record) = write else { return None };
    if record.key.kind != Kind::Job {
        return None;
    }
    let job = queue::job_in(record).ok()?;
    let State::Leased { hold, .. } = &job.state else {
        return None;
    };
    Some(Key::new(Kind::Robot, &job.tenant, hold.robot.as_str()))
}

impl Seen {
    /// The faults in what became of a job.
    pub(super) fn job_was_put(
        &mut self,
        job: Job,
        record: &Record,
        now: Timestamp,
        robots: &BTreeMap<Key, Record>,
    ) -> Vec<String> {
        let before = self.jobs.get(&record.key).cloned();
        let steps = new_steps(before.as_ref(), &job);
        let mut faults: Vec<String> = audit::of_record(&job, record);
        faults.extend(audit::of_budget(&job));
        if record.key.partition != job.tenant.as_str() || record.key.id != job.id.to_text() {
            faults.push(format!("I11: {} of {} lies at {}", job.id, job.tenant, record.key));
        }
        faults.extend(self.of_steps(before.as_ref(), &job, &steps));
        faults.extend(self.of_sweep(before.as_ref(), &job, &steps, now));
        if let Some(before) = &before {
            faults.extend(of_the_end(before, &job));
            faults.extend(of_what_was_asked(before, &job));
        }
        faults.extend(self.of_hold(before.as_ref(), &job, robots, &record.key));
        faults.extend(self.of_reports(&job));
        self.jobs.insert(record.key.clone(), job);
        faults
    }

    /// The faults in the removal of a job.
    pub(super) fn job_was_removed(&mut self, key: &Key, now: Timestamp) -> Vec<String> {
        let Some(job) = self.jobs.remove(key) else {
            return Vec::new();
        };
        match job.state {
            State::Ended { at, .. } if at + RETENTION_MIN <= now + SKEW_MAX => {
                self.removed.insert(job.id, at);
                Vec::new()
            }
            state => vec![format!("I1: {} was removed while it was {state:?}", job.id)],
        }
    }

    /// I7, I5, I16: the history goes on where it was, along the edges, and attempts rise by one per claim.
    fn of_steps(&mut self, before: Option<&Job>, job: &Job, steps: &[Transition]) -> Vec<String> {
        let mut faults = Vec::new();
        let (mut state, mut attempt, mut seq) = before.map_or((None, 0, 0), |before| {
            let last = before.history.last().map_or(0, |step| step.seq);
            (Some(before.state.name()), before.attempts.given, last)
        });
        for step in steps {
            let claims = u32::from(step.to == StateName::Leased);
            seq += 1;
            if step.from != state || step.seq != seq || step.attempt != attempt + claims {
                faults.push(format!("I16: {}: {step:?} does not follow {state:?}", job.id));
            }
            if !is_an_edge(step.from, step.to) {
                faults.push(format!(
                    "I7: {}: there is no edge from {:?} to {}",
                    job.id, step.from, step.to
                ));
            }
            if step.from == Some(StateName::Scheduled) || step.from == Some(StateName::Ready) {
                let by_a_report = matches!(step.actor, Actor::Robot(_));
                if matches!(step.to, StateName::Succeeded | StateName::Failed) && !by_a_report {
                    faults.push(format!("I7: {}: {step:?} is no robot's", job.id));
                }
            }
            if step.to == StateName::Running {
                self.started.insert((job.id, step.attempt));
            }
            *self.steps.entry((step.from, step.to)).or_default() += 1;
            (state, attempt) = (Some(step.to), step.attempt);
        }
        if state != Some(job.state.name()) || attempt != job.attempts.given {
            faults.push(format!("I16: {}: its history does not lead to {:?}", job.id, job.state));
        }
        faults
    }

    /// I9 and L2: the sweep does only what is due, and once things are calm it does it in time.
    fn of_sweep(&mut self, before: Option<&Job>, job: &Job, steps: &[Transition], now: Timestamp) -> Vec<String> {
        let Some(before) = before.filter(|_| steps.iter().any(|step| step.actor == Actor::Sweep)) else {
            return Vec::new();
        };
        let Some(timer) = before.next_timer().filter(|timer| *timer <= now + SKEW_MAX) else {
            return vec![format!("I9: {} was swept before anything was due: {before:?}", job.id)];
        };
        if self.calm_since.is_none_or(|since| timer < since) {
            return Vec::new();
        }
        self.latest_notice = self.latest_notice.max(now.since(timer));
        if now.since(timer) > NOTICED_MAX {
            return vec![format!("L2: {} was due at {timer} and noticed at {now}", job.id)];
        }
        Vec::new()
    }

    /// I3, I10, I11: a new hold comes with a claim alone, to a robot that fits, has reserved the slot, and has not too many.
    fn of_hold(&mut self, before: Option<&Job>, job: &Job, robots: &BTreeMap<Key, Record>, key: &Key) -> Vec<String> {
        let mut faults = Vec::new();
        let (was, is) = (before.and_then(|it| it.state.last_hold()), job.state.last_hold());
        let given_before = before.map_or(0, |before| before.attempts.given);
        match (was, is) {
            (_, Some(hold)) if hold.attempt > given_before => faults.extend(self.of_claim(job, hold, robots, key)),
            (Some(was), Some(is)) if was.is(&is.fence()) && was.robot == is.robot => {}
            (None, None) => {}
            _ => faults.push(format!("I3: {}: {was:?} became {is:?}", job.id)),
        }
        if let Some(hold) = was {
            self.held.entry(hold.robot.clone()).or_default().remove(&job.id);
        }
        if let Some(hold) = job.state.hold() {
            let held = self.held.entry(hold.robot.clone()).or_default();
            held.insert(job.id);
            let robot = self.robots.get(&hold.robot);
            if robot.is_some_and(|robot| held.len() > robot.max_jobs as usize) {
                faults.push(format!("I10: {} holds {held:?}", hold.robot));
            }
        }
        faults
    }

    fn of_claim(&mut self, job: &Job, hold: &Hold, robots: &BTreeMap<Key, Record>, key: &Key) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.tokens.insert(hold.token.clone()) {
            faults.push(format!("I3: {}: its token was given before", job.id));
        }
        let claim = (hold.token.clone(), hold.robot.clone());
        if self.claims.insert((job.id, hold.attempt), claim).is_some() {
            faults.push(format!("I5: {}: attempt {} was given before", job.id, hold.attempt));
        }
        let at = Key::new(Kind::Robot, &job.tenant, hold.robot.as_str());
        // A robot that was removed meanwhile gets a lease that nobody renews.
        let Some(robot) = robots.get(&at).and_then(|record| queue::robot_in(record).ok()) else {
            return faults;
        };
        if robot.tenant != job.tenant || !robot.fits(&job.spec.queue, &job.spec.requires) {
            faults.push(format!("I11: {key} went to {}, who does not fit", robot.id));
        }
        let has_a_slot = |slot: &domain::robot::Reservation| {
            slot.job == job.id && slot.attempt == hold.attempt && slot.token == hold.token
        };
        if !robot.holds.iter().any(has_a_slot) {
            faults.push(format!("I10: {key} went to {}, who has no slot for it", robot.id));
        }
        faults
    }

    /// I4: only the token that an attempt was given with ends it.
    fn of_reports(&self, job: &Job) -> Vec<String> {
        let wrong = job.finishes.iter().filter(|mark| {
            let given = self.claims.get(&(job.id, mark.attempt));
            given.is_none_or(|(token, _)| *token != mark.token)
        });
        wrong
            .map(|mark| {
                format!(
                    "I4: {}: attempt {} was ended by a token it was not given",
                    job.id, mark.attempt
                )
            })
            .collect()
    }
}

/// What was added to the history.
fn new_steps(before: Option<&Job>, job: &Job) -> Vec<Transition> {
    let last = before
        .and_then(|before| before.history.last())
        .map_or(0, |step| step.seq);
    job.history.iter().filter(|step| step.seq > last).cloned().collect()
}

/// I6 and I13: what is over stays as it is, with its result.
fn of_the_end(before: &Job, job: &Job) -> Option<String> {
    let stays = before.state == job.state
        && before.reason == job.reason
        && before.result == job.result
        && before.error == job.error
        && before.finishes == job.finishes
        && before.attempts == job.attempts;
    (before.state.name().is_terminal() && !stays)
        .then(|| format!("I6: {} was over and changed: {before:?} became {job:?}", job.id))
}

/// What a client asked for stays as it was asked.
fn of_what_was_asked(before: &Job, job: &Job) -> Option<String> {
    let stays = before.spec == job.spec
        && before.payload == job.payload
        && before.created_at == job.created_at
        && before.request_digest == job.request_digest;
    (!stays).then(|| format!("I2: {} is not the job any more that was asked for", job.id))
}
