//! The moment at which a robot may begin.

use domain::job::{ErrorKind, Outcome};
use queue_conformance::kit::failed;

use super::Robot;

/// How long work takes, in seconds.
const WORK_SECONDS: std::ops::Range<u64> = 1..100;

impl Robot {
    /// It was told that it may work: from here on there are clicks that nobody can take back.
    pub(super) fn begin_work(&mut self, place: usize) {
        if self.working[place].under_way.is_some() {
            return;
        }
        let (job, attempt) = {
            let held = &self.working[place].held;
            (held.job, held.fence.attempt)
        };
        if !self.world.witness.has_run(job, attempt) {
            let what = format!(
                "{} began attempt {attempt} of {job}, which never was running",
                self.me.id
            );
            self.world.handle.violated(what);
        }
        let other = self.world.book().begun.insert((job, attempt), self.body);
        if other.is_some_and(|other| other != self.body) {
            let what = format!(
                "attempt {attempt} of {job} was begun twice: by {other:?} and {}",
                self.body
            );
            self.world.handle.violated(what);
        }
        self.world.handle.say(|| format!("begins attempt {attempt} of {job}"));
        let ends_at = self.world.handle.now() + self.world.handle.seconds(WORK_SECONDS);
        self.working[place].under_way = Some((ends_at, self.outcome()));
    }

    fn outcome(&self) -> Outcome {
        match self.world.handle.draw(0..10) {
            0..7 => Outcome::Succeeded,
            7 => failed(ErrorKind::Business),
            8 => Outcome::Cancelled,
            _ => failed(ErrorKind::Application),
        }
    }
}
