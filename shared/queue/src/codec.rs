//! The stored form. Nothing else in the workspace reads or writes a record's body.

use std::time::Duration;

use domain::{
    Job, JobId, Queue, Robot, RobotId, TenantName, Timestamp,
    job::{State, StateName},
    names::QueueName,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    operations::ApiKey,
    store::{Key, Kind, Lane, Rank, Record, StoreError, Version},
};

/// When the sweep looks whether a dedup key is still held.
const DEDUP_LOOK: Duration = Duration::from_hours(24);

/// The shelf of robots.
pub(crate) const ROBOTS: &str = "robots";
/// The shelf of queues.
pub(crate) const QUEUES: &str = "queues";
/// The shelf of tenants.
pub(crate) const TENANTS: &str = "tenants";
/// Dead letters lie on shelves of their own, so that listing them costs what they are.
pub(crate) const DEAD_FAILED: &str = "failed/dead";
/// Dead letters that timed out.
pub(crate) const DEAD_TIMED_OUT: &str = "timed_out/dead";

/// Which unfinished job holds a dedup key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DedupHolder {
    pub(crate) tenant: TenantName,
    pub(crate) job: JobId,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) name: TenantName,
}

/// A record that was read, with what it means.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    pub(crate) value: T,
    pub(crate) version: Version,
    pub(crate) due_at: Option<Timestamp>,
}

impl<T> Stored<T> {
    /// Something that is not there yet.
    pub(crate) fn new(value: T) -> Self {
        Self {
            value,
            version: Version::ABSENT,
            due_at: None,
        }
    }

    /// This value once it is written, with `due_at`.
    pub(crate) fn written(self, due_at: Option<Timestamp>) -> Self {
        Self {
            version: self.version.next(),
            due_at,
            ..self
        }
    }

    /// The same place in the store with another value.
    pub(crate) fn with<U>(&self, value: U) -> Stored<U> {
        Stored {
            value,
            version: self.version,
            due_at: self.due_at,
        }
    }
}

/// Reads a record's body.
pub(crate) fn read<T: DeserializeOwned>(record: &Record) -> Result<Stored<T>, StoreError> {
    let value = serde_json::from_str(&record.body).map_err(|source| StoreError::Corrupt {
        what: record.key.to_string(),
        source: source.into(),
    })?;
    Ok(Stored {
        value,
        version: record.version,
        due_at: record.due_at,
    })
}

/// The job that `record` holds: for those who watch a store and take no part.
pub fn job_in(record: &Record) -> Result<Job, StoreError> {
    Ok(read(record)?.value)
}

/// The robot that `record` holds: for those who watch a store and take no part.
pub fn robot_in(record: &Record) -> Result<Robot, StoreError> {
    Ok(read(record)?.value)
}

fn write<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("domain values have text keys and finite numbers")
}

/// The key of a job.
pub(crate) fn job_key(tenant: &TenantName, id: JobId) -> Key {
    Key::new(Kind::Job, tenant, id.to_text())
}

/// The key of a robot.
pub(crate) fn robot_key(tenant: &TenantName, id: &RobotId) -> Key {
    Key::new(Kind::Robot, tenant, id.as_str())
}

/// The key of a queue.
pub(crate) fn queue_key(tenant: &TenantName, name: &QueueName) -> Key {
    Key::new(Kind::Queue, tenant, name.as_str())
}

/// The record of a job; `now` is when it is written, `retention` how long it is kept once it is over.
pub(crate) fn job_record(job: &Stored<Job>, now: Timestamp, retention: Duration) -> Record {
    let Stored { value, version, .. } = job;
    let over_at = match value.state {
        State::Ended { at, .. } => Some(at),
        _ => None,
    };
    Record {
        key: job_key(&value.tenant, value.id),
        version: *version,
        lane: Some(lane(value)),
        rank: rank(value),
        due_at: job_due_at(job, now),
        shelf: shelf(value).to_owned(),
        listed_at: value.created_at,
        expires_at: over_at.map(|at| at + retention),
        body: write(value),
    }
}

/// The lane of a job: jobs that ask the same of a robot stand in one line.
pub(crate) fn lane(job: &Job) -> Lane {
    let requires = &job.spec.requires;
    let class = write(&Class {
        environment: requires.environment.clone(),
        capabilities: requires.capabilities.clone(),
    });
    Lane::new(&job.tenant, &job.spec.queue, requires.robot.as_ref(), &class)
}

