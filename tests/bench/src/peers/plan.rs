//! What is measured, in which order.

use bench_driver::Case;
use clap::ValueEnum;
use serde::Serialize;

/// A case, as it is asked for on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// One job a call, from one client.
    Submit,
    /// 1,000 jobs a call, from one client.
    SubmitBatch,
    /// Jobs that are there, taken through in batches by 1 and by 2 workers.
    Drain,
    /// Jobs that are there, each claimed and finished by itself, 10 at a time.
    OneByOne,
    /// Submitted and taken through at once.
    Steady,
    /// From submit to start at 200 jobs a second.
    Latency,
    /// One claim, as more and more jobs are ready.
    Claim,
    /// The steady state while a transaction is held open.
    Held,
}

impl Group {
    /// Whether contestants are compared by how long something takes, not by how many jobs a second go through.
    pub(crate) const fn is_of_time(self) -> bool {
        matches!(self, Self::Latency | Self::Claim)
    }

    /// Whether what the server wrote meanwhile was written for the jobs that were counted, and for no others.
    pub(crate) const fn is_all_counted(self) -> bool {
        !matches!(self, Self::Steady | Self::Held)
    }
}

/// What the plan is made of.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Sizes {
    /// The cases to measure, in turn
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "submit,submit-batch,drain,one-by-one,steady,latency,claim,held"
    )]
    pub(crate) cases: Vec<Group>,
    /// How many jobs are submitted in batches and drained; a tenth of that is submitted singly
    #[arg(long, default_value_t = 100_000)]
    pub(crate) jobs: u64,
    /// The batches to drain in; the report takes the best of each contestant
    #[arg(long, value_delimiter = ',', default_value = "100,500")]
    pub(crate) batches: Vec<usize>,
    /// How long the steady state and the latency are measured, in seconds
    #[arg(long, default_value_t = 20.0)]
    pub(crate) seconds: f64,
    /// Cut off a drain that takes longer, in seconds
    #[arg(long, default_value_t = 120.0)]
    pub(crate) drain_seconds: f64,
    /// How many jobs are ready when one claim is measured, rising
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    pub(crate) ready: Vec<u64>,
    /// How many claims are timed at each of these
    #[arg(long, default_value_t = 300)]
    pub(crate) claims: u64,
    /// How long a transaction is held open, in minutes
    #[arg(long, default_value_t = 10.0)]
    pub(crate) held_minutes: f64,
}

/// What is done with one fresh database of one contestant.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) group: Group,
    /// Whether a transaction is held open.
    pub(crate) held: bool,
    pub(crate) steps: Vec<Step>,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What the report calls it.
    pub(crate) name: String,
    /// How many jobs are put in before it, unmeasured.
    pub(crate) preload: u64,
    pub(crate) case: Case,
    pub(crate) jobs: u64,
    pub(crate) batch: usize,
    pub(crate) workers: usize,
    pub(crate) seconds: f64,
}

/// How many jobs a call submits in batches.
const SUBMIT_BATCH: usize = 1_000;

/// How many jobs are at work at a time, one by one.
const AT_ONCE: usize = 10;

/// How many workers drain.
const WORKERS: [usize; 2] = [1, 2];

/// In which batches the steady state works.
const STEADY_BATCH: usize = 100;

const SECONDS_A_MINUTE: f64 = 60.0;

impl Sizes {
    /// All tasks of a round, for each contestant the same.
    pub(crate) fn tasks(&self) -> Vec<Task> {
        self.cases.iter().flat_map(|group| self.tasks_of(*group)).collect()
    }

