//! What a person at a terminal sees while the demo runs; in a pipe, nothing.

use std::collections::{BTreeMap, VecDeque};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::fleet::{Fleet, Robot};
use super::story;
use crate::answers::Job;

/// How many of the last events stay in sight.
const EVENTS_SHOWN: usize = 4;

/// The states in the order of a job's life.
const STATES: [&str; 8] = [
    "scheduled",
    "ready",
    "leased",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
];

/// A bar of the whole, the jobs by state, a line for each robot, and the last events.
pub(super) struct View {
    screen: MultiProgress,
    whole: ProgressBar,
    states: ProgressBar,
    robots: Vec<ProgressBar>,
    events: Vec<ProgressBar>,
    happened: VecDeque<String>,
}

impl View {
    /// A view of so many jobs, where somebody watches.
    pub(super) fn new(watched: bool, jobs: usize) -> Self {
        let target = if watched {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let screen = MultiProgress::with_draw_target(target);
        let whole = screen.add(
            ProgressBar::new(jobs as u64).with_style(style("{bar:40.green} {pos} of {len} jobs are over  {elapsed}")),
        );
        let states = line(&screen);
        View {
            screen,
            whole,
            states,
            robots: Vec::new(),
            events: Vec::new(),
            happened: VecDeque::new(),
        }
    }

    /// Tells of something that has just happened.
    pub(super) fn event(&mut self, text: &str) {
        let seconds = self.whole.elapsed().as_secs_f64();
        self.happened.push_back(format!("  {seconds:>5.1} s  {text}"));
        if self.happened.len() > EVENTS_SHOWN {
            self.happened.pop_front();
        }
        while self.events.len() < self.happened.len() {
            self.events.push(line(&self.screen));
        }
        for (bar, text) in self.events.iter().zip(&self.happened) {
            bar.set_message(text.clone());
        }
    }

    /// Shows how far everything is.
    pub(super) fn show(&mut self, jobs: &BTreeMap<String, Job>, fleet: &Fleet) {
        let over = jobs.values().filter(|job| story::is_end(&job.state)).count();
        self.whole.set_position(over as u64);
        self.states.set_message(states_text(jobs));
        while self.robots.len() < fleet.robots().len() {
            // Robots stand between the states and the events.
            let above = self.robots.last().unwrap_or(&self.states);
            let bar = self.screen.insert_after(above, ProgressBar::new_spinner());
            self.robots.push(bar.with_style(style("{wide_msg}")));
        }
        for (bar, robot) in self.robots.iter().zip(fleet.robots()) {
            bar.set_message(robot_text(robot, jobs));
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn close(&self) {
        // Nobody is left to be told where that fails.
        let _ = self.screen.clear();
        // A bar draws itself once more when it is dropped, and would do so over what comes after the view.
        self.screen.set_draw_target(ProgressDrawTarget::hidden());
    }
}

fn line(screen: &MultiProgress) -> ProgressBar {
    screen.add(ProgressBar::new_spinner().with_style(style("{wide_msg}")))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed")
}

fn states_text(jobs: &BTreeMap<String, Job>) -> String {
    let count = |state: &str| jobs.values().filter(|job| job.state == state).count();
    STATES
        .iter()
        .map(|state| format!("{} {}", state.replace('_', " "), count(state)))
        .collect::<Vec<_>>()
        .join(" · ")
}

fn robot_text(robot: &Robot, jobs: &BTreeMap<String, Job>) -> String {
    let doing = if robot.is_up() {
        at_work(robot, jobs)
    } else {
        "killed".to_owned()
    };
    format!("  {:<10} {doing}", robot.name())
}

fn at_work(robot: &Robot, jobs: &BTreeMap<String, Job>) -> String {
    let mut works: BTreeMap<&str, usize> = BTreeMap::new();
    for job in jobs
        .values()
        .filter(|job| job.state == "running" && job.robot == robot.id)
    {
        *works.entry(&job.workflow).or_default() += 1;
    }
    let taken: usize = works.values().sum();
    let named: Vec<String> = works
        .iter()
        .map(|(workflow, count)| {
            if *count == 1 {
                (*workflow).to_owned()
            } else {
                format!("{count} × {workflow}")
            }
        })
        .collect();
    format!("{taken}/{}  {}", robot.max_jobs(), named.join(", "))
}
