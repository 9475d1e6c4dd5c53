//! Operators and chaos: people who change their minds, and somebody who pulls plugs.

use std::sync::Arc;

use domain::{
    JobId, RobotId, TenantName,
    job::{Settlement, StateName},
};
use queue::{JobFilter, NewRobot, QueueChange, Refusal};
use queue_conformance::kit::{new_robot, words};

use crate::{
    plan::Mishap,
    robot,
    world::{Heard, Member, World, client},
};

/// How long an operator leaves things alone.
const LEISURE_SECONDS: std::ops::Range<u64> = 5..60;

/// How often somebody may pull a plug.
const CHAOS_SECONDS: std::ops::Range<u64> = 10..120;

/// How long a killed robot is away.
const AWAY_SECONDS: std::ops::Range<u64> = 1..240;

/// What people do by hand in one tenant, without end.
pub(crate) async fn meddle(world: Arc<World>, tenant: TenantName) {
    loop {
        world.handle.sleep(world.handle.seconds(LEISURE_SECONDS)).await;
        world.rest_while_off().await;
        match world.handle.draw(0..10) {
            0..4 => cancel_some(&world, &tenant).await,
            4 => try_again_some(&world, &tenant).await,
            5 => settle_some(&world, &tenant).await,
            6 => set_some_queue(&world, &tenant).await,
            7 => drain_some(&world, &tenant).await,
            8 => change_the_fleet(&world, &tenant).await,
            _ => look_around(&world, &tenant).await,
        }
    }
}

fn some_job(world: &World, tenant: &TenantName) -> Option<JobId> {
    let book = world.book();
    let own = book.wanted.iter().filter(|wanted| wanted.tenant == *tenant);
    let answered: Vec<JobId> = own.filter_map(|wanted| wanted.answered).collect();
    world.handle.pick(&answered).copied()
}

async fn cancel_some(world: &World, tenant: &TenantName) {
    let Some(job) = some_job(world, tenant) else { return };
    cancel(world, tenant, job).await;
}

/// Asks to cancel a job, and takes down when it is told that it is.
pub(crate) async fn cancel(world: &World, tenant: &TenantName, job: JobId) {
    let tenant = tenant.clone();
    let call = world.servers.call(
        || "cancel".to_owned(),
        move |engine| {
            let tenant = tenant.clone();
            Box::pin(async move { engine.cancel(&tenant, job, &client(), None).await })
        },
    );
    if let Heard::Done(view) = world.hear(call.await)
        && view.job.state.name() == StateName::Cancelled
    {
        world.book().cancelled.insert(job);
    }
}

async fn try_again_some(world: &World, tenant: &TenantName) {
    let Some(job) = some_job(world, tenant) else { return };
    let tenant = tenant.clone();
    let call = world.servers.call(
        || "retry".to_owned(),
        move |engine| {
            let tenant = tenant.clone();
            Box::pin(async move { engine.retry(&tenant, job, &client()).await })
        },
    );
    if let Heard::Done(view) = world.hear(call.await)
        && view.job.state.name().is_terminal()
    {
        world
            .handle
            .violated(format!("a retry of {job} was over when it was made: {view:?}"));
    }
}

async fn settle_some(world: &World, tenant: &TenantName) {
    let owner = tenant.clone();
    let call = world.servers.call(
        || "dead letters".to_owned(),
        move |engine| {
            let tenant = owner.clone();
            Box::pin(async move { engine.dead_letters(&tenant, None, 10).await })
        },
    );
    let Heard::Done(page) = world.hear(call.await) else {
        return;
    };
    let Some(letter) = world.handle.pick(&page.items) else {
        return;
    };
    let (job, owner, requeues) = (letter.job.id, tenant.clone(), world.handle.happens(500));
    let call = world.servers.call(
        || "settle".to_owned(),
        move |engine| {
            let tenant = owner.clone();
            Box::pin(async move {
                if requeues {
                    engine.requeue_dead_letter(&tenant, job, &client(), None).await
                } else {
                    let how = Settlement::Discarded;
                    engine.settle_dead_letter(&tenant, job, how, &client(), None).await
                }
            })
        },
    );
    let _ = world.hear(call.await);
}

async fn set_some_queue(world: &World, tenant: &TenantName) {
    let lease = u32::try_from(world.handle.draw(10..120)).unwrap_or(60);
    let change = QueueChange {
        paused: Some(world.handle.happens(300)),
        strategy: None,
        lease_seconds: Some(lease),
    };
    let Some(queue) = world.handle.pick(&world.queues()).cloned() else {
        return;
    };
    let tenant = tenant.clone();
    let call = world.servers.call(|| format!("set {queue}"), {
        let queue = queue.clone();
        move |engine| {
            let (tenant, queue, change) = (tenant.clone(), queue.clone(), change);
            Box::pin(async move { engine.set_queue(&tenant, &queue, change).await })
        }
    });
    let _ = world.hear(call.await);
}

async fn drain_some(world: &World, tenant: &TenantName) {
    let Some(member) = some_robot(world, tenant, |_| true) else {
        return;
    };
    let (tenant, drain) = (tenant.clone(), world.handle.happens(500));
    let call = world.servers.call(|| format!("drain {}: {drain}", member.id), {
        let id = member.id.clone();
        move |engine| {
            let (tenant, id) = (tenant.clone(), id.clone());
            Box::pin(async move { engine.set_drain(&tenant, &id, drain).await })
        }
    });
    let _ = world.hear(call.await);
}

