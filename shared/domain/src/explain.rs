//! Why a job is where it is, computed from what is true now.

use serde::Serialize;

use crate::{
    job::{Job, State, StateName},
    names::RobotId,
    queue::Queue,
    robot::Robot,
    time::Timestamp,
};

/// How many robots an explanation names.
pub const NEAREST_MAX: usize = 5;

/// Why a job is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its state.
    pub state: StateName,
    /// What holds it back, the weightiest first.
    pub reasons: Vec<Obstacle>,
    /// The robots that lack least for it, those that lack nothing first.
    pub nearest_robots: Vec<Nearest>,
}

/// One thing that holds a job back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// For programs.
    pub code: ObstacleCode,
    /// For people.
    pub message: String,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// The robot it is about, if it is about one.
    pub robot: Option<RobotId>,
    /// What no robot has, where that is what is wrong.
    pub missing: Vec<String>,
}

/// What can hold a job back. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObstacleCode {
    /// Its time has not come.
    NotBefore,
    /// Its queue is paused.
    QueuePaused,
    /// No robot that serves its queue is online.
    NoRobotOnline,
    /// No robot that serves its queue has what it requires.
    NoCapableRobot,
    /// Those that could run it have no free slot.
    AllRobotsBusy,
    /// A robot has it, or is about to be given it, and has not begun.
    WaitingForRobot,
    /// A robot works on it.
    Running,
    /// It is over.
    Finished,
}

/// A robot and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The robot.
    pub id: RobotId,
    /// What it lacks, like `capability:browser` or `online`; empty when it could run the job.
    pub missing: Vec<String>,
}

impl Obstacle {
    fn new(code: ObstacleCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            until: None,
            robot: None,
            missing: Vec::new(),
        }
    }
}

/// Explains `job` by its queue and the robots of its tenant.
pub fn explain(job: &Job, queue: Option<&Queue>, robots: &[Robot], now: Timestamp) -> Explanation {
    let mut reasons = vec![standing(job, robots, now)];
    let waits = matches!(job.state, State::Scheduled { .. } | State::Ready { .. });
    if waits && let Some(queue) = queue.filter(|queue| queue.paused) {
        let paused = Obstacle::new(
            ObstacleCode::QueuePaused,
            format!("The queue {} is paused; resume it.", queue.name),
        );
        let place = usize::from(matches!(job.state, State::Scheduled { .. }));
        reasons.insert(place, paused);
    }
    let nearest_robots = if job.state.name().is_terminal() {
        Vec::new()
    } else {
        nearest(job, robots, now)
    };
    Explanation {
        state: job.state.name(),
        reasons,
        nearest_robots,
    }
}

fn standing(job: &Job, robots: &[Robot], now: Timestamp) -> Obstacle {
    match &job.state {
        State::Scheduled { until, .. } => Obstacle {
            until: Some(*until),
            ..Obstacle::new(ObstacleCode::NotBefore, format!("It is not to run before {until}."))
        },
        State::Ready { .. } => waiting(job, robots, now),
        State::Leased { hold, lease_ends } => Obstacle {
            until: Some(*lease_ends),
            robot: Some(hold.robot.clone()),
            ..Obstacle::new(
                ObstacleCode::WaitingForRobot,
                format!("It was given to {} and waits for the robot to begin.", hold.robot),
            )
        },
        State::Running { hold, .. } => Obstacle {
            robot: Some(hold.robot.clone()),
            ..Obstacle::new(ObstacleCode::Running, format!("{} works on it.", hold.robot))
        },
        State::Ended { .. } => Obstacle::new(ObstacleCode::Finished, format!("It is {}.", job.state.name())),
    }
}

/// What a ready job waits for.
fn waiting(job: &Job, robots: &[Robot], now: Timestamp) -> Obstacle {
    let (queue, requires) = (&job.spec.queue, &job.spec.requires);
    let online: Vec<&Robot> = robots
        .iter()
        .filter(|robot| robot.is_online(now) && robot.queues.contains(queue))
        .collect();
    if online.is_empty() {
        return Obstacle::new(
            ObstacleCode::NoRobotOnline,
            format!("No robot that serves the queue {queue} is online; start one."),
        );
    }
    let capable: Vec<&&Robot> = online.iter().filter(|robot| robot.fits(queue, requires)).collect();
    if capable.is_empty() {
        let lacks = online
            .iter()
            .map(|robot| robot.missing(queue, requires))
            .min_by_key(Vec::len)
            .unwrap_or_default();
        let message = format!(
            "No robot online has what it requires; the nearest lacks {}.",
            lacks.join(", ")
        );
        return Obstacle {
            missing: lacks,
            ..Obstacle::new(ObstacleCode::NoCapableRobot, message)
        };
    }
    match capable.iter().find(|robot| robot.could_take()) {
        Some(robot) => Obstacle {
            until: robot.next_sync_at,
            robot: Some(robot.id.clone()),
            ..Obstacle::new(
                ObstacleCode::WaitingForRobot,
                format!("{} gets it when it next asks for work.", robot.id),
            )
        },
        None => Obstacle::new(
            ObstacleCode::AllRobotsBusy,
            format!(
                "Each of the {} robots that could run it is busy or draining.",
                capable.len()
            ),
        ),
    }
}

fn nearest(job: &Job, robots: &[Robot], now: Timestamp) -> Vec<Nearest> {
    let lacks = |robot: &Robot| {
        let mut missing = robot.missing(&job.spec.queue, &job.spec.requires);
        if !robot.is_online(now) {
            missing.push("online".to_owned());
        }
        if !robot.takes_jobs() {
            missing.push("not draining".to_owned());
        }
        Nearest {
            id: robot.id.clone(),
            missing,
        }
    };
    let mut nearest: Vec<Nearest> = robots.iter().map(lacks).collect();
    nearest.sort_by(|one, other| (one.missing.len(), &one.id).cmp(&(other.missing.len(), &other.id)));
    nearest.truncate(NEAREST_MAX);
    nearest
}
