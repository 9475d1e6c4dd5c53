//! The run itself: looks at the jobs again and again, cancels, kills and starts again, until all is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use remuda_client::Client;

use super::audit::{Rule, Violation};
use super::chaos;
use super::evidence::{self, Kill};
use super::fleet::Fleet;
use super::folder::Folder;
use super::story;
use super::submission::cancel_one;
use super::view::View;
use super::workload::{Accepted, CancelWhen};
use crate::answers::Job;
use crate::failure::Failure;
use crate::render::counted;

/// How often the jobs are looked at.
const LOOK: Duration = Duration::from_millis(300);

/// How long a robot that returns is away.
const AWAY: Duration = Duration::from_secs(2);

/// How many robots are to be killed.
const KILLS: usize = 2;

/// The demo in full swing.
pub(super) struct Watch<'a> {
    client: &'a Client,
    fleet: &'a mut Fleet,
    folder: &'a Folder,
    view: &'a mut View,
    accepted: &'a [Accepted],
    jobs: BTreeMap<String, Job>,
    kills: Vec<Kill>,
    killed: Vec<String>,
    returning: Option<(Instant, String)>,
    asked_to_stop: BTreeSet<String>,
    chance: StdRng,
    violations: Vec<Violation>,
}

/// What the audit cannot see in histories.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) kills: Vec<Kill>,
    pub(super) violations: Vec<Violation>,
}

impl<'a> Watch<'a> {
    /// A run of these jobs; the seed decides whom it hits.
    pub(super) fn new(
        (client, fleet): (&'a Client, &'a mut Fleet),
        (folder, view): (&'a Folder, &'a mut View),
        accepted: &'a [Accepted],
        seed: u64,
    ) -> Self {
        Watch {
            client,
            fleet,
            folder,
            view,
            accepted,
            jobs: BTreeMap::new(),
            kills: Vec::new(),
            killed: Vec::new(),
            returning: None,
            asked_to_stop: BTreeSet::new(),
            chance: StdRng::seed_from_u64(seed),
            violations: Vec::new(),
        }
    }

    /// Watches until every job is over and every killed robot that is to return has, or until `end`.
    pub(super) async fn until(mut self, end: Instant) -> Result<Watched, Failure> {
        let mut next_look = Instant::now();
        while !self.is_over() {
            if Instant::now() >= end {
                self.view.event("time is up");
                break;
            }
            tokio::time::sleep(LOOK).await;
            let began = Instant::now();
            if began >= next_look {
                self.look().await?;
                // A store that is slow is not to be kept from its work by being watched.
                next_look = Instant::now() + began.elapsed();
                self.cancel_what_runs().await?;
            }
            // Not with the looks alone: where those are slow, whole jobs pass between two of them.
            self.kill().await?;
            self.start_again()?;
            self.notice_deserters();
        }
        if self.kills.len() < KILLS {
            let what = format!(
                "{} of {KILLS} robots could be hit in the middle of a job",
                self.kills.len()
            );
            self.violations.push(Violation::of_run(Rule::KillSeen, what));
        }
        Ok(Watched {
            kills: self.kills,
            violations: self.violations,
        })
    }

    fn is_over(&self) -> bool {
        let over = |job: &Accepted| self.jobs.get(&job.id).is_some_and(|job| story::is_end(&job.state));
        self.returning.is_none() && self.accepted.iter().all(over)
    }

    async fn look(&mut self) -> Result<(), Failure> {
        self.fleet.learn_ids(self.client).await?;
        for job in evidence::jobs(self.client).await? {
            self.jobs.insert(job.id.clone(), job);
        }
        self.view.show(&self.jobs, self.fleet);
        Ok(())
    }

    async fn cancel_what_runs(&mut self) -> Result<(), Failure> {
        let accepted = self.accepted;
        let running = |id: &str| self.jobs.get(id).is_some_and(|job| job.state == "running");
        let to_stop: Vec<&Accepted> = accepted
            .iter()
            .filter(|job| job.order.cancel == Some(CancelWhen::Running) && running(&job.id))
            .filter(|job| !self.asked_to_stop.contains(&job.id))
            .collect();
        if !to_stop.is_empty() {
            let jobs = counted(to_stop.len() as u64, "running job");
            self.view.event(&format!("cancelled {jobs}"));
        }
        for job in to_stop {
            self.asked_to_stop.insert(job.id.clone());
            match cancel_one(self.client, &job.id).await {
                Err(error) if error.code() == Some("job_finished") => continue,
                asked => asked?,
            };
        }
        Ok(())
    }

    async fn kill(&mut self) -> Result<(), Failure> {
        let over = self.jobs.values().filter(|job| story::is_end(&job.state)).count();
        let percent = over * 100 / self.accepted.len().max(1);
        if self.kills.len() >= KILLS {
            return Ok(());
        }
        // What the last look saw may be over by now.
        let running = evidence::running_jobs(self.client).await?;
        let target = chaos::target(
            running.iter(),
            &self.killed,
            percent,
            Timestamp::now(),
            &mut self.chance,
        );
        let Some(target) = target else { return Ok(()) };
        let Some(name) = self.fleet.name_of(target.robot) else {
            return Ok(());
        };
        let kill = Kill {
            robot: name.to_owned(),
            job: target.job.to_owned(),
            attempt: target.attempt,
            returns: target.returns,
        };
        self.killed.push(target.robot.to_owned());
        self.fleet.kill(name).await;
        if kill.returns {
            self.returning = Some((Instant::now() + AWAY, name.to_owned()));
        }
        let for_how_long = if kill.returns { "for a while" } else { "for good" };
        self.view
            .event(&format!("killed {name} {for_how_long}, in the middle of a job"));
        self.kills.push(kill);
        Ok(())
    }

    fn start_again(&mut self) -> Result<(), Failure> {
        let due = self.returning.take_if(|(at, _)| *at <= Instant::now());
        let Some((_, name)) = due else { return Ok(()) };
        self.fleet.start_again(&name, self.folder)?;
        self.view.event(&format!("started {name} again"));
        Ok(())
    }

    fn notice_deserters(&mut self) {
        if let Some(what) = self.fleet.deserter() {
            self.view.event(&what);
            self.violations.push(Violation::of_run(Rule::ProcessEnds, what));
        }
    }
}
