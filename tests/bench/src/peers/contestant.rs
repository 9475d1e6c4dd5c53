//! Who takes part.

use clap::ValueEnum;
use serde::Serialize;

/// What becomes of a job that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keeps {
    /// The job stays, with its payload.
    Job,
    /// The job goes; a line that tells of it stays.
    Line,
    /// Nothing stays.
    Nothing,
}

/// What keeps a worker that was overtaken from finishing the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fence {
    /// A finish names the attempt.
    Attempt,
    /// A finish names the worker: one that got the same job twice is not told apart.
    Worker,
    /// Nothing does.
    None,
}

/// What a driver is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// This program itself.
    Here,
    Python,
    Node,
    Rust,
}

/// A queue on Postgres, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Contestant {
    /// This project, through its queue crate.
    Remuda,
    /// What Postgres allows: SQL by hand.
    Raw,
    /// In Python, on `asyncpg`.
    Pgqueuer,
    /// In Python, on psycopg.
    Procrastinate,
    /// In JavaScript.
    GraphileWorker,
    /// In JavaScript.
    PgBoss,
    /// Graphile Worker's rewrite in Rust.
    GraphileWorkerRs,
    /// In Rust.
    ApalisPostgres,
    /// In Rust.
    Awa,
    /// In SQL; finished messages are deleted.
    Pgmq,
    /// In SQL; finished messages are moved to the archive.
    PgmqArchive,
}

/// What is known of a contestant before it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// The version that is locked; none of our own.
    pub(crate) version: Option<&'static str>,
    pub(crate) language: Language,
    pub(crate) keeps: Keeps,
    pub(crate) fence: Fence,
}

impl Contestant {
    /// What is known of it.
    pub(crate) const fn about(self) -> About {
        use Fence::{Attempt, Worker};
        use Keeps::{Job, Line, Nothing};
        use Language::{Here, Node, Python, Rust};
        match self {
            Self::Remuda => about("remuda", None, Here, Job, Attempt),
            Self::Raw => about("raw", None, Here, Job, Attempt),
            Self::Pgqueuer => about("pgqueuer", Some("1.6.0"), Python, Line, Fence::None),
            Self::Procrastinate => about("procrastinate", Some("3.10.0"), Python, Job, Fence::None),
            Self::GraphileWorker => about("graphile-worker", Some("0.18.0"), Node, Nothing, Worker),
            Self::PgBoss => about("pg-boss", Some("12.24.1"), Node, Job, Fence::None),
            Self::GraphileWorkerRs => about("graphile-worker-rs", Some("0.14.1"), Rust, Nothing, Worker),
            Self::ApalisPostgres => about("apalis-postgres", Some("1.0.0"), Rust, Job, Worker),
            Self::Awa => about("awa", Some("0.6.9"), Rust, Job, Attempt),
            Self::Pgmq => about("pgmq", Some("0.34.0-alpha.7"), Rust, Nothing, Fence::None),
            Self::PgmqArchive => about("pgmq-archive", Some("0.34.0-alpha.7"), Rust, Job, Fence::None),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether it is somebody else's and keeps finished jobs: what Remuda is compared with.
    pub(crate) fn is_peer_that_keeps(self) -> bool {
        let about = self.about();
        about.keeps == Keeps::Job && about.language != Language::Here
    }

    /// The name of its driver's program among those in Rust.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::GraphileWorkerRs => "peer-graphile-worker",
            Self::ApalisPostgres => "peer-apalis",
            Self::Awa => "peer-awa",
            _ => "peer-pgmq",
        }
    }
}

const fn about(
    name: &'static str,
    version: Option<&'static str>,
    language: Language,
    keeps: Keeps,
    fence: Fence,
) -> About {
    About {
        name,
        version,
        language,
        keeps,
        fence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_are_told_are_those_that_are_locked() {
        let locks = [
            include_str!("../../peers/python/requirements.txt"),
            include_str!("../../peers/node/package-lock.json"),
            include_str!("../../peers/rust/Cargo.lock"),
        ];
        for about in Contestant::value_variants().iter().map(|it| it.about()) {
            let Some(version) = about.version else { continue };
            let name = match about.name {
                "graphile-worker-rs" => "graphile_worker",
                "pgmq-archive" => "pgmq",
                name => name,
            };
            let lines = match about.language {
                Language::Here => continue,
                Language::Python => (locks[0], format!("{name}=={version}\n")),
                Language::Node => (
                    locks[1],
                    format!("\"node_modules/{name}\": {{\n      \"version\": \"{version}\""),
                ),
                Language::Rust => (locks[2], format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            };
            assert!(lines.0.contains(&lines.1), "no lock names {name} {version}");
        }
    }
}
