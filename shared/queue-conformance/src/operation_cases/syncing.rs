//! Sync: heartbeat, renewal, progress, cancellation and claim in one call that may be sent again.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use domain::{
    JobId,
    job::{Progress, StateName},
    robot::{RobotState, SyncRejection},
};
use queue::{
    LeaseStatus, QueueChange, Refusal, Settings,
    store::{Key, Kind, Store},
};
use tokio::sync::Notify;

use crate::{
    faults::{FaultyStore, Pace, Rates},
    kit::{Held, Kit, LEASE, TestRobot, secs, submissions},
};

pub async fn the_same_sync_again_gives_the_same_jobs_again(kit: &Kit) {
    kit.submit_many(submissions(3)).await;
    let robot = kit.robot(3).await;
    let request = robot.request(2, &[]);
    let first = robot.send(request.clone()).await.unwrap();
    assert_eq!(first.assign.len(), 2);
    for _ in 0..3 {
        assert_eq!(robot.send(request.clone()).await.unwrap(), first);
    }
    kit.pass(secs(5));
    let later = robot.send(request).await.unwrap();
    let held = |answer: &queue::SyncAnswer| answer.assign.iter().map(Held::from).collect::<Vec<_>>();
    assert_eq!(held(&later), held(&first));
    assert_eq!(later.assign[0].lease_ttl, secs(55), "what is left of it");
}

pub async fn an_older_sync_is_stale(kit: &Kit) {
    let robot = kit.robot(1).await;
    let (old, new) = (robot.request(1, &[]), robot.request(1, &[]));
    robot.send(new).await.unwrap();
    kit.submit_plain().await;
    assert!(matches!(
        robot.send(old).await,
        Err(Refusal::Sync(SyncRejection::StaleSequence))
    ));
    assert_eq!(robot.ask(1).await.len(), 1);
}

pub async fn seq_may_begin_anywhere_and_leave_gaps(kit: &Kit) {
    let robot = kit.robot(1).await;
    for seq in [u64::from(u32::MAX), 1 << 40, 1 << 53] {
        let mut request = robot.request(0, &[]);
        request.seq = seq;
        robot.send(request).await.unwrap();
    }
}

pub async fn a_sync_again_renews_again(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    let request = robot.request(0, &[&held]);
    for _ in 0..4 {
        assert_eq!(
            robot.send(request.clone()).await.unwrap().leases[0].status,
            LeaseStatus::Renewed
        );
        kit.pass_and_sweep(secs(50)).await;
    }
    assert_eq!(kit.state(job).await, StateName::Running);
}

pub async fn a_job_runs_only_once_its_robot_said_so(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.take().await;
    robot.sync(0, &[]).await;
    assert_eq!(kit.state(job).await, StateName::Leased);
    assert_eq!(kit.job(job).await.job.attempts_left(), 3);
    assert_eq!(robot.renew(&held).await, LeaseStatus::Renewed);
    assert_eq!(kit.state(job).await, StateName::Running);
    assert_eq!(kit.job(job).await.job.attempts_left(), 2);
}

pub async fn a_job_that_is_not_begun_goes_back_after_its_lease(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    robot.take().await;
    robot.sync(0, &[]).await;
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
    assert_eq!(kit.job(job).await.job.attempts_left(), 3, "and burns nothing");
    assert_eq!(robot.ask(1).await.len(), 1);
}

