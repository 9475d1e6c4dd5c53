//! Small random fleets with jobs for them, out of few words so that they often meet.

use domain::{
    Job, JobSpec, QueueName, Robot, Strategy, TenantName,
    job::{Prefers, Requires},
    robot::Mode,
};
use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop, prop_oneof},
    sample,
    strategy::Strategy as _,
};

use crate::{
    fleet::{queue_name, ready, reservation, robot, robot_id, word, workflow},
    story::at,
};

/// Robots, jobs in their order, and how to choose.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) robots: Vec<Robot>,
    pub(crate) jobs: Vec<Job>,
    /// Of the two queues.
    pub(crate) strategies: [Strategy; 2],
    pub(crate) chance: u64,
}

impl Fleet {
    pub(crate) fn strategy(&self, queue: &QueueName) -> Strategy {
        self.strategies[usize::from(queue.as_str() != QUEUES[0])]
    }
}

const QUEUES: [&str; 2] = ["blue", "green"];
const ROBOTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A fleet whose queues choose by any strategy.
pub(crate) fn fleet() -> impl proptest::strategy::Strategy<Value = Fleet> {
    fleet_of(&Strategy::ALL)
}

/// A fleet whose queues choose by one of `strategies`.
pub(crate) fn fleet_of(strategies: &'static [Strategy]) -> impl proptest::strategy::Strategy<Value = Fleet> {
    let robots = ROBOTS.map(|name| {
        a_robot().prop_map(move |robot| Robot {
            id: robot_id(name),
            ..robot
        })
    });
    let strategies = [sample::select(strategies), sample::select(strategies)];
    (robots, 0..=ROBOTS.len(), vec(a_job(), 0..12), strategies, any::<u64>()).prop_map(
        |(robots, count, jobs, strategies, chance)| {
            let robots = robots.into_iter().take(count).collect();
            Fleet {
                robots,
                jobs,
                strategies,
                chance,
            }
        },
    )
}

fn a_robot() -> impl proptest::strategy::Strategy<Value = Robot> {
    let serves = sample::subsequence(QUEUES.to_vec(), 1..=2);
    let can = sample::subsequence(CAPABILITIES.to_vec(), 0..=CAPABILITIES.len());
    let slots = (1_u32..=4, 0_u32..=5, vec(any::<bool>(), 0..=2));
    let standing = (tenant(), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let past = (option::of(0_u64..4), vec(sample::select(&WORKFLOWS), 0..2));
    (serves, can, environment(), slots, standing, past).prop_map(
        |(queues, capabilities, environment, slots, (tenant, drain, draining), (assigned_at, recent))| {
            robot("any", |robot| {
                robot.tenant = tenant;
                robot.queues = queues.into_iter().map(queue_name).collect();
                robot.capabilities = capabilities.into_iter().map(word).collect();
                robot.environment = environment.map(word);
                (robot.max_jobs, robot.free_slots) = (slots.0, slots.1);
                robot.holds = slots.2.into_iter().map(reservation).collect();
                robot.drain = drain;
                robot.mode = if draining { Mode::Draining } else { Mode::Idle };
                robot.assigned_at = assigned_at.map(at);
                robot.recent = recent.into_iter().map(workflow).collect();
            })
        },
    )
}

fn a_job() -> impl proptest::strategy::Strategy<Value = Job> {
    let asked = (sample::select(&QUEUES), sample::select(&WORKFLOWS), tenant());
    (asked, requires(), prefers()).prop_map(|((queue, name, tenant), requires, prefers)| {
        let change = |spec: &mut JobSpec| {
            spec.queue = queue_name(queue);
            spec.workflow = workflow(name);
            spec.requires = requires;
            spec.prefers = prefers;
        };
        Job {
            tenant,
            ..ready(change)
        }
    })
}

fn requires() -> impl proptest::strategy::Strategy<Value = Requires> {
    let capabilities = sample::subsequence(CAPABILITIES.to_vec(), 0..=1);
    (
        capabilities,
        environment(),
        option::weighted(0.1, sample::select(&ROBOTS)),
    )
        .prop_map(|(capabilities, environment, robot)| Requires {
            capabilities: capabilities.into_iter().map(word).collect(),
            environment: environment.map(word),
            robot: robot.map(robot_id),
        })
}

fn prefers() -> impl proptest::strategy::Strategy<Value = Prefers> {
    let capabilities = sample::subsequence(CAPABILITIES.to_vec(), 0..=2);
    (capabilities, option::weighted(0.2, sample::select(&ROBOTS))).prop_map(|(capabilities, robot)| Prefers {
        capabilities: capabilities.into_iter().map(word).collect(),
        robot: robot.map(robot_id),
    })
}

const CAPABILITIES: [&str; 3] = ["browser", "sap", "excel"];
const WORKFLOWS: [&str; 2] = ["export", "import"];

fn environment() -> impl proptest::strategy::Strategy<Value = Option<&'static str>> {
    option::weighted(0.3, sample::select(&["prod", "test"]))
}

/// Mostly one tenant.
fn tenant() -> impl proptest::strategy::Strategy<Value = TenantName> {
    let other = TenantName::parse("other").expect("a good name");
    prop_oneof![9 => Just(TenantName::default_tenant()), 1 => Just(other)]
}
