//! What a claim hands out: by priority and age, to a robot that fits, from open queues of its tenant alone.

use domain::{
    JobId,
    job::{Priority, StateName},
};
use queue::{NewRobot, QueueChange, Submission};

use crate::kit::{Held, Kit, TestRobot, new_robot, queue, secs, submission, submissions, words};

fn jobs(given: &[Held]) -> Vec<JobId> {
    given.iter().map(|held| held.job).collect()
}

async fn gets(robot: &TestRobot) -> Vec<JobId> {
    jobs(&robot.ask(10).await)
}

pub async fn the_most_urgent_goes_first_and_then_the_oldest(kit: &Kit) {
    let mut by_priority = Vec::new();
    for level in [5, 20, 0, 20, 5] {
        let job = kit
            .submit_spec(|spec| spec.priority = Priority::new(level).unwrap())
            .await;
        by_priority.push((20 - level, kit.now(), job));
        kit.pass(secs(1));
    }
    by_priority.sort_unstable();
    let expected: Vec<JobId> = by_priority.into_iter().map(|(.., job)| job).collect();
    assert_eq!(gets(&kit.robot(10).await).await, expected);
}

pub async fn age_counts_from_when_a_job_could_run(kit: &Kit) {
    let later = kit
        .submit(Submission {
            run_at: Some(kit.now() + secs(10)),
            ..submission(|_| {})
        })
        .await;
    kit.pass(secs(5));
    let early = kit.submit_plain().await;
    kit.pass(secs(10));
    let last = kit.submit_plain().await;
    kit.sweep().await;
    assert_eq!(gets(&kit.robot(10).await).await, [early, later, last]);
}

pub async fn a_job_that_lost_its_robot_keeps_its_place(kit: &Kit) {
    let first = kit.submit_plain().await;
    kit.pass(secs(1));
    let second = kit.submit_plain().await;
    let mut robot = kit.robot(2).await;
    robot.begin().await;
    robot.open_session(&[]).await;
    assert_eq!(gets(&robot).await, [first, second]);
}

pub async fn a_robot_gets_only_what_it_can_do(kit: &Kit) {
    let plain = kit.submit_plain().await;
    kit.pass(secs(1));
    let browser = kit
        .submit_spec(|spec| spec.requires.capabilities = words(&["browser"]))
        .await;
    kit.pass(secs(1));
    let both = kit
        .submit_spec(|spec| spec.requires.capabilities = words(&["browser", "sap"]))
        .await;
    kit.pass(secs(1));
    let prod = kit
        .submit_spec(|spec| spec.requires.environment = Some("prod".parse().unwrap()))
        .await;
    let none = kit.robot(10).await;
    assert_eq!(
        gets(&none).await,
        [plain],
        "a job that asks for nothing goes to any robot"
    );
    let like = |names: &[&str], environment: Option<&str>| NewRobot {
        capabilities: words(names),
        environment: environment.map(|word| word.parse().unwrap()),
        max_jobs: 10,
        ..new_robot()
    };
    assert_eq!(
        gets(&kit.robot_like(like(&["browser"], Some("test"))).await).await,
        [browser]
    );
    assert_eq!(gets(&kit.robot_like(like(&["sap"], Some("prod"))).await).await, [prod]);
    assert_eq!(
        gets(&kit.robot_like(like(&["sap", "browser", "x"], None)).await).await,
        [both]
    );
}

pub async fn a_job_for_one_robot_goes_to_no_other(kit: &Kit) {
    let (robot, other) = (kit.robot(10).await, kit.robot(10).await);
    let mine = kit
        .submit_spec(|spec| spec.requires.robot = Some(robot.id.clone()))
        .await;
    kit.pass(secs(1));
    let any = kit.submit_plain().await;
    assert_eq!(gets(&other).await, [any]);
    assert_eq!(gets(&robot).await, [mine]);
}

pub async fn a_preference_rules_nobody_out(kit: &Kit) {
    let preferred = kit.robot(1).await;
    let job = kit
        .submit_spec(|spec| spec.prefers.robot = Some(preferred.id.clone()))
        .await;
    assert_eq!(gets(&kit.robot(10).await).await, [job]);
}

pub async fn a_robot_gets_jobs_of_its_own_queues(kit: &Kit) {
    let of_queue = |name: &'static str| kit.submit_spec(move |spec| spec.queue = queue(name));
    let a = of_queue("a").await;
    kit.pass(secs(1));
    let ab = of_queue("ab").await;
    kit.pass(secs(1));
    let dashed = of_queue("a-b").await;
    let serving = |names: &[&str]| NewRobot {
        queues: names.iter().map(|name| queue(name)).collect(),
        max_jobs: 10,
        ..new_robot()
    };
    assert_eq!(gets(&kit.robot_like(serving(&["a"])).await).await, [a]);
    assert_eq!(gets(&kit.robot_like(serving(&["ab", "a-b"])).await).await, [ab, dashed]);
}

pub async fn a_robot_gets_no_job_of_another_tenant(kit: &Kit) {
    let (one, other) = (kit.of_tenant("a"), kit.of_tenant("a-b"));
    let theirs = other.submit_plain().await;
    let robot = one.robot(10).await;
    assert!(gets(&robot).await.is_empty());
    one.engine.dispatch().await.unwrap();
    assert!(gets(&robot).await.is_empty());
    assert_eq!(other.state(theirs).await, StateName::Ready);
    assert_eq!(gets(&other.robot(1).await).await, [theirs]);
}

