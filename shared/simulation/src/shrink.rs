//! Makes a failing plan smaller, for as long as it fails in the same way.

use crate::{
    plan::Plan,
    run::{self, kind_of},
};

/// How many plans are tried at most.
const TRIES_MAX: usize = 400;

/// The smallest plan that was found to fail as `plan` does; `progress` hears of each try.
pub fn shrink(plan: &Plan, mut progress: impl FnMut(&Plan)) -> Plan {
    let Some(kind) = kind_of(&run::run(plan, false)) else {
        return plan.clone();
    };
    let mut best = plan.clone();
    let mut tries = 0;
    'smaller: loop {
        for candidate in best.smaller() {
            tries += 1;
            if tries > TRIES_MAX {
                return best;
            }
            progress(&candidate);
            if kind_of(&run::run(&candidate, false)).as_ref() == Some(&kind) {
                best = candidate;
                continue 'smaller;
            }
        }
        return best;
    }
}
