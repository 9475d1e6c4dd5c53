//! Whom to kill, and when: decided from what is seen, by chance that is handed in. Pure.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::answers::Job;

/// The workflow that takes long enough to be hit in the middle.
const LONG_WORKFLOW: &str = "month-end";

/// How long such a job has run when it is hit: long enough to have begun, short enough to be far from its end, six seconds
/// in, even where the server heard of its begin a second late.
const MIDDLE: std::ops::Range<Duration> = Duration::from_millis(400)..Duration::from_millis(4_400);

/// How many of a hundred jobs are over when the robot is killed that never returns. It goes first, for its job has to
/// wait until its lease runs out.
const GOES_AT_PERCENT: usize = 5;

/// How many of a hundred jobs are over when the robot is killed that is started again.
const RETURNS_AT_PERCENT: usize = 15;

/// A robot at work on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The robot's id.
    pub(super) robot: &'a str,
    /// The job that it is hit at.
    pub(super) job: &'a str,
    pub(super) attempt: u32,
    /// Whether it is to be started again.
    pub(super) returns: bool,
}

/// Whom to kill now, if anybody: of those who are in the middle of a long job, one that has not been killed before.
pub(super) fn target<'a>(
    jobs: impl Iterator<Item = &'a Job>,
    killed: &[String],
    percent_over: usize,
    now: Timestamp,
    chance: &mut impl Rng,
) -> Option<Target<'a>> {
    let returns = match killed.len() {
        0 if percent_over >= GOES_AT_PERCENT => false,
        1 if percent_over >= RETURNS_AT_PERCENT => true,
        _ => return None,
    };
    let targets: Vec<Target<'a>> = jobs
        .filter(|job| job.workflow == LONG_WORKFLOW && job.state == "running" && is_in_the_middle(job, now))
        // A later attempt goes on from a checkpoint, and may be at its end.
        .filter(|job| job.attempt == 1)
        .filter_map(|job| {
            let robot = job.robot.as_deref()?;
            Some(Target {
                robot,
                job: &job.id,
                attempt: job.attempt,
                returns,
            })
        })
        .filter(|target| killed.iter().all(|robot| robot != target.robot))
        .collect();
    targets.choose(chance).copied()
}

fn is_in_the_middle(job: &Job, now: Timestamp) -> bool {
    let running = job.started_at.map(|at| now.duration_since(at));
    running.is_some_and(|running| Duration::try_from(running).is_ok_and(|running| MIDDLE.contains(&running)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-11-21T12:00:01.000Z";

    fn job(workflow: &str, state: &str, robot: &str, started_at: &str) -> Job {
        let job = json!({
            "id": format!("job-of-{robot}"), "workflow": workflow, "queue": "demo", "priority": 5, "state": state, "attempt": 1,
            "robot": robot, "created_at": "2026-11-21T11:59:00.000Z", "started_at": started_at
        });
        serde_json::from_str(&job.to_string()).unwrap()
    }

    fn chosen(jobs: &[Job], killed: &[&str], percent_over: usize) -> Option<(String, bool)> {
        let killed: Vec<String> = killed.iter().map(|robot| (*robot).to_owned()).collect();
        let mut chance = StdRng::seed_from_u64(1);
        target(jobs.iter(), &killed, percent_over, NOW.parse().unwrap(), &mut chance)
            .map(|target| (target.robot.to_owned(), target.returns))
    }

    #[test]
    fn only_a_robot_in_the_middle_of_a_long_job_is_killed() {
        let jobs = [
            job("invoice-export", "running", "rob_short", "2026-11-21T12:00:00.000Z"),
            job("month-end", "leased", "rob_leased", "2026-11-21T12:00:00.000Z"),
            job("month-end", "running", "rob_new", "2026-11-21T12:00:00.900Z"),
            job("month-end", "running", "rob_old", "2026-11-21T11:59:56.500Z"),
        ];
        assert_eq!(chosen(&jobs, &[], 50), None);
        let hit = [job("month-end", "running", "rob_hit", "2026-11-21T12:00:00.000Z")];
        assert_eq!(chosen(&hit, &[], 50), Some(("rob_hit".to_owned(), false)));
    }

    #[test]
    fn two_robots_are_killed_one_after_the_other_and_no_more() {
        let jobs = ["rob_a", "rob_b"].map(|robot| job("month-end", "running", robot, "2026-11-21T12:00:00.000Z"));
        assert_eq!(chosen(&jobs, &[], 4), None);
        assert_eq!(chosen(&jobs, &["rob_a"], 14), None);
        assert_eq!(chosen(&jobs, &["rob_a"], 15), Some(("rob_b".to_owned(), true)));
        assert_eq!(chosen(&jobs, &["rob_a", "rob_b"], 50), None);
        assert_eq!(chosen(&jobs[..1], &["rob_a"], 50), None);
    }
}
