//! Robots and jobs for them, in few words.

use domain::{
    Job, JobId, Queue, QueueName, Robot, RobotId, TenantName, Word, WorkflowName,
    job::JobSpec,
    names::KeyId,
    robot::{Mode, Reservation},
};

use crate::story::{at, job, spec, token};

pub(crate) fn word(text: &str) -> Word {
    Word::parse(text).expect("a good word")
}

pub(crate) fn words(texts: &[&str]) -> std::collections::BTreeSet<Word> {
    texts.iter().map(|text| word(text)).collect()
}

pub(crate) fn queue_name(text: &str) -> QueueName {
    QueueName::parse(text).expect("a good name")
}

pub(crate) fn workflow(text: &str) -> WorkflowName {
    WorkflowName::parse(text).expect("a good name")
}

pub(crate) fn robot_id(name: &str) -> RobotId {
    RobotId::parse(&format!("rob_{name}")).expect("a good id")
}

/// The default queue, after `change`.
pub(crate) fn queue(change: impl FnOnce(&mut Queue)) -> Queue {
    let mut queue = Queue::new(QueueName::default_queue(), TenantName::default_tenant(), at(0));
    change(&mut queue);
    queue
}

/// A robot of the default queue with one slot, free and just heard of, after `change`.
pub(crate) fn robot(name: &str, change: impl FnOnce(&mut Robot)) -> Robot {
    let mut robot = Robot {
        id: robot_id(name),
        tenant: TenantName::default_tenant(),
        key: KeyId::parse("key_robot").expect("a good id"),
        name: name.to_owned(),
        queues: vec![QueueName::default_queue()],
        capabilities: words(&[]),
        environment: None,
        max_jobs: 1,
        version: None,
        labels: std::collections::BTreeMap::new(),
        created_at: at(0),
        drain: false,
        epoch: 1,
        seq: Some(1),
        mode: Mode::Idle,
        free_slots: u32::MAX,
        seen_at: Some(at(0)),
        next_sync_at: None,
        assigned_at: None,
        recent: Vec::new(),
        holds: Vec::new(),
        answered: Vec::new(),
    };
    change(&mut robot);
    robot
}

/// A slot of a robot that is taken by some job; `handed_over` when the robot knows of it.
pub(crate) fn reservation(handed_over: bool) -> Reservation {
    Reservation {
        job: JobId(uuid::Uuid::nil()),
        attempt: 1,
        token: token("token-1"),
        handed_over,
    }
}

/// A ready job of the default queue, after `change`.
pub(crate) fn ready(change: impl FnOnce(&mut JobSpec)) -> Job {
    let mut spec = spec();
    change(&mut spec);
    job(spec, None)
}