    fn tasks_of(&self, group: Group) -> Vec<Task> {
        let few = (self.jobs / 10).max(1);
        let one = |step: Step| {
            vec![Task {
                group,
                held: group == Group::Held,
                steps: vec![step],
            }]
        };
        match group {
            Group::Submit => one(step("submit singly", Case::Submit, few)),
            Group::SubmitBatch => one(Step {
                batch: SUBMIT_BATCH,
                ..step("submit in 1,000s", Case::SubmitBatch, self.jobs)
            }),
            Group::Drain => self.drains(),
            Group::OneByOne => one(Step {
                preload: self.jobs,
                workers: AT_ONCE,
                seconds: self.drain_seconds,
                ..step("one by one, 10 at a time", Case::DrainOne, self.jobs)
            }),
            Group::Steady => one(Step {
                seconds: self.seconds,
                ..step("steady state", Case::Steady, 0)
            }),
            Group::Latency => one(Step {
                seconds: self.seconds,
                ..step("submit to start", Case::Latency, 0)
            }),
            Group::Claim => vec![self.claims()],
            Group::Held => one(Step {
                seconds: self.held_minutes * SECONDS_A_MINUTE,
                ..step("with a transaction held open", Case::Steady, 0)
            }),
        }
    }

    fn drains(&self) -> Vec<Task> {
        let ways = WORKERS
            .iter()
            .flat_map(|workers| self.batches.iter().map(|batch| (*workers, *batch)));
        let task = |(workers, batch)| Task {
            group: Group::Drain,
            held: false,
            steps: vec![Step {
                preload: self.jobs,
                batch,
                workers,
                seconds: self.drain_seconds,
                ..step(&drain_name(workers, batch), Case::Drain, self.jobs)
            }],
        };
        ways.map(task).collect()
    }

    /// The backlog grows in one database, from the least to the greatest.
    fn claims(&self) -> Task {
        let mut loaded = 0;
        let step = |ready: &u64| {
            let preload = ready.saturating_sub(loaded);
            loaded += preload;
            Step {
                preload,
                ..step(&format!("one claim of {ready} ready"), Case::Claim, self.claims)
            }
        };
        Task {
            group: Group::Claim,
            held: false,
            steps: self.ready.iter().map(step).collect(),
        }
    }
}

fn drain_name(workers: usize, batch: usize) -> String {
    let s = if workers == 1 { "" } else { "s" };
    format!("drain, {workers} worker{s}, batches of {batch}")
}

fn step(name: &str, case: Case, jobs: u64) -> Step {
    Step {
        name: name.to_owned(),
        preload: 0,
        case,
        jobs,
        batch: STEADY_BATCH,
        workers: 1,
        seconds: 0.0,
    }
}

/// The contestants in the order of this round: each begins once before any begins twice, so that nobody always runs in
/// the wake of the same other.
pub(crate) fn turn<T: Copy>(contestants: &[T], round: usize) -> Vec<T> {
    let mut order = contestants.to_vec();
    if !order.is_empty() {
        order.rotate_left(round % contestants.len());
    }
    order
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        sizes: Sizes,
    }

    fn sizes(arguments: &[&str]) -> Sizes {
        Cli::parse_from([&["bench"][..], arguments].concat()).sizes
    }

    #[test]
    fn the_backlog_grows_by_what_is_missing() {
        let tasks = sizes(&["--cases", "claim", "--ready", "1000,5000"]).tasks();
        let preloads: Vec<u64> = tasks[0].steps.iter().map(|it| it.preload).collect();
        assert_eq!(preloads, [1_000, 4_000]);
    }

    #[test]
    fn every_batch_is_drained_by_one_and_by_two() {
        let tasks = sizes(&["--cases", "drain", "--batches", "10,20"]).tasks();
        let names: Vec<&str> = tasks.iter().map(|it| it.steps[0].name.as_str()).collect();
        assert_eq!(
            names,
            [
                "drain, 1 worker, batches of 10",
                "drain, 1 worker, batches of 20",
                "drain, 2 workers, batches of 10",
                "drain, 2 workers, batches of 20",
            ]
        );
    }

    #[test]
    fn everybody_begins_once_before_anybody_begins_twice() {
        let firsts: Vec<u8> = (0..4).map(|round| turn(&[1, 2, 3], round)[0]).collect();
        assert_eq!(firsts, [1, 2, 3, 1]);
        assert!(turn::<u8>(&[], 1).is_empty());
    }
}
