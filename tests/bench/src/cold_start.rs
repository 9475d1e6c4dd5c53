//! How large each function is, and how long it takes from the start of its process to its first call for an event and to
//! its first answer, beside the least function that there can be.

mod ground;
mod samples;

use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use runtime_api::{Observed, RuntimeApi, Start};

use crate::{
    builds::{Builds, Built},
    figures::{Report, Spread},
    lifecycle::progress,
};
use ground::Ground;
use samples::Sample;

/// How long a start and its answers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer as the first, which also opens what is opened late, and one more, which finds all of it open.
const EVENTS: usize = 2;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    builds: Builds,
    /// How often each function is started, after one start that is not counted
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
}

/// One program to start again and again.
struct Case {
    built: Built,
    environment: Vec<(String, String)>,
    sample: Sample,
    figures: Figures,
}

/// What was seen of a case, in milliseconds, a figure a start.
#[derive(Default)]
struct Figures {
    /// To the first poll.
    poll: Vec<f64>,
    /// To the first answer.
    answer: Vec<f64>,
    /// From the first poll to the first answer: what the store takes when nothing is open yet.
    event: Vec<f64>,
    /// From the second poll to the second answer: what it takes from then on.
    next: Vec<f64>,
}

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Report> {
    let built = options.builds.all()?;
    let mut grounds = Vec::new();
    for store in &options.builds.store {
        grounds.push(Ground::make(*store).await?);
    }
    let cases = built.into_iter().map(|built| Case::on(&grounds, built));
    let mut cases = cases.collect::<anyhow::Result<Vec<_>>>()?;
    run(&mut cases, options.runs).await?;
    Ok(report(&cases))
}

impl Case {
    /// `built` on the ground that it was built for.
    fn on(grounds: &[Ground], built: Built) -> anyhow::Result<Self> {
        let ground = grounds.iter().find(|ground| Some(ground.store()) == built.store);
        Ok(Self {
            environment: ground.map(Ground::environment).unwrap_or_default(),
            sample: match ground {
                Some(ground) => Sample::of(built.name, ground.key())?,
                None => Sample::nothing(),
            },
            figures: Figures::default(),
            built,
        })
    }
}

/// Starts all in turn, so that a slow minute of the machine does not hit one alone.
async fn run(cases: &mut [Case], runs: u32) -> anyhow::Result<()> {
    let api = RuntimeApi::serve().await?;
    let bar = progress(cases.len() * (1 + runs as usize));
    for round in 0..=runs {
        for case in &mut *cases {
            let observed = start(&api, case, &bar).await?;
            // The first start reads the program from the disk, and makes what its sample needs.
            if round > 0 {
                case.figures.add(&observed);
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

async fn start(api: &RuntimeApi, case: &mut Case, bar: &ProgressBar) -> anyhow::Result<Observed> {
    let name = format!("{} on {}", case.built.name, case.built.store_name());
    bar.set_message(name.clone());
    let start = Start {
        program: &case.built.program,
        environment: &case.environment,
        events: (0..EVENTS).map(|_| case.sample.event()).collect(),
        patience: PATIENCE,
    };
    let observed = api.observe(start).await?;
    for answer in &observed.answers {
        case.sample.check(&answer.body).with_context(|| name.clone())?;
    }
    bar.inc(1);
    Ok(observed)
}

impl Figures {
    fn add(&mut self, observed: &Observed) {
        self.poll.push(milliseconds(observed.first_poll));
        if let [first, next] = &observed.answers[..] {
            self.answer.push(milliseconds(first.since_start));
            self.event.push(milliseconds(first.since_poll));
            self.next.push(milliseconds(next.since_poll));
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn report(cases: &[Case]) -> Report {
    let columns = [
        "store",
        "function",
        "MB",
        "× hello",
        "first poll ms",
        "spread",
        "× hello",
        "first answer ms",
        "spread",
        "× hello",
        "first event ms",
        "next event ms",
    ];
    let mut report = Report::new("From exec to the first poll and to the first answer; medians", &columns);
    let spreads = |case: &Case| {
        let Figures {
            poll,
            answer,
            event,
            next,
        } = &case.figures;
        [poll, answer, event, next].map(|figures| Spread::of(figures.clone()))
    };
    let Some(least) = cases.last() else { return report };
    let [least_poll, least_answer, ..] = spreads(least);
    for case in cases {
        let [poll, answer, event, next] = spreads(case);
        report.row(vec![
            case.built.store_name().to_owned(),
            case.built.name.to_owned(),
            format!("{:.2}", case.built.megabytes()),
            format!("{:.1}", case.built.megabytes() / least.built.megabytes()),
            format!("{:.2}", poll.median),
            format!("{:.1}–{:.1}", poll.min, poll.max),
            format!("{:.2}", poll.median / least_poll.median),
            format!("{:.1}", answer.median),
            format!("{:.1}–{:.1}", answer.min, answer.max),
            format!("{:.1}", answer.median / least_answer.median),
            format!("{:.1}", event.median),
            format!("{:.1}", next.median),
        ]);
    }
    report
}