pub async fn a_thousand_jobs_that_a_robot_cannot_do_hide_none_that_it_can(kit: &Kit) {
    let strange = |_| {
        submission(|spec| {
            spec.priority = Priority::MAX;
            spec.requires.capabilities = words(&["nobody-has-this"]);
        })
    };
    kit.submit_many((0..1_000).map(strange).collect()).await;
    let wanted = kit.submit_spec(|spec| spec.priority = Priority::new(0).unwrap()).await;
    assert_eq!(gets(&kit.robot(1).await).await, [wanted]);
}

pub async fn a_thousand_kinds_of_jobs_hide_none_that_a_robot_can_do(kit: &Kit) {
    let strange = |place: usize| submission(|spec| spec.requires.capabilities = words(&[&format!("a{place:04}")]));
    kit.submit_many((0..1_000).map(strange).collect()).await;
    kit.submit_many((0..200).map(|place| strange(place + 1_000)).collect())
        .await;
    let wanted = kit.submit_spec(|spec| spec.requires.capabilities = words(&["z"])).await;
    let robot = kit
        .robot_like(NewRobot {
            capabilities: words(&["z"]),
            ..new_robot()
        })
        .await;
    assert_eq!(gets(&robot).await, [wanted]);
}

pub async fn a_paused_queue_hands_out_nothing(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    kit.set_queue(QueueChange {
        paused: Some(true),
        ..<_>::default()
    })
    .await;
    assert!(gets(&robot).await.is_empty());
    assert_eq!(kit.engine.dispatch().await.unwrap().assigned, 0);
    kit.set_queue(QueueChange {
        paused: Some(false),
        ..<_>::default()
    })
    .await;
    assert_eq!(gets(&robot).await.len(), 1);
}

pub async fn what_a_dispatch_reserved_is_not_handed_over_once_the_queue_is_paused(kit: &Kit) {
    let robot = kit.robot(1).await;
    robot.ask(1).await;
    let job = kit.submit_plain().await;
    kit.pass(secs(30));
    assert_eq!(kit.engine.dispatch().await.unwrap().assigned, 1);
    kit.set_queue(QueueChange {
        paused: Some(true),
        ..<_>::default()
    })
    .await;
    assert!(gets(&robot).await.is_empty());
    assert_eq!(kit.state(job).await, StateName::Ready);
    kit.set_queue(QueueChange {
        paused: Some(false),
        ..<_>::default()
    })
    .await;
    assert_eq!(gets(&robot).await, [job]);
}

pub async fn a_running_job_of_a_paused_queue_goes_on(kit: &Kit) {
    kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    kit.set_queue(QueueChange {
        paused: Some(true),
        ..<_>::default()
    })
    .await;
    assert_eq!(robot.renew(&held).await, queue::LeaseStatus::Renewed);
    assert_eq!(robot.succeed(&held).await, StateName::Succeeded);
}

pub async fn a_setting_that_is_left_out_stays(kit: &Kit) {
    let strategy = Some(domain::Strategy::RoundRobin);
    kit.set_queue(QueueChange {
        strategy,
        lease_seconds: Some(90),
        ..<_>::default()
    })
    .await;
    kit.set_queue(QueueChange {
        paused: Some(true),
        ..<_>::default()
    })
    .await;
    let page = kit.engine.queues(&kit.tenant, None, 10).await.unwrap();
    let found = &page.items[0];
    assert_eq!(
        (found.paused, found.strategy, found.lease_seconds),
        (true, domain::Strategy::RoundRobin, 90)
    );
    assert_eq!((page.items.len(), page.next), (1, None));
}

pub async fn the_queue_rules_how_long_a_lease_is(kit: &Kit) {
    kit.set_queue(QueueChange {
        lease_seconds: Some(10),
        ..<_>::default()
    })
    .await;
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    let answer = robot.sync(1, &[]).await;
    assert_eq!(answer.assign[0].lease_ttl, secs(10));
    let held = Held::from(&answer.assign[0]);
    assert_eq!(robot.sync(0, &[&held]).await.leases[0].ttl, Some(secs(10)));
    kit.pass_and_sweep(secs(10)).await;
    assert_eq!(kit.state(job).await, StateName::Ready);
}

pub async fn a_queue_comes_into_being_with_its_first_job_or_robot(kit: &Kit) {
    kit.submit_spec(|spec| spec.queue = queue("of-a-job")).await;
    kit.robot_like(NewRobot {
        queues: vec![queue("of-a-robot")],
        ..new_robot()
    })
    .await;
    let page = kit.engine.queues(&kit.tenant, None, 10).await.unwrap();
    let mut names: Vec<&str> = page.items.iter().map(|queue| queue.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["of-a-job", "of-a-robot"]);
}

pub async fn a_robot_gets_many_jobs_at_once(kit: &Kit) {
    kit.submit_many(submissions(120)).await;
    let robot = kit.robot(100).await;
    assert_eq!(robot.ask(1_000).await.len(), 100);
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}
