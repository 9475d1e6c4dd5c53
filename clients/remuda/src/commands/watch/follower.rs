//! Asking about one job again and again, and showing what is new.

use indicatif::{ProgressBar, ProgressStyle};
use remuda_client::Retry;

use super::log_tail::LogTail;
use crate::answers::{History, Job, Progress, Transition};
use crate::context::{Answer, Context, job_path};
use crate::failure::Failure;
use crate::render;

/// How long the server may hold an answer back while somebody reads along: changes show within this time.
const WAIT_SECONDS_SHOWN: u8 = 2;

/// How long the server may hold an answer back while only the end counts: the API's most.
const WAIT_SECONDS_UNSHOWN: u8 = 20;

/// A server that restarts is waited for, for about two minutes.
const PATIENCE: Retry = Retry {
    tries_max: 12,
    wait_first: std::time::Duration::from_millis(500),
    wait_max: std::time::Duration::from_secs(15),
};

/// One job, and what of it was shown already.
pub(super) struct Follower<'a> {
    id: &'a str,
    context: &'a Context,
    version: Option<u64>,
    seq: Option<u64>,
    progress: Option<Progress>,
    log: LogTail,
    bar: ProgressBar,
}

impl<'a> Follower<'a> {
    /// Nothing was shown yet.
    pub(super) fn new(id: &'a str, context: &'a Context) -> Self {
        let bar = if context.output.is_watched() && !context.output.is_json() {
            let style =
                ProgressStyle::with_template("{bar:30} {pos:>3} %  {wide_msg}").expect("the template is well-formed");
            ProgressBar::new(100).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Follower {
            id,
            context,
            version: None,
            seq: None,
            progress: None,
            log: LogTail::default(),
            bar,
        }
    }

    /// The job as it ended.
    pub(super) async fn follow(mut self) -> Result<Answer, Failure> {
        // The first answer comes at once, so that a mistaken id or a finished job is not waited for.
        let mut seconds = 0;
        loop {
            let answer = self.ask("/wait", &[("seconds", seconds.to_string())]).await?;
            let job: Job = answer.read()?;
            if self.is_shown() {
                self.show(&job).await?;
            }
            if job.is_finished() {
                self.bar.finish_and_clear();
                return Ok(answer);
            }
            seconds = if self.is_shown() {
                WAIT_SECONDS_SHOWN
            } else {
                WAIT_SECONDS_UNSHOWN
            };
        }
    }

    fn is_shown(&self) -> bool {
        !self.context.output.is_json() && !self.context.output.is_quiet()
    }

    async fn ask(&self, rest: &str, query: &[(&str, String)]) -> Result<Answer, Failure> {
        let path = job_path(self.id, rest);
        Ok(Answer::new(
            PATIENCE.run(|| self.context.client.get(&path, query)).await?,
        ))
    }

    async fn show(&mut self, job: &Job) -> Result<(), Failure> {
        if job.version.is_none() || job.version != self.version {
            self.show_transitions().await?;
            self.version = job.version;
        }
        self.show_progress(job)?;
        if job.state == "running" {
            self.show_log(job.attempt, false).await?;
        }
        Ok(())
    }

    /// What an attempt wrote is shown before the word that it is over.
    async fn show_transitions(&mut self) -> Result<(), Failure> {
        let history: History = self.ask("/history", &[]).await?.read()?;
        for step in new_steps(&history.items, self.seq) {
            if ends_an_attempt(step) {
                self.show_log(step.attempt, true).await?;
            }
            self.print(&render::transition_line(step))?;
            self.seq = Some(step.seq);
        }
        Ok(())
    }

    fn show_progress(&mut self, job: &Job) -> Result<(), Failure> {
        if job.progress == self.progress || job.is_finished() {
            return Ok(());
        }
        self.progress.clone_from(&job.progress);
        let Some(progress) = &job.progress else { return Ok(()) };
        if self.bar.is_hidden() {
            return self
                .context
                .output
                .line(&format!("progress: {}", render::progress_text(progress)));
        }
        self.bar.set_position(whole_percent(progress));
        self.bar
            .set_message(render::clean_line(progress.message.as_deref().unwrap_or_default()));
        Ok(())
    }

    async fn show_log(&mut self, attempt: u32, is_over: bool) -> Result<(), Failure> {
        if attempt == 0 || !self.log.wants(is_over) {
            return Ok(());
        }
        let path = job_path(self.id, "/logs");
        let query = [("attempt", attempt.to_string())];
        let Ok(log) = PATIENCE.run(|| self.context.client.get_text(&path, &query)).await else {
            // Nothing was written, or more than can be followed. The job's end matters more than its log.
            return Ok(());
        };
        for line in self.log.new_lines(attempt, &log, is_over) {
            self.print(&format!("  | {}", render::clean_log_line(&line)))?;
        }
        Ok(())
    }

    fn print(&self, line: &str) -> Result<(), Failure> {
        if self.progress.is_none() {
            // There is no bar to be put aside yet, and putting one aside would draw it.
            return self.context.output.line(line);
        }
        self.bar.suspend(|| self.context.output.line(line))
    }
}

/// The steps after the one shown last.
fn new_steps(steps: &[Transition], shown: Option<u64>) -> impl Iterator<Item = &Transition> {
    steps
        .iter()
        .filter(move |step| shown.is_none_or(|shown| step.seq > shown))
}

/// Whether an attempt wrote its last line before this step.
fn ends_an_attempt(step: &Transition) -> bool {
    step.from.as_deref() == Some("running") && step.to != "running"
        || matches!(step.to.as_str(), "succeeded" | "failed" | "timed_out" | "cancelled")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0–100 before the cast"
)]
fn whole_percent(progress: &Progress) -> u64 {
    progress.percent.unwrap_or(0.0).clamp(0.0, 100.0) as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(seq: u64, from: &str, to: &str) -> Transition {
        serde_json::from_value(json!({ "seq": seq, "at": "2026-11-21T12:00:00Z", "from": from, "to": to })).unwrap()
    }

    #[test]
    fn a_step_is_shown_once() {
        let steps = [
            step(0, "scheduled", "ready"),
            step(1, "ready", "leased"),
            step(2, "leased", "running"),
        ];
        assert_eq!(new_steps(&steps, None).count(), 3);
        assert_eq!(new_steps(&steps, Some(1)).map(|step| step.seq).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn an_attempt_ends_where_running_ends_and_where_a_late_finish_ends_the_job() {
        for (from, to, ends) in [
            ("running", "succeeded", true),
            ("running", "scheduled", true),
            ("scheduled", "succeeded", true),
            ("running", "running", false),
            ("ready", "leased", false),
        ] {
            assert_eq!(ends_an_attempt(&step(0, from, to)), ends, "{from} → {to}");
        }
    }
}
