//! The rules for the record of a robot.

use domain::{Robot, robot::Mode};

use super::Seen;

impl Seen {
    /// The faults in what became of a robot.
    pub(super) fn robot_was_put(&mut self, robot: Robot) -> Vec<String> {
        let mut faults = Vec::new();
        if robot.holds.len() > robot.max_jobs as usize {
            faults.push(format!("I10: {} has slots for {:?}", robot.id, robot.holds));
        }
        if let Some(before) = self.robots.get(&robot.id) {
            faults.extend(of_turns(before, &robot));
            faults.extend(of_draining(before, &robot));
        }
        self.robots.insert(robot.id.clone(), robot);
        faults
    }
}

/// Sessions and syncs only go on.
fn of_turns(before: &Robot, robot: &Robot) -> Option<String> {
    let goes_on = robot.tenant == before.tenant
        && (robot.epoch > before.epoch || (robot.epoch == before.epoch && robot.seq >= before.seq));
    (!goes_on).then(|| {
        format!(
            "I14: {}: session {} sync {:?} came after session {} sync {:?}",
            robot.id, robot.epoch, robot.seq, before.epoch, before.seq
        )
    })
}

/// I10: who is draining is given nothing.
fn of_draining(before: &Robot, robot: &Robot) -> Option<String> {
    let is_draining = robot.drain || robot.mode == Mode::Draining;
    let given = robot.holds.iter().find(|slot| !before.holds.contains(slot))?;
    is_draining.then(|| format!("I10: {} is draining and was given {:?}", robot.id, given))
}
