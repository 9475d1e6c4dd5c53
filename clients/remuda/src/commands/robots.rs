//! `remuda robots`: the fleet.

use clap::{Args, Subcommand};
use remuda_client::segment;
use serde_json::json;

use crate::answers::Robot;
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::paging::{Extent, list};
use crate::render;

/// What can be done about robots.
#[derive(Debug, Subcommand)]
pub(crate) enum Robots {
    /// List robots, newest first
    List(Extent),
    /// Show one robot
    Show(OneRobot),
    /// Let a robot finish what it has and give it nothing new
    Drain(OneRobot),
    /// Give a drained robot jobs again
    Resume(OneRobot),
    /// Remove a robot; its key is refused from then on
    Remove(OneRobot),
}

/// The robot that is meant.
#[derive(Debug, Args)]
pub(crate) struct OneRobot {
    /// The robot's id
    #[arg(value_name = "ROBOT")]
    id: String,
}

/// Does what was asked about robots.
pub(crate) async fn run(command: Robots, context: &Context) -> Result<(), Failure> {
    match command {
        Robots::List(extent) => list_robots(&extent, context).await,
        Robots::Show(robot) => show(&robot, context).await,
        Robots::Drain(robot) => direct(&robot, "drain", context).await,
        Robots::Resume(robot) => direct(&robot, "resume", context).await,
        Robots::Remove(robot) => remove(&robot, context).await,
    }
}

async fn list_robots(extent: &Extent, context: &Context) -> Result<(), Failure> {
    let listing = list(context, "/v1/robots", &[], extent).await?;
    context.show_list(
        &listing,
        "no robots yet: 'remuda robot' starts one here",
        |robots: &[Robot]| render::robots(context.output.style(), robots, now()),
    )
}

async fn show(robot: &OneRobot, context: &Context) -> Result<(), Failure> {
    let answer = context.get(&path(robot, ""), &[]).await?;
    context.show(&answer, |robot, now| {
        render::robot_details(context.output.style(), &robot, now)
    })
}

async fn direct(robot: &OneRobot, direction: &str, context: &Context) -> Result<(), Failure> {
    let answer = context.post(&path(robot, &format!("/{direction}")), &json!({})).await?;
    context.acknowledge(&answer, || match direction {
        "drain" => format!("robot {} finishes what it has and gets nothing new", robot.id),
        _ => format!("robot {} gets jobs again", robot.id),
    })
}

async fn remove(robot: &OneRobot, context: &Context) -> Result<(), Failure> {
    let answer = context.delete(&path(robot, "")).await?;
    context.acknowledge(&answer, || {
        format!("robot {} is removed; its key is refused from now on", robot.id)
    })
}

fn path(robot: &OneRobot, rest: &str) -> String {
    format!("/v1/robots/{}{rest}", segment(&robot.id))
}
