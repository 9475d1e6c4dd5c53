//! Everything that a run puts up: store, servers, front and robots, each a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::bar::Bar;
use crate::cluster::Cluster;
use crate::fleet::{Fleet, Surroundings};
use crate::front::Front;
use crate::post::Post;
use crate::process::Guard;
use crate::record::{Event, Record};
use crate::run::Settings;
use crate::store::Store;

/// The pause between two looks at who is still there.
const ROUND: Duration = Duration::from_millis(200);

/// How the end of a robot is told that one of its own jobs has killed.
const BY_ITS_JOB: &str = "by signal 9";

/// What is up.
pub(crate) struct Stage {
    // Dropped in this order: robots before servers, all before what they need.
    pub(crate) fleet: Fleet,
    pub(crate) front: Front,
    pub(crate) cluster: Cluster,
    _guard: Arc<Guard>,
    pub(crate) store: Arc<Store>,
    /// The world outside.
    pub(crate) effects: PathBuf,
    pub(crate) record: Record,
}

impl Stage {
    /// Puts everything up in this folder; all robots are at work when this returns.
    pub(crate) async fn build(settings: &Settings, folder: &Path, bar: &Bar) -> anyhow::Result<Stage> {
        let record = match &settings.history {
            Some(path) => Record::to_file(path)?,
            None => Record::to_file(&folder.join("history.jsonl"))?,
        };
        fs::create_dir(folder.join("logs")).context("cannot make a folder")?;
        let effects = folder.join("effects");
        fs::write(&effects, "").context("cannot write the effects")?;
        let guard = Arc::new(Guard::start()?);
        bar.tell("the store starts");
        let (kind, home) = (settings.store, folder.to_owned());
        let store = blocking(move || Store::start(kind, &home)).await?;
        bar.tell("the servers start");
        let (remuda, servers) = (&settings.programs.remuda, kind.servers());
        let cluster = Cluster::start(remuda, &store.address, servers, folder, &guard).await?;
        let front = Front::open(&cluster.ports).await?;
        bar.tell("the robots start");
        let around = Surroundings {
            programs: &settings.programs,
            folder,
            effects: &effects,
            url: &front.url,
            registration_key: &cluster.registration_key().await?,
        };
        let fleet = Fleet::start(settings.robots, &around, &guard, &cluster.clients[0]).await?;
        Ok(Stage {
            fleet,
            front,
            cluster,
            _guard: guard,
            store: Arc::new(store),
            effects,
            record,
        })
    }

    /// Starts again whoever ends by itself, and shows how things go, until told to stop.
    pub(crate) async fn watch(&self, bar: &Bar, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = sleep(ROUND) => {}
                // An error says that whoever would tell is gone.
                _ = stop.changed() => return Ok(()),
            }
            for post in &self.cluster.posts {
                self.revive(post, false).await?;
            }
            for post in &self.fleet.posts {
                self.revive(post, true).await?;
            }
            bar.show(&self.record);
        }
    }

    async fn revive(&self, post: &Post, may_be_killed: bool) -> anyhow::Result<()> {
        if let Some(how) = post.revive().await? {
            let expected = may_be_killed && how == BY_ITS_JOB;
            let name = post.name.clone();
            self.record.note(Event::Ended { name, how, expected });
        }
        Ok(())
    }

    /// Tells all robots and then all servers to end, and notes who does not end well.
    pub(crate) async fn stop(&self) {
        for post in self.fleet.posts.iter().chain(&self.cluster.posts) {
            if let Some(how) = post.stop().await {
                self.record.note(Event::Ended {
                    name: post.name.clone(),
                    how,
                    expected: false,
                });
            }
        }
    }
}

/// What the call gives, which may take its time.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(call).await.context("it panicked")?
}
