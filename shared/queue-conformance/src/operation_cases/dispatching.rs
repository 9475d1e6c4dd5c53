//! Dispatch: ready jobs are reserved for robots that are about to ask, and their next sync hands them over.

use domain::{JobId, Strategy, job::StateName};
use queue::{NewRobot, QueueChange, Settings};

use crate::kit::{Kit, LEASE, TestRobot, new_robot, queue, secs, submissions, words};

/// A robot with room for `max_jobs` that synced just now and is expected again in half a minute.
async fn waiting_robot(kit: &Kit, max_jobs: u32) -> TestRobot {
    waiting_robot_like(
        kit,
        NewRobot {
            max_jobs,
            ..new_robot()
        },
    )
    .await
}

async fn waiting_robot_like(kit: &Kit, new: NewRobot) -> TestRobot {
    let robot = kit.robot_like(new).await;
    assert!(robot.ask(100).await.is_empty());
    robot
}

async fn dispatch(kit: &Kit) -> u64 {
    kit.engine.dispatch().await.expect("the store answers").assigned
}

pub async fn a_reserved_job_is_handed_over_with_a_whole_lease(kit: &Kit) {
    let robot = waiting_robot(kit, 1).await;
    let job = kit.submit_plain().await;
    kit.pass(secs(27));
    assert_eq!(dispatch(kit).await, 1);
    let view = kit.job(job).await.job;
    assert_eq!(
        (view.state.name(), &view.state.hold().unwrap().robot),
        (StateName::Leased, &robot.id)
    );
    kit.pass(secs(3));
    let answer = robot.sync(1, &[]).await;
    assert_eq!((answer.assign[0].job.id, answer.assign[0].lease_ttl), (job, LEASE));
    kit.pass_and_sweep(secs(59)).await;
    assert_eq!(
        kit.state(job).await,
        StateName::Leased,
        "the lease counts from the handing over"
    );
    assert_eq!(
        robot.renew(&(&answer.assign[0]).into()).await,
        queue::LeaseStatus::Renewed
    );
}