/// What the jobs of a lane ask of a robot besides being that robot.
#[derive(Debug, Serialize, Deserialize)]
struct Class {
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    environment: Option<domain::Word>,
    #[serde(rename = "c", default, skip_serializing_if = "std::collections::BTreeSet::is_empty")]
    capabilities: std::collections::BTreeSet<domain::Word>,
}

/// What the jobs of `lane` require of a robot; `None` when this version does not understand it.
pub(crate) fn lane_requires(lane: &Lane) -> Option<domain::job::Requires> {
    let class: Class = serde_json::from_str(lane.class()).ok()?;
    let robot = match lane.target() {
        "" => None,
        target => Some(RobotId::parse(target).ok()?),
    };
    Some(domain::job::Requires {
        capabilities: class.capabilities,
        environment: class.environment,
        robot,
    })
}

fn rank(job: &Job) -> Option<Rank> {
    matches!(job.state, State::Ready { .. }).then(|| Rank {
        band: job.spec.priority.band(),
        since: job.queued_at,
    })
}

/// The next look at an unfinished job; none at a ready one that no time ends, which the ready index brings up. An earlier
/// look that is still to come is left as it is: moving it would cost index writes with every renewal, and a look that
/// finds nothing due only sets the next.
pub(crate) fn job_due_at(job: &Stored<Job>, now: Timestamp) -> Option<Timestamp> {
    let wanted = job.value.next_timer()?;
    Some(
        job.due_at
            .filter(|armed| *armed > now)
            .map_or(wanted, |armed| armed.min(wanted)),
    )
}

/// The list a job is found in.
pub(crate) fn shelf(job: &Job) -> &'static str {
    match job.state.name() {
        StateName::Failed if job.is_dead_letter() => DEAD_FAILED,
        StateName::TimedOut if job.is_dead_letter() => DEAD_TIMED_OUT,
        state => state.as_str(),
    }
}

/// The lists in which jobs of `state` are found; all of them for `None`.
pub(crate) fn shelves(state: Option<StateName>) -> Vec<&'static str> {
    let of = |state: StateName| match state {
        StateName::Failed => vec![StateName::Failed.as_str(), DEAD_FAILED],
        StateName::TimedOut => vec![StateName::TimedOut.as_str(), DEAD_TIMED_OUT],
        other => vec![other.as_str()],
    };
    state.map_or_else(|| StateName::ALL.into_iter().flat_map(of).collect(), of)
}

/// The record of a robot.
pub(crate) fn robot_record(robot: &Stored<Robot>) -> Record {
    let key = robot_key(&robot.value.tenant, &robot.value.id);
    plain(robot, key, ROBOTS, robot.value.created_at)
}

/// The record of a queue.
pub(crate) fn queue_record(queue: &Stored<Queue>) -> Record {
    let key = queue_key(&queue.value.tenant, &queue.value.name);
    plain(queue, key, QUEUES, queue.value.created_at)
}

/// The record of an API key: common, because a request is known by its key before its tenant is.
pub(crate) fn api_key_record(key: &Stored<ApiKey>) -> Record {
    let place = Key::common(Kind::ApiKey, key.value.id.as_str());
    plain(key, place, key.value.tenant.as_str(), key.value.created_at)
}

/// The record of a tenant.
pub(crate) fn tenant_record(tenant: &Stored<Tenant>, now: Timestamp) -> Record {
    plain(
        tenant,
        Key::common(Kind::Tenant, tenant.value.name.as_str()),
        TENANTS,
        now,
    )
}

/// The record of a dedup key's holder, looked at again after a while, so that it does not outlive its job for long.
pub(crate) fn dedup_record(key: Key, holder: &Stored<DedupHolder>, now: Timestamp) -> Record {
    Record {
        due_at: Some(now + DEDUP_LOOK),
        ..plain(holder, key, "dedup", now)
    }
}

fn plain<T: Serialize>(stored: &Stored<T>, key: Key, shelf: &str, listed_at: Timestamp) -> Record {
    Record {
        key,
        version: stored.version,
        lane: None,
        rank: None,
        due_at: None,
        shelf: shelf.to_owned(),
        listed_at,
        expires_at: None,
        body: write(&stored.value),
    }
}
