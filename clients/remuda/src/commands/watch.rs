//! `remuda jobs watch`: a job followed until it ends, its changes, progress and log shown as they come.

mod follower;
mod log_tail;

use crate::answers::Job;
use crate::context::{Answer, Context};
use crate::failure::Failure;
use crate::render;

use follower::Follower;

/// Follows the job of that id until it ends.
pub(crate) async fn run(id: &str, context: &Context) -> Result<(), Failure> {
    let followed = async { Follower::new(id, context).follow().await };
    let answer = tokio::select! {
        answer = followed => answer?,
        pressed = tokio::signal::ctrl_c() => {
            pressed.map_err(|source| Failure::System { task: "listen for ctrl-c", source })?;
            return Err(Failure::Interrupted(format!(
                "job {id} goes on without being watched; see it again with 'remuda jobs watch {id}'"
            )));
        }
    };
    conclude(&answer, context)
}

/// Follows a job that was just made, after its id was shown.
pub(crate) async fn from_its_beginning(made: &Answer, context: &Context) -> Result<(), Failure> {
    let job: Job = made.read()?;
    if !context.output.is_json() {
        context.output.line(&job.id)?;
    }
    run(&job.id, context).await
}

/// Shows how the job ended; a job that did not succeed fails the command.
fn conclude(answer: &Answer, context: &Context) -> Result<(), Failure> {
    let job: Job = answer.read()?;
    if context.output.is_json() {
        context.output.line(answer.raw())?;
    } else if let Some(result) = &job.result {
        context.output.line(&render::named_json("result", result))?;
    }
    if job.has_succeeded() {
        Ok(())
    } else {
        Err(Failure::unsuccessful(render::job_line(&job)))
    }
}
