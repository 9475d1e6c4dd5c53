//! One run, from an empty store to the verdict.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use app::{App, OpenStore, settings};
use domain::TenantName;
use queue_conformance::audit;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::answers::Stats;
use crate::bar::Bar;
use crate::evidence::{self, Evidence};
use crate::fault::{self, Size};
use crate::record::Event;
use crate::report::Report;
use crate::stage::Stage;
use crate::store::StoreKind;
use crate::submit::Submitters;
use crate::{effects, fleet, trouble};

/// How long everything may take to be over once faults have stopped: some leases, and what still waits.
const SETTLE_MAX: Duration = Duration::from_mins(4);
const LOOK: Duration = Duration::from_millis(500);

/// The programs of a run.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The servers.
    pub remuda: PathBuf,
    /// The robots.
    pub robot: PathBuf,
    /// What robots run.
    pub work: PathBuf,
}

impl Programs {
    /// Those in this folder, each of which is there.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Programs> {
        let program = |name: &str| {
            let path = folder.join(name);
            let how = "cargo build -p remuda -p remuda-robot -p chaos --bins";
            ensure!(path.is_file(), "there is no {}: {how}", path.display());
            Ok(path)
        };
        Ok(Programs {
            remuda: program("remuda")?,
            robot: program("remuda-robot")?,
            work: program("chaos-work")?,
        })
    }
}

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// On which store.
    pub store: StoreKind,
    /// For how long faults are put in.
    pub span: Duration,
    /// What gives the same orders and the same faults again.
    pub seed: u64,
    /// How many robots work.
    pub robots: usize,
    /// Where everything that happens is written, if it is to be kept.
    pub history: Option<PathBuf>,
    /// What is run.
    pub programs: Programs,
}

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict and the figures.
    pub report: Report,
    /// Where everything lies that was written, kept because something was wrong.
    pub kept: Option<PathBuf>,
}

/// Puts everything up, makes trouble, waits for the end, and judges.
///
/// # Errors
/// The run itself could not be carried through; what was written until then is kept, and the error says where.
pub async fn run(settings: &Settings) -> anyhow::Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("remuda-chaos-").tempdir();
    let folder = folder.context("cannot make a folder")?;
    match play(settings, folder.path()).await {
        Ok(report) => {
            let kept = (!report.is_sound()).then(|| folder.keep());
            Ok(Outcome { report, kept })
        }
        Err(error) => {
            let kept = folder.keep();
            Err(error).with_context(|| format!("the run broke off, and what was written is in {}", kept.display()))
        }
    }
}

async fn play(settings: &Settings, folder: &Path) -> anyhow::Result<Report> {
    let bar = Arc::new(Bar::new());
    let stage = Arc::new(Stage::build(settings, folder, &bar).await?);
    stage.record.note(Event::Begun {
        store: settings.store.name(),
        seed: settings.seed,
    });
    let (stop, stopped) = watch::channel(false);
    let watching = tokio::spawn({
        let (stage, bar) = (stage.clone(), bar.clone());
        async move { stage.watch(&bar, stopped).await }
    });
    make_trouble(&stage, settings).await?;
    settle(&stage).await?;
    stop.send_replace(true);
    watching.await.context("whoever watched panicked")??;
    bar.tell("everything is read and checked");
    let evidence = gather(&stage, settings).await?;
    Ok(Report::of(&evidence, settings))
}

async fn make_trouble(stage: &Arc<Stage>, settings: &Settings) -> anyhow::Result<()> {
    let size = Size {
        servers: settings.store.servers(),
        robots: settings.robots,
        span: settings.span,
    };
    let per_second = settings.store.jobs_per_robot_second() * f64::from(u32::try_from(settings.robots)?);
    let submitters = Submitters::start(stage, per_second, settings.seed);
    let plan = fault::plan(settings.store, size, settings.seed);
    trouble::make(stage, &plan, settings.span).await?;
    submitters.stop().await?;
    stage.record.note(Event::Calm);
    Ok(())
}

/// Waits until nothing is unfinished, or until the time for that is up: then the checker names what is.
async fn settle(stage: &Stage) -> anyhow::Result<()> {
    let until = Instant::now() + SETTLE_MAX;
    let mut clients = stage.cluster.clients.iter().cycle();
    loop {
        let client = clients.next().context("there is a server")?;
        let stats: Result<Stats, _> = client.get("/v1/stats", &[]).await;
        let unfinished = stats.map_or(u64::MAX, |stats| stats.unfinished());
        if unfinished == 0 || Instant::now() > until {
            stage.record.note(Event::Settled { unfinished });
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

async fn gather(stage: &Stage, settings: &Settings) -> anyhow::Result<Evidence> {
    let jobs = evidence::jobs(&stage.cluster.clients[0]).await?;
    stage.stop().await;
    let entries = stage.record.entries();
    Ok(Evidence {
        orders: evidence::attempted(&entries, settings.seed),
        entries,
        jobs,
        marks: effects::read(&stage.effects)?,
        capabilities: fleet::capabilities(settings.robots),
        audit: audited(&stage.store.address).await?,
    })
}

/// Holds everything in the store to the invariants; nobody else may use it.
async fn audited(address: &str) -> anyhow::Result<Vec<String>> {
    let variable = |name: &str| (name == settings::STORE).then(|| address.to_owned());
    let settings = app::Settings::from_variables(variable)?;
    let store = OpenStore::open(&settings).await?;
    let app = App::on(&store, &settings);
    let faults = audit::faults(&app.engine, &TenantName::default_tenant()).await;
    store.close().await;
    Ok(faults)
}
