//! Everything a demo needs, in the order it is put up, played with and cleared away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Demo;
use super::audit::{Rule, Violation, audit};
use super::evidence::{self, Evidence};
use super::figures::{Frame, Summary, done_by_robot};
use super::fleet::Fleet;
use super::folder::Folder;
use super::guard::Guard;
use super::server::{Server, Tenancy};
use super::submission::{self, Submission};
use super::view::View;
use super::watch::{Watch, Watched};
use super::workload::{self, CancelWhen};
use crate::answers::Stats;
use crate::failure::Failure;
use crate::output::Output;

/// How long the jobs may take in all; what is unfinished then is named.
const RUN_MAX: Duration = Duration::from_mins(6);

/// What a demo puts up, and what has to be cleared away whatever happens.
pub(super) struct Stage {
    folder: Folder,
    guard: Arc<Guard>,
    server: Option<Server>,
    fleet: Option<Fleet>,
    view: Option<View>,
}

impl Stage {
    /// An empty stage, guarded.
    pub(super) fn build() -> Result<Self, Failure> {
        let folder = Folder::create()?;
        let guard = Arc::new(Guard::start(folder.path())?);
        Ok(Stage {
            folder,
            guard,
            server: None,
            fleet: None,
            view: None,
        })
    }

    /// Plays the whole demo, and says how it went.
    pub(super) async fn play(&mut self, demo: &Demo, output: Output) -> Result<Summary, Failure> {
        let seed = demo.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let store = demo.store.clone().unwrap_or_else(|| self.folder.store());
        let view = View::new(output.is_watched() && !output.is_json(), demo.jobs.into());
        let view = self.view.insert(view);
        let server = self
            .server
            .insert(Server::start(&store, &self.folder, &self.guard).await?);
        let tenancy = Tenancy::create(&store, server).await?;
        view.event(&format!("the server listens on {}", server.url));

        let begun = Instant::now();
        let orders = workload::orders(demo.jobs, seed);
        let Submission {
            accepted,
            mut violations,
        } = submission::submit(&tenancy.admin, orders).await?;
        view.event(&format!("submitted {} jobs, twice", accepted.len()));
        for when in [CancelWhen::Scheduled, CancelWhen::Ready] {
            violations.extend(submission::cancel(&tenancy.admin, &accepted, when).await?);
        }

        let fleet = Fleet::start(&self.folder, server, &tenancy, &self.guard)?;
        let fleet = self.fleet.insert(fleet);
        view.event("started six robots");
        let watch = Watch::new((&tenancy.admin, fleet), (&self.folder, view), &accepted, seed);
        let watched = watch.until(begun + RUN_MAX).await?;
        let seconds = begun.elapsed().as_secs_f64();
        violations.extend(fleet.stop().await);
        view.event("told the robots to end; looking at every history");

        let gathered = evidence::gather(&tenancy.admin, &accepted, &self.folder.effects()).await?;
        let Watched {
            kills,
            violations: seen,
        } = watched;
        violations.extend(seen);
        let evidence = Evidence {
            kills,
            capabilities: fleet.capabilities(),
            ..gathered
        };
        violations.extend(audit(&evidence));
        let stats: Stats = tenancy.admin.get("/v1/stats", &[]).await?;
        let frame = Frame {
            robots: fleet.rows(&done_by_robot(&evidence)),
            seconds,
            store: stats.store.kind,
            tenant: tenancy.name.clone(),
            seed,
        };
        if demo.store.is_some() {
            fleet.remove(&tenancy.admin).await;
            tenancy.close().await;
        }
        violations.extend(self.stop_server().await);
        Ok(Summary::of(&evidence, violations, frame))
    }

    /// The failure, or what it came from: a server that is not there any more.
    pub(super) fn explain(&mut self, failure: Failure) -> Failure {
        match self.server.as_mut().and_then(Server::ended) {
            Some(how) if !matches!(failure, Failure::Interrupted(_)) => {
                Failure::unsuccessful(format!("the server ended by itself, {how}"))
            }
            _ => failure,
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn close_view(&self) {
        if let Some(view) = &self.view {
            view.close();
        }
    }

    /// Ends what is left and removes the folder, or says where it is kept.
    pub(super) async fn clear_away(mut self, keep: bool) -> Option<PathBuf> {
        if let Some(fleet) = &mut self.fleet {
            fleet.abandon().await;
        }
        // Nobody is left who would want to know whether it was polite about it.
        let _ = self.stop_server().await;
        if keep {
            self.guard.keep();
            return Some(self.folder.keep());
        }
        self.folder.remove().await;
        None
    }

    async fn stop_server(&mut self) -> Option<Violation> {
        let polite = self.server.take()?.stop().await;
        (!polite).then(|| Violation::of_run(Rule::ProcessEnds, "the server did not end when it was told to"))
    }
}
