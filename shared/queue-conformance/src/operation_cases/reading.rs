//! What is asked about jobs: one, many, and how one came to where it is.

use domain::{
    JobId,
    job::StateName::{self, Leased, Ready, Running, Scheduled, Succeeded},
};
use queue::{JobFilter, Refusal, SubmittedHow};

use crate::kit::{Kit, failed, queue, secs, submission, submissions, workflow};

pub async fn a_job_that_is_not_there_is_not_found(kit: &Kit) {
    let id = JobId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    assert!(matches!(kit.engine.job(&kit.tenant, id).await, Err(Refusal::NotFound)));
    assert!(matches!(
        kit.engine.history(&kit.tenant, id).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(
        kit.engine.explain(&kit.tenant, id).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(kit.cancel(id).await, Err(Refusal::NotFound)));
}

pub async fn a_list_shows_what_meets_its_filter(kit: &Kit) {
    let odd = |spec: &mut domain::JobSpec| {
        spec.queue = queue("odd");
        spec.workflow = workflow("odd-one");
        spec.labels = [("team".parse().unwrap(), "finance".to_owned())].into();
    };
    let plain = kit.submit_plain().await;
    kit.pass(secs(1));
    let strange = kit.submit_spec(odd).await;
    kit.pass(secs(1));
    let cancelled = kit.submit_spec(odd).await;
    kit.cancel(cancelled).await.unwrap();
    let robot = kit.robot(1).await;
    robot.take().await;
    let none = JobFilter::default;
    let team = |value: &str| [("team".parse().unwrap(), value.to_owned())].into();
    let cases = [
        (none(), vec![cancelled, strange, plain]),
        (
            JobFilter {
                state: Some(StateName::Leased),
                ..none()
            },
            vec![plain],
        ),
        (
            JobFilter {
                state: Some(StateName::Ready),
                ..none()
            },
            vec![strange],
        ),
        (
            JobFilter {
                state: Some(StateName::Failed),
                ..none()
            },
            vec![],
        ),
        (
            JobFilter {
                queue: Some(queue("odd")),
                ..none()
            },
            vec![cancelled, strange],
        ),
        (
            JobFilter {
                workflow: Some(workflow("odd-one")),
                state: Some(StateName::Cancelled),
                ..none()
            },
            vec![cancelled],
        ),
        (
            JobFilter {
                robot: Some(robot.id.clone()),
                ..none()
            },
            vec![plain],
        ),
        (
            JobFilter {
                labels: team("finance"),
                ..none()
            },
            vec![cancelled, strange],
        ),
        (
            JobFilter {
                labels: team("sales"),
                ..none()
            },
            vec![],
        ),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 200] {
            assert_eq!(kit.list(&filter, limit).await, expected, "{filter:?} by {limit}");
        }
    }
}

pub async fn a_filter_looks_behind_many_jobs_that_do_not_meet_it(kit: &Kit) {
    let wanted = kit.submit_spec(|spec| spec.workflow = workflow("wanted")).await;
    kit.pass(secs(1));
    kit.submit_many(submissions(700)).await;
    let filter = JobFilter {
        workflow: Some(workflow("wanted")),
        ..JobFilter::default()
    };
    assert_eq!(kit.list(&filter, 10).await, [wanted]);
}

pub async fn paging_loses_and_repeats_nothing_while_jobs_are_added(kit: &Kit) {
    kit.submit_many(submissions(25)).await;
    let all = kit.list(&<_>::default(), 200).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = kit
            .engine
            .jobs(&kit.tenant, &JobFilter::default(), after, 4)
            .await
            .unwrap();
        seen.extend(page.items.iter().map(|view| view.job.id));
        kit.pass(secs(1));
        kit.submit_plain().await;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
}

pub async fn jobs_of_one_moment_are_parted_by_their_ids(kit: &Kit) {
    // Each of these was submitted alone, at the same microsecond.
    for _ in 0..9 {
        kit.submit_plain().await;
    }
    let mut seen = kit.list(&<_>::default(), 2).await;
    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted_by(|one, other| one > other), "greater ids first");
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

pub async fn a_page_carries_no_more_than_some_megabytes(kit: &Kit) {
    let payload = Some(format!("\"{}\"", "x".repeat(250_000)));
    for _ in 0..20 {
        kit.submit(queue::Submission {
            payload: payload.clone(),
            ..submission(|_| {})
        })
        .await;
    }
    let page = kit
        .engine
        .jobs(&kit.tenant, &JobFilter::default(), None, 200)
        .await
        .unwrap();
    assert!((1..20).contains(&page.items.len()), "{}", page.items.len());
    assert_eq!(
        kit.list(&<_>::default(), 200).await.len(),
        20,
        "and the next page goes on from there"
    );
}

pub async fn the_history_tells_every_step(kit: &Kit) {
    let job = kit.submit_spec(|spec| spec.retry.max_attempts = 2).await;
    let robot = kit.robot(1).await;
    let held = robot.begin().await;
    robot.fail(&held).await;
    kit.pass_and_sweep(secs(3_600)).await;
    let held = robot.begin().await;
    robot.succeed(&held).await;
    assert_eq!(
        kit.path(job).await,
        [Ready, Leased, Running, Scheduled, Ready, Leased, Running, Succeeded]
    );
    let history = kit.engine.history(&kit.tenant, job).await.unwrap();
    let actors: Vec<String> = history.iter().map(|step| step.actor.clone().into()).collect();
    let by = robot.id.as_str();
    assert_eq!(actors, ["key_client", "dispatch", by, by, "sweep", "dispatch", by, by]);
    assert_eq!(
        history.iter().map(|step| step.attempt).collect::<Vec<_>>(),
        [0, 1, 1, 1, 1, 2, 2, 2]
    );
}

pub async fn a_long_history_is_whole(kit: &Kit) {
    let job = kit.submit_plain().await;
    let robot = kit.robot(1).await;
    // Two steps each, and none of them burns an attempt.
    for _ in 0..60 {
        let held = robot.take().await;
        assert_eq!(robot.release(&held).await.unwrap(), StateName::Ready);
        kit.pass(secs(1));
    }
    let held = robot.begin().await;
    robot
        .finish(&held, failed(domain::job::ErrorKind::Business), None)
        .await
        .unwrap();
    let history = kit.engine.history(&kit.tenant, job).await.unwrap();
    assert_eq!(history.len(), 1 + 120 + 3);
    assert!(
        history.iter().zip(1..).all(|(step, seq)| step.seq == seq),
        "no gap and nothing twice"
    );
    assert!(kit.job(job).await.job.history.len() <= 33, "the record stays small");
    crate::audit::hold(&kit.engine, &kit.tenant).await;
}

pub async fn a_read_never_leaves_its_tenant(kit: &Kit) {
    let (one, other) = (kit.of_tenant("a"), kit.of_tenant("a-b"));
    let job = one.submit_plain().await;
    let robot = one.robot(1).await;
    assert!(matches!(
        other.engine.job(&other.tenant, job).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(
        other.engine.history(&other.tenant, job).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(other.cancel(job).await, Err(Refusal::NotFound)));
    assert!(matches!(
        other.engine.robot(&other.tenant, &robot.id).await,
        Err(Refusal::NotFound)
    ));
    assert!(matches!(
        other.engine.set_drain(&other.tenant, &robot.id, true).await,
        Err(Refusal::NotFound)
    ));
    assert!(other.list(&<_>::default(), 10).await.is_empty());
    assert!(
        other
            .engine
            .robots(&other.tenant, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        other
            .engine
            .queues(&other.tenant, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(other.engine.stats(&other.tenant).await.unwrap().queues.is_empty());
    assert_eq!(
        one.try_submit(submission(|_| {})).await.unwrap().how,
        SubmittedHow::Created
    );
}