/// A robot goes for good, or a new one comes.
async fn change_the_fleet(world: &Arc<World>, tenant: &TenantName) {
    if world.handle.happens(500) {
        enlist(world, tenant, false).await;
        return;
    }
    let Some(member) = some_robot(world, tenant, |member| !member.stays) else {
        return;
    };
    let owner = tenant.clone();
    let call = world.servers.call(|| format!("remove {}", member.id), {
        let id = member.id.clone();
        move |engine| {
            let (tenant, id) = (owner.clone(), id.clone());
            Box::pin(async move { engine.remove_robot(&tenant, &id, &client()).await })
        }
    });
    if let Heard::Done(()) = world.hear(call.await) {
        world.handle.kill(member.body);
        world.book().fleet.retain(|other| other.id != member.id);
    }
}

/// Registers a robot and lets it begin. One that `stays` can run whatever clients ask for.
pub(crate) async fn enlist(world: &Arc<World>, tenant: &TenantName, stays: bool) {
    let handle = &world.handle;
    let profile = NewRobot {
        queues: world.queues(),
        capabilities: if stays || handle.happens(500) {
            words(&["browser"])
        } else {
            words(&[])
        },
        environment: stays.then(|| "prod".parse().expect("a good word")),
        max_jobs: u32::try_from(handle.draw(1..4)).unwrap_or(1),
        ..new_robot()
    };
    // By the sound operations: a robot without its key is no robot yet.
    let id = register(world, tenant, profile.clone()).await;
    let mut member = Member {
        id,
        tenant: tenant.clone(),
        profile,
        stays,
        body: crate::scheduler::Group::WORLD,
    };
    member.body = robot::begin(world, &member);
    world.book().fleet.push(member);
}

async fn register(world: &World, tenant: &TenantName, profile: NewRobot) -> RobotId {
    let (id, key) = (world.sound.new_robot_id(), world.sound.new_key_id());
    let key = queue::ApiKey {
        id: key,
        tenant: tenant.clone(),
        name: profile.name.clone(),
        scopes: std::collections::BTreeSet::new(),
        robot: Some(id.clone()),
        secret_sha256: "00".repeat(32),
        created_at: world.handle.now(),
        expires_at: None,
    };
    let registered = world.sound.register(tenant, profile, id, key).await;
    registered.expect("the store below has no faults").id
}

async fn look_around(world: &World, tenant: &TenantName) {
    let (owner, job) = (tenant.clone(), some_job(world, tenant));
    let call = world.servers.call(
        || "look around".to_owned(),
        move |engine| {
            let tenant = owner.clone();
            Box::pin(async move {
                engine.stats(&tenant).await?;
                let page = engine.jobs(&tenant, &JobFilter::default(), None, 20).await?;
                if let Some(job) = job {
                    engine.explain(&tenant, job).await?;
                }
                Ok::<_, Refusal>(page.items)
            })
        },
    );
    if let Heard::Done(items) = world.hear(call.await)
        && let Some(stranger) = items.iter().find(|view| view.job.tenant != *tenant)
    {
        world
            .handle
            .violated(format!("I11: {tenant} was shown {}", stranger.job.id));
    }
}

fn some_robot(world: &World, tenant: &TenantName, which: impl Fn(&Member) -> bool) -> Option<Member> {
    let fleet: Vec<Member> = {
        let book = world.book();
        let own = book
            .fleet
            .iter()
            .filter(|member| member.tenant == *tenant && which(member));
        own.cloned().collect()
    };
    world.handle.pick(&fleet).cloned()
}

/// Kills servers and robots where they stand, without end.
pub(crate) async fn chaos(world: Arc<World>) {
    loop {
        world.handle.sleep(world.handle.seconds(CHAOS_SECONDS)).await;
        world.rest_while_off().await;
        if world.mishaps.happens(Mishap::ServerKilled) {
            world.servers.kill_one();
        }
        let fleet = world.book().fleet.clone();
        let Some(member) = world.handle.pick(&fleet).cloned() else {
            continue;
        };
        if world.mishaps.happens(Mishap::RobotKilled) {
            world.handle.say(|| format!("{} is killed", member.id));
            world.handle.kill(member.body);
            let (again, away) = (Arc::clone(&world), world.handle.seconds(AWAY_SECONDS));
            world
                .handle
                .spawn(crate::scheduler::Group::WORLD, || "restart".to_owned(), async move {
                    again.handle.sleep(away).await;
                    embody(&again, &member);
                });
        } else if world.mishaps.happens(Mishap::RobotDoubled) {
            world.handle.say(|| format!("{} has a double", member.id));
            robot::begin(&world, &member);
        }
    }
}

/// Lets a new robot work for `member`, unless that was removed.
pub(crate) fn embody(world: &Arc<World>, member: &Member) {
    let is_there = world.book().fleet.iter().any(|other| other.id == member.id);
    if is_there {
        let body = robot::begin(world, member);
        let mut book = world.book();
        if let Some(there) = book.fleet.iter_mut().find(|other| other.id == member.id) {
            there.body = body;
        }
    }
}
