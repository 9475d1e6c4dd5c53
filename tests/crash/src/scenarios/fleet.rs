//! What operators do with robots and queues, sessions, and the dispatch.

use std::collections::BTreeSet;

use domain::{TenantName, job::StateName};
use queue::{ApiKey, NewRobot, QueueChange, Refusal};
use queue_conformance::kit::{Kit, client, new_robot, queue, secs, submissions};

use super::{or_done, stored};
use crate::scenario::Scenario;

/// A lease that ends before the next sweep looks by itself.
pub(super) const SHORT_LEASE: QueueChange = QueueChange {
    paused: None,
    strategy: None,
    lease_seconds: Some(20),
};

pub(super) fn robots() -> Vec<Scenario> {
    vec![
        Scenario::new("register", "the first of its tenant").calls(async |kit, _| register(kit, new_robot()).await),
        Scenario::new("register", "for a new queue beside an old one")
            .after(super::furnish)
            .calls(async |kit, _| {
                let new = NewRobot {
                    queues: vec![queue("default"), queue("slow")],
                    ..new_robot()
                };
                register(kit, new).await
            }),
        Scenario::new("set_drain", "of an idle robot")
            .after(async |kit| {
                kit.robot(1).await;
            })
            .calls(async |kit, before| {
                let robot = kit.engine.set_drain(&kit.tenant, &before.robots[0].id, true).await?;
                assert!(robot.drain);
                Ok(())
            }),
        Scenario::new("remove_robot", "with a leased job and a running one")
            .after(one_leased_one_running)
            .calls(async |kit, before| {
                let (robot, by) = (&before.robots[0].id, client());
                let asked = kit.engine.remove_robot(&kit.tenant, robot, &by).await;
                or_done(asked, |refusal| matches!(refusal, Refusal::NotFound))
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("set_queue", "a new one").calls(async |kit, _| pause(kit).await),
        Scenario::new("set_queue", "one with a ready job")
            .after(async |kit| {
                kit.submit_plain().await;
            })
            .calls(async |kit, _| pause(kit).await)
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
    ]
}

async fn pause(kit: &Kit) -> Result<(), Refusal> {
    let change = QueueChange {
        paused: Some(true),
        ..QueueChange::default()
    };
    let changed = kit.engine.set_queue(&kit.tenant, &queue("default"), change).await?;
    assert!(changed.paused);
    Ok(())
}

async fn register(kit: &Kit, new: NewRobot) -> Result<(), Refusal> {
    let id = kit.engine.new_robot_id();
    let key = ApiKey {
        id: kit.engine.new_key_id(),
        tenant: TenantName::default_tenant(),
        name: new.name.clone(),
        scopes: BTreeSet::new(),
        robot: Some(id.clone()),
        secret_sha256: "00".repeat(32),
        created_at: kit.now(),
        expires_at: None,
    };
    let key_id = key.id.clone();
    let robot = kit.engine.register(&kit.tenant, new, id, key).await?;
    assert_eq!(robot.key, key_id);
    assert!(
        stored(kit.engine.find_key(&key_id).await)?.is_some(),
        "a robot comes with its key"
    );
    Ok(())
}

/// One robot with two jobs, of which it has begun the first.
async fn one_leased_one_running(kit: &Kit) {
    kit.submit_many(submissions(2)).await;
    let robot = kit.robot(2).await;
    let held = robot.ask(2).await;
    robot.renew(&held[0]).await;
}

pub(super) fn sessions() -> Vec<Scenario> {
    vec![
        Scenario::new("open_session", "the first")
            .after(async |kit| {
                kit.register(new_robot()).await;
            })
            .calls(async |kit, before| {
                let epoch = kit.engine.open_session(&kit.tenant, &before.robots[0].id, &[]).await?;
                assert!(epoch > before.robots[0].epoch);
                Ok(())
            }),
        Scenario::new("open_session", "of a robot that lost what it had")
            .after(one_leased_one_running)
            .calls(async |kit, before| {
                kit.engine.open_session(&kit.tenant, &before.robots[0].id, &[]).await?;
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
        Scenario::new("open_session", "of a robot that holds on to one of two")
            .after(one_leased_one_running)
            .calls(async |kit, before| {
                let (robot, held) = (&before.robots[0].id, before.held(0));
                let holding = [(held.job, held.fence)];
                kit.engine.open_session(&kit.tenant, robot, &holding).await?;
                Ok(())
            })
            .jobs(2..=2)
            .first_ends(StateName::Succeeded),
    ]
}

/// Three jobs, and two robots that are about to ask.
async fn three_jobs_for_two_robots(kit: &Kit) {
    for max_jobs in [2, 1] {
        let robot = kit
            .robot_like(NewRobot {
                max_jobs,
                ..new_robot()
            })
            .await;
        assert!(robot.ask(max_jobs).await.is_empty());
    }
    kit.submit_many(submissions(3)).await;
    kit.pass(secs(27));
}

pub(super) fn dispatches() -> Vec<Scenario> {
    vec![
        Scenario::new("dispatch", "of a job whose lease ends before the next sweep")
            .after(async |kit| {
                kit.set_queue(SHORT_LEASE).await;
                let robot = kit.robot(1).await;
                assert!(robot.ask(1).await.is_empty());
                kit.submit_plain().await;
                kit.pass(secs(27));
            })
            .calls(async |kit, _| {
                stored(kit.engine.dispatch().await)?;
                Ok(())
            })
            .jobs(1..=1)
            .first_ends(StateName::Succeeded),
        Scenario::new("dispatch", "of three jobs to two robots")
            .after(three_jobs_for_two_robots)
            .calls(async |kit, _| {
                stored(kit.engine.dispatch().await)?;
                Ok(())
            })
            .jobs(3..=3)
            .first_ends(StateName::Succeeded),
        Scenario::new("dispatch_queue", "of three jobs to two robots")
            .after(three_jobs_for_two_robots)
            .calls(async |kit, _| {
                stored(kit.engine.dispatch_queue(&kit.tenant, &queue("default")).await)?;
                Ok(())
            })
            .jobs(3..=3)
            .first_ends(StateName::Succeeded),
    ]
}
