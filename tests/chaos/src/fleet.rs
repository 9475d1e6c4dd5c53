//! The robots of a run: real robot agents, each with what it can do, all by way of the front.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use remuda_client::Client;
use serde::Serialize;
use tokio::time::sleep;

use crate::answers::{Page, Robot};
use crate::order::{CAPABILITIES, QUEUE};
use crate::post::Post;
use crate::process::{Guard, command};
use crate::run::Programs;
use crate::work;

/// How much each does at once.
const JOBS_EACH: u32 = 2;

/// How long all may take to be known to the server, and the pause between two looks.
const JOIN_MAX: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(200);

/// All robots.
pub(crate) struct Fleet {
    pub(crate) posts: Vec<Post>,
}

/// Where everything is that a robot needs.
pub(crate) struct Surroundings<'a> {
    pub(crate) programs: &'a Programs,
    pub(crate) folder: &'a Path,
    pub(crate) effects: &'a Path,
    pub(crate) url: &'a str,
    pub(crate) registration_key: &'a str,
}

impl Fleet {
    /// Starts so many; all of them work when this returns.
    pub(crate) async fn start(
        robots: usize,
        around: &Surroundings<'_>,
        guard: &Arc<Guard>,
        admin: &Client,
    ) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet { posts: Vec::new() };
        for place in 0..robots {
            let post = robot(place, around, guard)?;
            post.start().await?;
            fleet.posts.push(post);
        }
        let until = Instant::now() + JOIN_MAX;
        while at_work(admin).await? < robots {
            ensure!(Instant::now() < until, "not all robots came to work; see their logs");
            sleep(LOOK).await;
        }
        Ok(fleet)
    }
}

/// What each robot can do, by its name.
pub(crate) fn capabilities(robots: usize) -> BTreeMap<String, Vec<&'static str>> {
    (0..robots).map(|place| (name(place), able_to(place))).collect()
}

fn name(place: usize) -> String {
    format!("robot-{}", place + 1)
}

/// The first of three can do everything, so that no job waits for a robot that is not there at all.
fn able_to(place: usize) -> Vec<&'static str> {
    match place % (CAPABILITIES.len() + 1) {
        0 => CAPABILITIES.to_vec(),
        other => vec![CAPABILITIES[other - 1]],
    }
}

/// How many robots have been heard of since they registered.
async fn at_work(admin: &Client) -> anyhow::Result<usize> {
    let page: Page<Robot> = admin.get("/v1/robots", &[("limit", "200".to_owned())]).await?;
    let works = |robot: &&Robot| matches!(robot.state.as_str(), "idle" | "busy");
    Ok(page.items.iter().filter(works).count())
}

fn robot(place: usize, around: &Surroundings<'_>, guard: &Arc<Guard>) -> anyhow::Result<Post> {
    let name = name(place);
    let home = around.folder.join(&name);
    fs::create_dir(&home).context("cannot make a folder")?;
    let (settings, id_file) = (home.join("robot.toml"), home.join("id"));
    fs::write(&settings, settings_text(place, around, &id_file)?).context("cannot write a robot's settings")?;
    let (program, key) = (around.programs.robot.clone(), around.registration_key.to_owned());
    let agent = move || {
        let mut agent = command(&program);
        agent
            .arg("--settings")
            .arg(&settings)
            .env("REMUDA_REGISTRATION_KEY", &key);
        agent
    };
    let log = around.folder.join("logs").join(&name);
    Ok(Post::new(name, Box::new(agent), log, guard).known_by(id_file))
}

/// The settings file, as the robot agent reads it.
#[derive(Serialize)]
struct Settings<'a> {
    url: &'a str,
    state_folder: &'static str,
    name: String,
    queues: [&'static str; 1],
    capabilities: Vec<&'static str>,
    max_jobs: u32,
    workflows: BTreeMap<&'static str, Workflow<'a>>,
}

#[derive(Serialize)]
struct Workflow<'a> {
    command: [&'a Path; 1],
    env: BTreeMap<&'static str, String>,
}

fn settings_text(place: usize, around: &Surroundings<'_>, id_file: &Path) -> anyhow::Result<String> {
    let env = BTreeMap::from([
        (work::EFFECTS, around.effects.display().to_string()),
        (work::ROBOT, name(place)),
        (work::ROBOT_ID, id_file.display().to_string()),
    ]);
    let any = Workflow {
        command: [&around.programs.work],
        env,
    };
    let settings = Settings {
        url: around.url,
        state_folder: "state",
        name: name(place),
        queues: [QUEUE],
        capabilities: able_to(place),
        max_jobs: JOBS_EACH,
        workflows: BTreeMap::from([("*", any)]),
    };
    toml::to_string(&settings).context("the settings cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_one_robot_can_do_everything() {
        assert_eq!(capabilities(1)["robot-1"], CAPABILITIES);
        let three = capabilities(3);
        assert_eq!((three["robot-2"].len(), three["robot-3"].len()), (1, 1));
        assert_ne!(three["robot-2"], three["robot-3"]);
    }
}
