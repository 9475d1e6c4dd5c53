//! The orders handed to the server: once, again, and under another key; then those cancelled that must not run.

use remuda_client::{CallError, Client, Problem, Retry};
use serde_json::{Value, json};

use super::audit::{Rule, Violation};
use super::workload::{Accepted, CancelWhen, Order, repeated};
use crate::answers::{BulkAnswer, BulkResult, Job};
use crate::context::job_path;
use crate::failure::Failure;

/// What came of the submits.
#[derive(Debug, Default)]
pub(super) struct Submission {
    pub(super) accepted: Vec<Accepted>,
    pub(super) violations: Vec<Violation>,
}

/// Submits every order twice with the same key, and those with a dedup key a third time with another one: each order is
/// one job all the same.
pub(super) async fn submit(client: &Client, orders: Vec<Order>) -> Result<Submission, Failure> {
    let mut submission = Submission::default();
    let bodies: Vec<Value> = orders.iter().map(|order| order.body.clone()).collect();
    let first = bulk(client, &bodies).await?;
    for (order, result) in orders.into_iter().zip(first.results) {
        submission.take(order, result);
    }
    let bodies: Vec<Value> = submission.accepted.iter().map(|job| job.order.body.clone()).collect();
    let again = bulk(client, &bodies).await?;
    let (ids, repeats): (Vec<String>, Vec<Value>) = submission
        .accepted
        .iter()
        .filter_map(|job| Some((job.id.clone(), repeated(&job.order)?)))
        .unzip();
    let repeated = bulk(client, &repeats).await?;
    submission
        .violations
        .extend(doubled(&submission.accepted, &again.results));
    submission.violations.extend(duplicated(&ids, &repeated.results));
    Ok(submission)
}

/// Cancels the jobs that are to be cancelled in this state; each is asked for twice, and the second time nothing changes.
pub(super) async fn cancel(client: &Client, jobs: &[Accepted], when: CancelWhen) -> Result<Vec<Violation>, Failure> {
    let mut violations = Vec::new();
    for job in jobs.iter().filter(|job| job.order.cancel == Some(when)) {
        for _ in 0..2 {
            let cancelled = cancel_one(client, &job.id).await?;
            if cancelled.state != "cancelled" {
                let what = format!("{} was cancelled and is {}", job.id, cancelled.state);
                violations.push(Violation::of_run(Rule::EndsAsMeant, what));
            }
        }
    }
    Ok(violations)
}

/// Cancels one job, and says what it then is.
pub(super) async fn cancel_one(client: &Client, id: &str) -> Result<Job, CallError> {
    let path = job_path(id, "/cancel");
    let body = json!({ "reason": "part of the demo" });
    Retry::default().run(|| client.post(&path, &body)).await
}

impl Submission {
    fn take(&mut self, order: Order, result: BulkResult) {
        match (result.status, result.id) {
            (201, Some(id)) => self.accepted.push(Accepted { id, order }),
            (status, _) => {
                let why = result
                    .error
                    .map_or_else(String::new, |error| format!(": {}", error.get()));
                let what = format!("a job of {} was answered with {status}{why}", order.workflow);
                self.violations.push(Violation::of_run(Rule::SubmittedOnce, what));
            }
        }
    }
}

async fn bulk(client: &Client, jobs: &[Value]) -> Result<BulkAnswer, Failure> {
    let body = json!({ "jobs": jobs });
    // Every job carries its key, so a repeat doubles none.
    let mut answer: BulkAnswer = Retry::default().run(|| client.post("/v1/jobs/bulk", &body)).await?;
    answer.results.sort_by_key(|result| result.index);
    if answer.results.len() == jobs.len() {
        Ok(answer)
    } else {
        Err(Failure::Answer(format!(
            "{} results for a bulk of {} jobs",
            answer.results.len(),
            jobs.len()
        )))
    }
}

/// The jobs that a second submit with the same key did not find again.
fn doubled(accepted: &[Accepted], again: &[BulkResult]) -> Vec<Violation> {
    let found_again = |job: &Accepted, result: &BulkResult| result.status == 200 && result.id.as_ref() == Some(&job.id);
    accepted
        .iter()
        .zip(again)
        .filter(|(job, result)| !found_again(job, result))
        .map(|(job, result)| {
            let what = format!(
                "{} was submitted again and answered with {} {}",
                job.id,
                result.status,
                named(result)
            );
            Violation::of_run(Rule::SubmittedOnce, what)
        })
        .collect()
}

/// The jobs that a dedup key did not find again: either they are returned, or the refusal names them.
fn duplicated(ids: &[String], repeated: &[BulkResult]) -> Vec<Violation> {
    ids.iter()
        .zip(repeated)
        .filter(|(id, result)| !is_told_of(id, result))
        .map(|(id, result)| {
            let what = format!(
                "the dedup key of {id} was answered with {} {}",
                result.status,
                named(result)
            );
            Violation::of_run(Rule::SubmittedOnce, what)
        })
        .collect()
}

fn is_told_of(id: &str, result: &BulkResult) -> bool {
    match result.status {
        200 => result.id.as_deref() == Some(id),
        409 => refusal(result).is_some_and(|problem| {
            let named = problem
                .more
                .get("job_id")
                .and_then(Value::as_str)
                .or(result.id.as_deref());
            problem.code == "duplicate" && named == Some(id)
        }),
        _ => false,
    }
}

/// What the answer names: a job, or why there is none.
fn named(result: &BulkResult) -> String {
    let code = || refusal(result).map(|problem| problem.code);
    result.id.clone().or_else(code).unwrap_or_default()
}

fn refusal(result: &BulkResult) -> Option<Problem> {
    serde_json::from_str(result.error.as_ref()?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::workload;
    use super::*;

    fn results(results: &Value) -> Vec<BulkResult> {
        serde_json::from_str(&results.to_string()).unwrap()
    }

    #[test]
    fn a_job_that_is_made_a_second_time_is_found() {
        let order = workload::orders(1, 1).remove(0);
        let accepted = [Accepted {
            id: "a".to_owned(),
            order,
        }];
        let found = |answer: &Value| doubled(&accepted, &results(&json!([answer]))).len();
        assert_eq!(found(&json!({ "index": 0, "status": 200, "id": "a" })), 0);
        assert_eq!(found(&json!({ "index": 0, "status": 201, "id": "b" })), 1);
        assert_eq!(found(&json!({ "index": 0, "status": 200, "id": "b" })), 1);
        assert_eq!(found(&json!({ "index": 0, "status": 503 })), 1);
    }

    #[test]
    fn a_dedup_key_that_is_not_kept_is_found() {
        let ids = ["a".to_owned()];
        let found = |answer: &Value| duplicated(&ids, &results(&json!([answer]))).len();
        let refused = |code: &str, id: &str| json!({ "index": 0, "status": 409, "id": null, "error": { "status": 409, "code": code, "title": "", "job_id": id } });
        assert_eq!(found(&json!({ "index": 0, "status": 200, "id": "a" })), 0);
        assert_eq!(found(&refused("duplicate", "a")), 0);
        assert_eq!(found(&refused("duplicate", "b")), 1);
        assert_eq!(found(&refused("idempotency_conflict", "a")), 1);
        assert_eq!(found(&json!({ "index": 0, "status": 201, "id": "c" })), 1);
    }
}
