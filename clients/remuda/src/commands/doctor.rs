//! `remuda doctor`: looks at everything a job depends on, and says what to do about what is wrong.

mod probe;
mod verdict;

use serde_json::json;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::render::{clean_line, paint};
use verdict::{Check, Mark};

/// Checks one thing after another; what cannot be looked at is left out.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let mut visit = Visit {
        context,
        checks: Vec::new(),
    };
    visit.everything().await?;
    visit.conclude()
}

struct Visit<'a> {
    context: &'a Context,
    checks: Vec<Check>,
}

impl Visit<'_> {
    async fn everything(&mut self) -> Result<(), Failure> {
        let client = &self.context.client;
        let greeting = probe::greet(client).await;
        self.note_all(verdict::on_greeting(client.base(), &greeting))?;
        if greeting.is_err() {
            return Ok(());
        }
        self.note(verdict::on_readiness(probe::readiness(client).await.as_ref().err()))?;
        let scopes = probe::scopes(client).await;
        self.note(verdict::on_key(&scopes))?;
        if !probe::can_read_jobs(&scopes) {
            return Ok(());
        }
        match probe::stats(client).await {
            Ok(stats) => self.note_all(verdict::on_stats(&stats))?,
            Err(error) => self.note(verdict::on_unanswered("stats", &error))?,
        }
        match probe::dead_letters(client).await {
            Ok((count, more)) => self.note(verdict::on_dead_letters(count, more)),
            Err(error) => self.note(verdict::on_unanswered("dead letters", &error)),
        }
    }

    fn note_all(&mut self, checks: Vec<Check>) -> Result<(), Failure> {
        checks.into_iter().try_for_each(|check| self.note(check))
    }

    fn note(&mut self, check: Check) -> Result<(), Failure> {
        if !self.context.output.is_json() {
            self.context.output.line(&self.line_of(&check))?;
        }
        self.checks.push(check);
        Ok(())
    }

    fn line_of(&self, check: &Check) -> String {
        let mark = paint(
            self.context.output.style(),
            &format!("{:<4}", check.mark.name()),
            check.mark.look(),
        );
        let advice = check
            .advice
            .as_ref()
            .map(|advice| format!("\n{:21}→ {advice}", ""))
            .unwrap_or_default();
        format!("{mark}  {:<13}  {}{advice}", check.subject, clean_line(&check.message))
    }

    fn conclude(self) -> Result<(), Failure> {
        if self.context.output.is_json() {
            let checks: Vec<_> = self.checks.iter().map(Check::to_json).collect();
            self.context.output.line(&json!({ "checks": checks }).to_string())?;
        }
        let failed: Vec<&Check> = self.checks.iter().filter(|check| check.mark == Mark::Fail).collect();
        match failed.first() {
            None => Ok(()),
            Some(first) => Err(Failure::Unsuccessful {
                message: format!("{} of {} checks failed", failed.len(), self.checks.len()),
                exit: first.exit.unwrap_or(Exit::Refused),
            }),
        }
    }
}
