//! The six robots: real processes of the robot agent, each with what it can do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use remuda_client::{CallError, Client, Retry};
use serde::Serialize;

use super::audit::{Rule, Violation};
use super::child::{Child, log_file, this_program, told};
use super::figures::RobotRow;
use super::folder::Folder;
use super::guard::Guard;
use super::server::{Server, Tenancy};
use super::workload::QUEUE;
use crate::answers::{Page, Robot as Answer};
use crate::failure::Failure;

/// The name by which this program acts as the robot agent.
const AGENT: &str = "remuda-robot";

/// How long a robot that has nothing to do may take to end.
const STOP_MAX: Duration = Duration::from_secs(15);

/// What a robot can do, and how much of it at once.
struct Post {
    name: &'static str,
    capabilities: &'static [&'static str],
    max_jobs: u32,
}

/// Only one has SAP. Long work needs `desktop`, which that one lacks: so whoever is killed in the middle of long work,
/// there is another who can do what is left.
const POSTS: [Post; 6] = [
    Post {
        name: "browser-1",
        capabilities: &["browser", "desktop"],
        max_jobs: 3,
    },
    Post {
        name: "browser-2",
        capabilities: &["browser", "desktop"],
        max_jobs: 2,
    },
    Post {
        name: "excel-1",
        capabilities: &["excel", "desktop"],
        max_jobs: 2,
    },
    Post {
        name: "excel-2",
        capabilities: &["excel", "desktop"],
        max_jobs: 2,
    },
    Post {
        name: "office-1",
        capabilities: &["browser", "excel", "desktop"],
        max_jobs: 3,
    },
    Post {
        name: "sap-1",
        capabilities: &["sap"],
        max_jobs: 1,
    },
];

/// The robots of one demo.
pub(super) struct Fleet {
    robots: Vec<Robot>,
    guard: Arc<Guard>,
}

/// One robot, whether it runs or not.
pub(super) struct Robot {
    post: &'static Post,
    /// The id that the server knows it by, as soon as it is registered.
    pub(super) id: Option<String>,
    child: Option<Child>,
    kills: u32,
    starts: u32,
}

impl Robot {
    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        self.post.name
    }

    /// How many jobs it works on at once.
    pub(super) fn max_jobs(&self) -> u32 {
        self.post.max_jobs
    }

    /// Whether its process is there.
    pub(super) fn is_up(&self) -> bool {
        self.child.is_some()
    }
}

impl Fleet {
    /// Starts all of them.
    pub(super) fn start(
        folder: &Folder,
        server: &Server,
        tenancy: &Tenancy,
        guard: &Arc<Guard>,
    ) -> Result<Self, Failure> {
        let mut fleet = Fleet {
            robots: Vec::new(),
            guard: guard.clone(),
        };
        for post in &POSTS {
            write_settings(post, folder, server)?;
            let child = start_agent(post, folder, Some(tenancy.registration_key()), guard)?;
            fleet.robots.push(Robot {
                post,
                id: None,
                child: Some(child),
                kills: 0,
                starts: 1,
            });
        }
        Ok(fleet)
    }

    /// All of them.
    pub(super) fn robots(&self) -> &[Robot] {
        &self.robots
    }

    /// Learns the ids of those that have registered since; asks only while some are not known.
    pub(super) async fn learn_ids(&mut self, client: &Client) -> Result<(), CallError> {
        if self.robots.iter().all(|robot| robot.id.is_some()) {
            return Ok(());
        }
        let page: Page<Answer> = Retry::default().run(|| client.get("/v1/robots", &[])).await?;
        for robot in &mut self.robots {
            let found = page
                .items
                .iter()
                .find(|answer| answer.name.as_deref() == Some(robot.name()));
            robot.id = found.map(|answer| answer.id.clone());
        }
        Ok(())
    }