pub async fn a_running_job_that_is_not_listed_is_not_renewed(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    robot.begin().await;
    kit.pass(secs(30));
    robot.sync(0, &[]).await;
    kit.pass_and_sweep(secs(30)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_renewed_lease_lasts_from_the_renewal(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    for _ in 0..10 {
        kit.pass_and_sweep(secs(50)).await;
        let told = &robot.sync(0, &[&held]).await.leases[0];
        assert_eq!((told.status, told.ttl), (LeaseStatus::Renewed, Some(LEASE)));
    }
    kit.pass_and_sweep(secs(59)).await;
    assert_eq!(kit.state(job).await, StateName::Running);
    kit.pass_and_sweep(secs(1)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn each_listed_job_is_answered_in_its_place(kit: &Kit) {
    let robot = kit.robot(3).await;
    kit.submit_many(submissions(3)).await;
    let given = robot.ask(3).await;
    let mut wrong = given[1].clone();
    wrong.fence.token = "lt_wrong".parse().unwrap();
    let unknown = Held {
        job: JobId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        ..given[0].clone()
    };
    let answer = robot.sync(0, &[&given[2], &wrong, &unknown, &given[0]]).await;
    let told: Vec<_> = answer.leases.iter().map(|lease| (lease.job, lease.status)).collect();
    let (renewed, lost) = (LeaseStatus::Renewed, LeaseStatus::Lost);
    assert_eq!(
        told,
        [
            (given[2].job, renewed),
            (wrong.job, lost),
            (unknown.job, lost),
            (given[0].job, renewed)
        ]
    );
    assert_eq!(
        kit.state(given[1].job).await,
        StateName::Leased,
        "a wrong token begins nothing"
    );
}

pub async fn a_robot_cannot_renew_what_another_holds(kit: &Kit) {
    let job = kit.submit_plain().await;
    let (robot, thief) = (kit.robot(1).await, kit.robot(1).await);
    let held = robot.begin().await;
    assert_eq!(thief.renew(&held).await, LeaseStatus::Lost);
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn progress_is_kept_until_the_next_attempt(kit: &Kit) {
    let job = kit.submit_plain().await;
    let mut robot = kit.robot(1).await;
    let held = robot.begin().await;
    let progress = Some(Progress {
        percent: Some(40),
        message: Some("page 3".to_owned()),
    });
    let mut request = robot.request(0, &[&held]);
    request.running[0].progress.clone_from(&progress);
    robot.send(request).await.unwrap();
    assert_eq!(kit.job(job).await.job.progress, progress);
    robot.renew(&held).await;
    assert_eq!(
        kit.job(job).await.job.progress,
        progress,
        "a sync that says nothing of it leaves it"
    );
    robot.open_session(&[]).await;
    robot.take().await;
    assert_eq!(kit.job(job).await.job.progress, None);
}

pub async fn a_robot_never_gets_more_than_it_has_room_for(kit: &Kit) {
    kit.submit_many(submissions(20)).await;
    let robot = kit.robot(5).await;
    assert!(robot.ask(0).await.is_empty());
    let two = robot.ask(2).await;
    assert_eq!(two.len(), 2, "no more than it asked for");
    let rest = robot.sync(10, &[&two[0], &two[1]]).await;
    assert_eq!(rest.assign.len(), 3, "no more than it may hold");
    assert!(robot.ask(10).await.is_empty());
}

pub async fn a_new_sync_after_a_lost_answer_does_not_exceed_the_room(kit: &Kit) {
    kit.submit_many(submissions(20)).await;
    let robot = kit.robot(4).await;
    // It never hears an answer, and asks anew each time.
    for _ in 0..5 {
        robot.sync(3, &[]).await;
        crate::audit::hold(&kit.engine, &kit.tenant).await;
    }
}

pub async fn racing_syncs_never_give_more_than_there_is_room(kit: &Kit) {
    kit.submit_many(submissions(40)).await;
    for same_seq in [true, false] {
        let robot = kit.robot(3).await;
        let template = robot.request(2, &[]);
        let racing = (0..8_u64).map(|place| {
            let mut request = template.clone();
            request.seq += if same_seq { 0 } else { place };
            let kit = kit.beside(100 + place, Settings::default());
            let id = robot.id.clone();
            tokio::spawn(async move { kit.engine.sync(&kit.tenant, &id, request).await })
        });
        let mut given: Vec<BTreeSet<(JobId, u32)>> = Vec::new();
        for answer in futures::future::join_all(racing).await {
            match answer.unwrap() {
                Ok(answer) => given.push(
                    answer
                        .assign
                        .iter()
                        .map(|given| (given.job.id, given.attempt))
                        .collect(),
                ),
                Err(Refusal::Sync(SyncRejection::StaleSequence)) if !same_seq => {}
                Err(refusal) => panic!("{refusal:?}"),
            }
        }
        let all: BTreeSet<_> = given.iter().flatten().copied().collect();
        if same_seq {
            assert_eq!(all.len(), 2, "and each answer gives the same: {given:?}");
            assert!(given.iter().all(|jobs| *jobs == all));
        } else {
            assert!(all.len() <= 3, "{given:?}");
        }
        crate::audit::hold(&kit.engine, &kit.tenant).await;
    }
}

pub async fn a_slot_is_given_back_only_when_its_claim_can_no_longer_go_through(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let halfway = Arc::new(Halfway::of(kit, &robot));
    let slow = FaultyStore::with(kit.engine.store().clone(), 0, Rates::NONE, halfway.clone());
    let (slow, id, request) = (Kit::seeded(Arc::new(slow), 7), robot.id.clone(), robot.request(1, &[]));
    let claiming = tokio::spawn(async move { slow.engine.sync(&slow.tenant, &id, request).await });
    halfway.reached.notified().await;
    // The robot asks anew meanwhile, and cannot have this job: its slot is free for another one.
    kit.set_queue(QueueChange {
        paused: Some(true),
        strategy: None,
        lease_seconds: None,
    })
    .await;
    assert!(robot.ask(1).await.is_empty());
    halfway.go_on.notify_one();
    let answer = claiming.await.unwrap().unwrap();
    assert!(answer.assign.is_empty(), "the claim came too late");
    assert!(answer.next_sync < secs(1), "there may be more to be had at once");
    assert_eq!(kit.state(job).await, StateName::Ready);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

/// Stops a claim once, between its two writes: the robot has a slot for the job, and the job is not leased yet.
struct Halfway {
    store: Arc<dyn Store>,
    robot: Key,
    stopped: AtomicBool,
    reached: Notify,
    go_on: Notify,
}

impl Halfway {
    fn of(kit: &Kit, robot: &TestRobot) -> Self {
        Self {
            store: kit.engine.store().clone(),
            robot: Key::new(Kind::Robot, &kit.tenant, robot.id.as_str()),
            stopped: AtomicBool::new(false),
            reached: Notify::new(),
            go_on: Notify::new(),
        }
    }
}

#[async_trait]
impl Pace for Halfway {
    async fn step(&self) {
        let found = self.store.load(std::slice::from_ref(&self.robot)).await.unwrap();
        let robot = found.into_iter().flatten().next();
        let has_a_slot = robot.is_some_and(|record| !queue::robot_in(&record).unwrap().holds.is_empty());
        if has_a_slot && !self.stopped.swap(true, Ordering::SeqCst) {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
    }

    async fn dawdle(&self) {}
}

pub async fn racing_robots_never_share_a_job(kit: &Kit) {
    kit.submit_many(submissions(60)).await;
    let mut robots = Vec::new();
    for _ in 0..8 {
        robots.push(kit.robot(10).await);
    }
    let racing = robots
        .into_iter()
        .map(|robot| tokio::spawn(async move { robot.ask(10).await }));
    let mut given: Vec<JobId> = Vec::new();
    for jobs in futures::future::join_all(racing).await {
        given.extend(jobs.unwrap().iter().map(|held| held.job));
    }
    let distinct: BTreeSet<JobId> = given.iter().copied().collect();
    assert_eq!(given.len(), distinct.len());
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_robots_state_is_what_it_does(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let state = async |robot: &TestRobot| kit.engine.robot(&kit.tenant, &robot.id).await.unwrap().state(kit.now());
    assert_eq!(state(&robot).await, RobotState::Idle);
    let held = robot.begin().await;
    assert_eq!(state(&robot).await, RobotState::Busy);
    robot.succeed(&held).await;
    robot.ask(1).await;
    assert_eq!(state(&robot).await, RobotState::Idle);
}

pub async fn the_server_says_when_to_sync_next(kit: &Kit) {
    let robot = kit.robot(2).await;
    let idle = robot.sync(2, &[]).await.next_sync;
    assert_eq!(idle, secs(30), "nothing in sight");
    kit.submit_plain().await;
    let answer = robot.sync(2, &[]).await;
    assert!(answer.next_sync < secs(1), "a job to begin");
    let held = Held::from(&answer.assign[0]);
    let busy = robot.sync(1, &[&held]).await.next_sync;
    assert!(busy <= LEASE / 4, "{busy:?}");
    kit.submit_many(submissions(5)).await;
    let answer = robot.sync(0, &[&held]).await;
    assert!(answer.next_sync <= LEASE / 4);
}
