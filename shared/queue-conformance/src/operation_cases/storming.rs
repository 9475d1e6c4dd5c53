//! Everything at once: clients, robots, cancels, sweeps and dispatches on many threads.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::{
    JobId,
    job::{ErrorKind, Outcome, StateName},
};
use queue::{JobFilter, LeaseStatus, Settings};

use crate::kit::{Held, Kit, TestRobot, failed, secs, submission};

/// How many jobs each of the two clients submits.
const JOBS: usize = 30;

/// How often the schedules go round before the case gives up.
const ROUNDS_MAX: usize = 5_000;

pub async fn a_storm_of_clients_robots_and_schedules_loses_nothing(kit: &Kit) {
    let over = Arc::new(AtomicBool::new(false));
    let mut robots = Vec::new();
    for place in 0..4 {
        let robot = kit.robot(3).await;
        robots.push(tokio::spawn(work(robot, place, over.clone())));
    }
    let clients = [
        tokio::spawn(ask(kit.beside(101, Settings::default()))),
        tokio::spawn(ask(kit.beside(102, Settings::default()))),
    ];
    let schedules = [103, 104].map(|seed| tokio::spawn(tick(kit.beside(seed, Settings::default()), over.clone())));
    let mut accepted: Vec<JobId> = Vec::new();
    for client in clients {
        accepted.extend(client.await.unwrap());
    }
    let unfinished = wait_for_the_end(kit, &accepted).await;
    over.store(true, Ordering::SeqCst);
    for task in robots.into_iter().chain(schedules) {
        task.await.unwrap();
    }
    assert_eq!(unfinished, 0, "everything ends");
    assert_eq!(accepted.len(), 2 * JOBS);
    for job in accepted {
        let ends = kit
            .path(job)
            .await
            .into_iter()
            .filter(|state| state.is_terminal())
            .count();
        assert_eq!(ends, 1, "each job ends once");
    }
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

/// Submits jobs, and cancels every seventh.
async fn ask(kit: Kit) -> Vec<JobId> {
    let mut accepted = Vec::new();
    for place in 0..JOBS {
        let asked = submission(|spec| spec.retry.initial_seconds = 1);
        let job = kit.submit(asked).await;
        if place.is_multiple_of(7) {
            // It may have ended meanwhile.
            let _ = kit.cancel(job).await;
        }
        accepted.push(job);
        tokio::task::yield_now().await;
    }
    accepted
}

/// Takes jobs, begins them and reports; every fifth report is a failure, and every report is sent twice.
async fn work(robot: TestRobot, place: usize, over: Arc<AtomicBool>) {
    let mut working: Vec<Held> = Vec::new();
    let mut reports = place;
    while !over.load(Ordering::SeqCst) {
        let free = 3 - u32::try_from(working.len()).unwrap();
        let answer = robot.sync(free, &working.iter().collect::<Vec<_>>()).await;
        assert!(answer.assign.len() <= free as usize);
        for lease in answer.leases {
            let Some(at) = working.iter().position(|held| held.job == lease.job) else {
                continue;
            };
            let outcome = match lease.status {
                LeaseStatus::Renewed if reports.is_multiple_of(5) => failed(ErrorKind::Application),
                LeaseStatus::Renewed => Outcome::Succeeded,
                LeaseStatus::Cancel => Outcome::Cancelled,
                LeaseStatus::Lost => {
                    working.remove(at);
                    continue;
                }
            };
            let held = working.remove(at);
            reports += 1;
            let first = robot
                .finish(&held, outcome.clone(), None)
                .await
                .map(|answered| answered.state);
            let again = robot.finish(&held, outcome, None).await.map(|answered| answered.state);
            assert_eq!(first.ok(), again.ok(), "a report sent again gets the same answer");
        }
        working.extend(answer.assign.iter().map(Held::from));
        tokio::task::yield_now().await;
    }
}

/// Sweeps and dispatches while time goes by.
async fn tick(kit: Kit, over: Arc<AtomicBool>) {
    while !over.load(Ordering::SeqCst) {
        kit.pass(std::time::Duration::from_millis(50));
        kit.sweep().await;
        kit.engine.dispatch().await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// Waits until all jobs have ended, and gives how many have not when it gives up.
async fn wait_for_the_end(kit: &Kit, accepted: &[JobId]) -> usize {
    let states = [
        StateName::Scheduled,
        StateName::Ready,
        StateName::Leased,
        StateName::Running,
    ];
    let mut unfinished = accepted.len();
    for _ in 0..ROUNDS_MAX {
        kit.pass(secs(1) / 20);
        unfinished = 0;
        for state in states {
            let filter = JobFilter {
                state: Some(state),
                ..JobFilter::default()
            };
            unfinished += kit.list(&filter, 200).await.len();
        }
        // One look at each list in turn can miss a job on its way from one to the next.
        if unfinished == 0 && all_ended(kit, accepted).await {
            break;
        }
        tokio::task::yield_now().await;
    }
    unfinished
}

async fn all_ended(kit: &Kit, accepted: &[JobId]) -> bool {
    for job in accepted {
        if !kit.state(*job).await.is_terminal() {
            return false;
        }
    }
    true
}

pub async fn clocks_some_seconds_apart_only_delay(kit: &Kit) {
    let slow = kit.behind(7, secs(5));
    let (mut jobs, robot) = (Vec::new(), kit.robot(1).await);
    for place in 0..6 {
        let server = if place % 2 == 0 { kit } else { &slow };
        jobs.push(server.submit_plain().await);
        kit.pass(secs(1));
    }
    // The slow server sees jobs from the time to come, and hands them out all the same.
    for place in 0..jobs.len() {
        let servers = if place % 2 == 0 { [kit, &slow] } else { [&slow, kit] };
        let answer = servers[0]
            .engine
            .sync(&kit.tenant, &robot.id, robot.request(1, &[]))
            .await
            .unwrap();
        let held = Held::from(&answer.assign[0]);
        for _ in 0..4 {
            for server in servers {
                let request = robot.request(0, &[&held]);
                let told = server.engine.sync(&kit.tenant, &robot.id, request).await.unwrap();
                assert_eq!(told.leases[0].status, LeaseStatus::Renewed);
                kit.pass(secs(20));
                slow.sweep().await;
                kit.sweep().await;
            }
        }
        assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
    }
    for job in jobs {
        assert_eq!(kit.job(job).await.job.attempts.given, 1, "no lease was lost");
    }
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}