pub async fn what_was_reserved_comes_before_what_is_found(kit: &Kit) {
    let robot = waiting_robot(kit, 2).await;
    let first = kit.submit_plain().await;
    kit.pass(secs(28));
    assert_eq!(dispatch(kit).await, 1);
    let second = kit.submit_plain().await;
    let given: Vec<JobId> = robot.ask(2).await.iter().map(|held| held.job).collect();
    assert_eq!(given, [first, second]);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_reserved_job_without_room_for_it_goes_back(kit: &Kit) {
    let robot = waiting_robot(kit, 2).await;
    kit.submit_many(submissions(2)).await;
    kit.pass(secs(28));
    assert_eq!(dispatch(kit).await, 2);
    let given = robot.ask(1).await;
    assert_eq!(given.len(), 1);
    let ready = queue::JobFilter {
        state: Some(StateName::Ready),
        ..<_>::default()
    };
    let back = kit.list(&ready, 10).await;
    assert_eq!(back.len(), 1);
    assert_eq!(kit.job(back[0]).await.job.attempts.unstarted, 0, "and it burns nothing");
}

pub async fn the_same_sync_again_gives_again_what_was_reserved(kit: &Kit) {
    let robot = waiting_robot(kit, 1).await;
    kit.submit_plain().await;
    kit.pass(secs(28));
    dispatch(kit).await;
    let request = robot.request(1, &[]);
    let first = robot.send(request.clone()).await.unwrap();
    assert_eq!(first.assign.len(), 1);
    assert_eq!(robot.send(request).await.unwrap(), first);
}

pub async fn a_robot_that_does_not_ask_soon_gets_nothing_reserved(kit: &Kit) {
    waiting_robot(kit, 1).await;
    kit.submit_plain().await;
    kit.pass(secs(20));
    assert_eq!(dispatch(kit).await, 0, "it is expected in ten seconds");
    kit.pass(secs(10));
    assert_eq!(dispatch(kit).await, 1, "it is expected now");
}

pub async fn an_overdue_robot_gets_nothing_reserved(kit: &Kit) {
    let robot = waiting_robot(kit, 1).await;
    kit.submit_plain().await;
    kit.pass(secs(36));
    assert_eq!(dispatch(kit).await, 0);
    assert_eq!(robot.ask(1).await.len(), 1, "but may ask itself");
}

pub async fn a_robot_that_opened_a_session_and_did_not_sync_gets_nothing_reserved(kit: &Kit) {
    kit.robot(1).await;
    kit.submit_plain().await;
    assert_eq!(dispatch(kit).await, 0);
}

pub async fn a_reserved_job_that_nobody_fetches_goes_back(kit: &Kit) {
    let robot = waiting_robot(kit, 1).await;
    let job = kit.submit_plain().await;
    kit.pass(secs(30));
    assert_eq!(dispatch(kit).await, 1);
    kit.pass_and_sweep(LEASE).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
    assert_eq!(robot.ask(1).await.len(), 1, "and its slot is free");
}

pub async fn a_dispatch_reserves_no_more_than_there_is_room(kit: &Kit) {
    let robots = [waiting_robot(kit, 2).await, waiting_robot(kit, 3).await];
    kit.submit_many(submissions(20)).await;
    kit.pass(secs(30));
    assert_eq!(dispatch(kit).await, 5);
    assert_eq!(dispatch(kit).await, 0);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
    let mut given = 0;
    for robot in &robots {
        given += robot.ask(100).await.len();
    }
    assert_eq!(given, 5);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn racing_dispatches_and_syncs_keep_within_bounds(kit: &Kit) {
    let mut robots = Vec::new();
    for _ in 0..4 {
        robots.push(waiting_robot(kit, 3).await);
    }
    kit.submit_many(submissions(50)).await;
    kit.pass(secs(30));
    let dispatching = (0..3_u64).map(|seed| {
        let kit = kit.beside(50 + seed, Settings::default());
        tokio::spawn(async move {
            kit.engine.dispatch().await.expect("the store answers");
        })
    });
    let syncing = robots.into_iter().map(|robot| {
        tokio::spawn(async move {
            for _ in 0..3 {
                assert!(robot.ask(3).await.len() <= 3);
            }
        })
    });
    for done in futures::future::join_all(dispatching.chain(syncing)).await {
        done.unwrap();
    }
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn two_dispatches_at_once_reserve_each_job_once(kit: &Kit) {
    for _ in 0..3 {
        waiting_robot(kit, 10).await;
    }
    kit.submit_many(submissions(30)).await;
    kit.pass(secs(30));
    let racing = (0..4_u64).map(|seed| {
        let kit = kit.beside(50 + seed, Settings::default());
        tokio::spawn(async move { kit.engine.dispatch().await.expect("the store answers").assigned })
    });
    let assigned: u64 = futures::future::join_all(racing)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    let leased = queue::JobFilter {
        state: Some(StateName::Leased),
        ..<_>::default()
    };
    assert_eq!(
        kit.list(&leased, 200).await.len() as u64,
        assigned,
        "exactly what was marked"
    );
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_queue_can_be_dispatched_alone(kit: &Kit) {
    let serving = NewRobot {
        queues: vec![queue("a"), queue("b")],
        max_jobs: 9,
        ..new_robot()
    };
    waiting_robot_like(kit, serving).await;
    let a = kit.submit_spec(|spec| spec.queue = queue("a")).await;
    let b = kit.submit_spec(|spec| spec.queue = queue("b")).await;
    kit.pass(secs(30));
    assert_eq!(
        kit.engine
            .dispatch_queue(&kit.tenant, &queue("b"))
            .await
            .unwrap()
            .assigned,
        1
    );
    assert_eq!(
        (kit.state(a).await, kit.state(b).await),
        (StateName::Ready, StateName::Leased)
    );
    assert_eq!(
        kit.engine
            .dispatch_queue(&kit.tenant, &queue("unknown"))
            .await
            .unwrap()
            .assigned,
        0
    );
}

pub async fn a_dispatch_serves_every_tenant_apart(kit: &Kit) {
    let (one, other) = (kit.of_tenant("a"), kit.of_tenant("a-b"));
    let (mine, theirs) = (waiting_robot(&one, 1).await, waiting_robot(&other, 1).await);
    let (job, their_job) = (one.submit_plain().await, other.submit_plain().await);
    kit.pass(secs(30));
    assert_eq!(dispatch(kit).await, 2);
    assert_eq!(mine.take().await.job, job);
    assert_eq!(theirs.take().await.job, their_job);
}

pub async fn a_dispatch_crosses_no_requirement(kit: &Kit) {
    let browser = waiting_robot_like(
        kit,
        NewRobot {
            capabilities: words(&["browser"]),
            ..new_robot()
        },
    )
    .await;
    waiting_robot(kit, 9).await;
    let fits = kit
        .submit_spec(|spec| spec.requires.capabilities = words(&["browser"]))
        .await;
    let fits_nobody = kit
        .submit_spec(|spec| spec.requires.environment = Some("prod".parse().unwrap()))
        .await;
    kit.pass(secs(30));
    assert_eq!(dispatch(kit).await, 1);
    assert_eq!(browser.take().await.job, fits);
    assert_eq!(kit.state(fits_nobody).await, StateName::Ready);
}

pub async fn the_load_is_spread_by_the_queues_strategy(kit: &Kit) {
    for strategy in Strategy::ALL {
        kit.set_queue(QueueChange {
            strategy: Some(strategy),
            ..<_>::default()
        })
        .await;
        let robots = [waiting_robot(kit, 4).await, waiting_robot(kit, 4).await];
        kit.submit_many(submissions(4)).await;
        kit.pass(secs(30));
        assert_eq!(dispatch(kit).await, 4, "{strategy:?}");
        let mut given = Vec::new();
        for robot in &robots {
            let held = robot.ask(4).await;
            given.push(held.len());
            for held in held {
                robot.succeed(&held).await;
            }
        }
        assert_eq!(given.iter().sum::<usize>(), 4);
        if strategy != Strategy::Random && strategy != Strategy::Affinity {
            assert_eq!(given, [2, 2], "{strategy:?}");
        }
        // They ask for nothing any more.
        kit.pass(secs(300));
    }
}