    /// The name of the robot with that id.
    pub(super) fn name_of(&self, id: &str) -> Option<&'static str> {
        let robot = self.robots.iter().find(|robot| robot.id.as_deref() == Some(id))?;
        Some(robot.name())
    }

    /// Kills the robot of that name, at once and for good as far as it knows.
    pub(super) async fn kill(&mut self, name: &str) {
        for robot in self.robots.iter_mut().filter(|robot| robot.post.name == name) {
            if let Some(child) = robot.child.take() {
                child.kill().await;
                robot.kills += 1;
            }
        }
    }

    /// Starts the robot of that name again, with the key that it kept.
    pub(super) fn start_again(&mut self, name: &str, folder: &Folder) -> Result<(), Failure> {
        for robot in self.robots.iter_mut().filter(|robot| robot.post.name == name) {
            robot.child = Some(start_agent(robot.post, folder, None, &self.guard)?);
            robot.starts += 1;
        }
        Ok(())
    }

    /// A robot that has ended though nobody told it to, and how.
    pub(super) fn deserter(&mut self) -> Option<String> {
        self.robots.iter_mut().find_map(|robot| {
            let status = robot.child.as_mut()?.ended()?;
            robot.child = None;
            Some(format!("{} ended by itself, {}", robot.post.name, told(status)))
        })
    }

    /// Ends those that are left, all at a time; whoever does not end as promised is named.
    pub(super) async fn stop(&mut self) -> Vec<Violation> {
        let mut stopping = Vec::new();
        for robot in &mut self.robots {
            if let Some(child) = robot.child.take() {
                stopping.push((robot.post.name, tokio::spawn(child.stop(STOP_MAX))));
            }
        }
        let mut violations = Vec::new();
        for (name, stopped) in stopping {
            let what = match stopped.await {
                Ok(Some(status)) if status.success() => continue,
                Ok(Some(status)) => format!("{name} was told to end, and ended {}", told(status)),
                _ => format!("{name} was told to end, and had to be killed"),
            };
            violations.push(Violation::of_run(Rule::ProcessEnds, what));
        }
        violations
    }

    /// Kills those that are left; their watchdogs end their commands.
    pub(super) async fn abandon(&mut self) {
        for robot in &mut self.robots {
            if let Some(child) = robot.child.take() {
                child.kill().await;
            }
        }
    }

    /// What each can do, by its id.
    pub(super) fn capabilities(&self) -> BTreeMap<String, BTreeSet<String>> {
        let can = |robot: &Robot| robot.post.capabilities.iter().map(|can| (*can).to_owned()).collect();
        self.robots
            .iter()
            .filter_map(|robot| Some((robot.id.clone()?, can(robot))))
            .collect()
    }

    /// What each did; `done` counts jobs by robots' ids.
    pub(super) fn rows(&self, done: &BTreeMap<String, usize>) -> Vec<RobotRow> {
        let row = |robot: &Robot| RobotRow {
            name: robot.post.name.to_owned(),
            capabilities: robot.post.capabilities.iter().map(|can| (*can).to_owned()).collect(),
            max_jobs: robot.post.max_jobs,
            jobs_done: robot.id.as_ref().and_then(|id| done.get(id)).copied().unwrap_or(0),
            kills: robot.kills,
            starts: robot.starts,
        };
        self.robots.iter().map(row).collect()
    }

    /// Removes them at the server, so that a store that stays does not keep robots that are no more.
    pub(super) async fn remove(&self, client: &Client) {
        for id in self.robots.iter().filter_map(|robot| robot.id.as_ref()) {
            // One that stays shows as offline and harms nothing.
            let _ = client
                .delete(&format!("/v1/robots/{}", remuda_client::segment(id)))
                .await;
        }
    }
}

/// The settings file, as the robot agent reads it.
#[derive(Serialize)]
struct Settings<'a> {
    url: &'a str,
    state_folder: &'static str,
    name: &'a str,
    queues: [&'a str; 1],
    capabilities: &'a [&'a str],
    max_jobs: u32,
    workflows: BTreeMap<&'static str, Workflow>,
}

#[derive(Serialize)]
struct Workflow {
    command: Vec<String>,
    env: BTreeMap<&'static str, String>,
}

fn write_settings(post: &Post, folder: &Folder, server: &Server) -> Result<(), Failure> {
    let env = BTreeMap::from([
        ("COMMON", folder.common().display().to_string()),
        ("EFFECTS", folder.effects().display().to_string()),
        ("ROBOT", post.name.to_owned()),
    ]);
    let workflow = |script: std::path::PathBuf| Workflow {
        command: vec!["sh".to_owned(), script.display().to_string()],
        env: env.clone(),
    };
    let settings = Settings {
        url: &server.url,
        state_folder: "state",
        name: post.name,
        queues: [QUEUE],
        capabilities: post.capabilities,
        max_jobs: post.max_jobs,
        workflows: folder
            .workflows()
            .map(|(name, script)| (name, workflow(script)))
            .collect(),
    };
    let text = toml::to_string(&settings).expect("texts and numbers can be written");
    let home = folder.robot(post.name);
    std::fs::create_dir(&home)
        .and_then(|()| std::fs::write(home.join("robot.toml"), text))
        .map_err(|source| Failure::System {
            task: "write a robot's settings",
            source,
        })
}

fn start_agent(
    post: &Post,
    folder: &Folder,
    registration_key: Option<&str>,
    guard: &Arc<Guard>,
) -> Result<Child, Failure> {
    let log = log_file(&folder.log(post.name))?;
    let mut command = this_program()?;
    command
        .arg0(AGENT)
        .arg("--settings")
        .arg(folder.robot(post.name).join("robot.toml"))
        .current_dir(folder.robot(post.name))
        .stdout(Stdio::null())
        .stderr(log);
    if let Some(key) = registration_key {
        command.env("REMUDA_REGISTRATION_KEY", key);
    }
    Child::start(&mut command, guard)
}
