//! Made-up runs, whole and broken: what is broken is found, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::workload::{self, Accepted, Order};
use super::*;

/// One step as a test writes it: from, to, attempt, reason. Robots' steps are told by the state they lead to.
type Step = (Option<&'static str>, &'static str, u32, Option<&'static str>);

const SUBMITTED: Step = (None, "ready", 0, None);
const LEASED: Step = (Some("ready"), "leased", 1, None);
const STARTED: Step = (Some("leased"), "running", 1, None);
const SUCCEEDED: Step = (Some("running"), "succeeded", 1, None);
const LOST: Step = (Some("running"), "ready", 1, Some("lease_lost"));
const LEASED_AGAIN: Step = (Some("ready"), "leased", 2, None);
const STARTED_AGAIN: Step = (Some("leased"), "running", 2, None);
const SUCCEEDED_AGAIN: Step = (Some("running"), "succeeded", 2, None);
const RETRIED: Step = (Some("running"), "scheduled", 1, Some("retry_backoff"));
const READY_AGAIN: Step = (Some("scheduled"), "ready", 1, None);

const PLAIN: &[Step] = &[SUBMITTED, LEASED, STARTED, SUCCEEDED];
const AFTER_A_LOSS: &[Step] = &[
    SUBMITTED,
    LEASED,
    STARTED,
    LOST,
    LEASED_AGAIN,
    STARTED_AGAIN,
    SUCCEEDED_AGAIN,
];
const AFTER_A_RETRY: &[Step] = &[
    SUBMITTED,
    LEASED,
    STARTED,
    RETRIED,
    READY_AGAIN,
    LEASED_AGAIN,
    STARTED_AGAIN,
    SUCCEEDED_AGAIN,
];

fn order(workflow: &str) -> Order {
    workload::orders(workload::SAMPLE_JOBS, 1)
        .into_iter()
        .find(|order| order.workflow == workflow)
        .unwrap()
}

fn history(steps: &[Step]) -> Vec<Transition> {
    steps
        .iter()
        .zip(1..)
        .map(|((from, to, attempt, reason), seq)| {
            let robot = matches!(*to, "running" | "succeeded");
            let step = json!({
                "seq": seq, "at": format!("2026-11-21T12:00:{seq:02}.000Z"), "from": from, "to": to, "attempt": attempt,
                "actor": if robot { "rob_1" } else { "sweep" }, "reason": reason
            });
            serde_json::from_value(step).unwrap()
        })
        .collect()
}

fn job(order: &Order, steps: &[Step]) -> Job {
    let (_, state, attempt, reason) = steps.last().unwrap();
    let result = if *state == "succeeded" {
        json!({ "number": order.number })
    } else {
        Value::Null
    };
    let job = json!({
        "id": "j-1", "workflow": order.workflow, "queue": "demo", "priority": 5, "state": state, "reason": reason,
        "attempt": attempt, "robot": "rob_1", "result": result, "created_at": "2026-11-21T12:00:00.000Z"
    });
    serde_json::from_str(&job.to_string()).unwrap()
}

/// A job of that workflow with this history; each attempt named had its effect.
fn case(workflow: &str, steps: &[Step], effects: &[u32]) -> Case {
    let order = order(workflow);
    let effect = |attempt: &u32| Effect {
        job: "j-1".to_owned(),
        attempt: *attempt,
        robot: "excel-1".to_owned(),
    };
    Case {
        job: Some(job(&order, steps)),
        history: history(steps),
        effects: effects.iter().map(effect).collect(),
        accepted: Accepted {
            id: "j-1".to_owned(),
            order,
        },
    }
}

fn evidence(case: Case) -> Evidence {
    let all = ["browser", "excel", "sap", "desktop"].map(str::to_owned);
    Evidence {
        cases: vec![case],
        capabilities: [("rob_1".to_owned(), all.into())].into(),
        ..Evidence::default()
    }
}

/// The rules that a run with this one job breaks.
fn broken(case: Case) -> BTreeSet<Rule> {
    rules(&evidence(case))
}

fn rules(evidence: &Evidence) -> BTreeSet<Rule> {
    audit(evidence).into_iter().map(|violation| violation.rule).collect()
}

fn only(rule: Rule) -> BTreeSet<Rule> {
    [rule].into()
}

#[test]
fn a_run_that_kept_every_promise_has_no_violation() {
    for (workflow, steps, effects) in [
        ("invoice-export", PLAIN, &[1][..]),
        ("flaky-download", AFTER_A_RETRY, &[2]),
        // The robot was killed before the effect, and after it: nobody can tell which.
        ("month-end", AFTER_A_LOSS, &[2]),
        ("month-end", AFTER_A_LOSS, &[1, 2]),
        (
            "payment-order",
            &[
                SUBMITTED,
                LEASED,
                STARTED,
                (Some("running"), "failed", 1, Some("business_error")),
            ],
            &[],
        ),
        (
            "newsletter",
            &[SUBMITTED, (Some("ready"), "cancelled", 0, Some("cancelled_by_client"))],
            &[],
        ),
    ] {
        assert_eq!(
            broken(case(workflow, steps, effects)),
            BTreeSet::new(),
            "{workflow} {steps:?}"
        );
    }
}

#[test]
fn a_late_report_of_an_attempt_that_never_showed_as_running_counts_as_its_start() {
    let unstarted = (Some("leased"), "ready", 1, Some("lease_lost"));
    let late = (Some("ready"), "succeeded", 1, None);
    assert_eq!(
        broken(case("invoice-export", &[SUBMITTED, LEASED, unstarted, late], &[1])),
        BTreeSet::new()
    );
}

#[test]
fn a_job_that_is_not_there_is_found_missing() {
    let mut gone = case("invoice-export", PLAIN, &[1]);
    gone.job = None;
    assert_eq!(broken(gone), only(Rule::Found));
}

#[test]
fn a_job_that_nobody_submitted_is_found() {
    let mut run = evidence(case("invoice-export", PLAIN, &[1]));
    run.unexpected = vec![job(&order("invoice-export"), PLAIN)];
    assert_eq!(rules(&run), only(Rule::SubmittedOnce));
}

#[test]
fn a_job_that_has_not_ended_is_found_with_where_it_is() {
    let violations = audit(&evidence(case("invoice-export", &[SUBMITTED, LEASED, STARTED], &[])));
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].rule, Rule::Ended);
    assert_eq!(
        violations[0].to_string(),
        "job j-1: it is still running (invoice-export, attempt 1)"
    );
}

#[test]
fn a_gap_in_a_history_is_found() {
    let mut gap = case("invoice-export", PLAIN, &[1]);
    gap.history[3].seq = 5;
    assert_eq!(broken(gap), only(Rule::HistoryWhole));
}

#[test]
fn steps_that_do_not_join_are_found() {
    let unjoined = (Some("leased"), "succeeded", 1, None);
    let found = broken(case("invoice-export", &[SUBMITTED, LEASED, STARTED, unjoined], &[1]));
    assert!(
        found.contains(&Rule::HistoryWhole) && found.contains(&Rule::EdgeAllowed),
        "{found:?}"
    );
}

#[test]
fn a_history_that_ends_elsewhere_than_its_job_is_found() {
    let mut elsewhere = case("invoice-export", PLAIN, &[1]);
    elsewhere.history.pop();
    assert_eq!(broken(elsewhere), only(Rule::HistoryWhole));
}

#[test]
fn a_step_that_no_rule_allows_is_found() {
    let jump = (Some("ready"), "running", 0, None);
    let done = (Some("running"), "succeeded", 0, None);
    let found = broken(case("invoice-export", &[SUBMITTED, jump, done], &[0]));
    assert_eq!(found, only(Rule::EdgeAllowed));
}

#[test]
fn a_job_that_begins_in_the_middle_is_found() {
    let middle = (None, "running", 0, None);
    let done = (Some("running"), "succeeded", 0, None);
    assert_eq!(
        broken(case("invoice-export", &[middle, done], &[0])),
        only(Rule::EdgeAllowed)
    );
}

#[test]
fn attempts_that_do_not_rise_by_one_are_found() {
    let reused = (Some("ready"), "leased", 1, None);
    let started = (Some("leased"), "running", 1, None);
    let steps = [SUBMITTED, LEASED, STARTED, LOST, reused, started, SUCCEEDED];
    assert!(broken(case("invoice-export", &steps, &[1])).contains(&Rule::AttemptsRise));
}

#[test]
fn more_attempts_than_a_job_allows_are_found() {
    let timed_out = (Some("running"), "timed_out", 2, Some("run_timeout"));
    let steps = [SUBMITTED, LEASED, STARTED, LOST, LEASED_AGAIN, STARTED_AGAIN, timed_out];
    assert_eq!(broken(case("stuck-upload", &steps, &[])), only(Rule::AttemptsBounded));
}

#[test]
fn a_job_that_ended_twice_is_found() {
    let again = (Some("succeeded"), "succeeded", 1, None);
    let found = broken(case(
        "invoice-export",
        &[SUBMITTED, LEASED, STARTED, SUCCEEDED, again],
        &[1],
    ));
    assert_eq!(found, [Rule::EdgeAllowed, Rule::OneEnd].into());
}

#[test]
fn a_cancelled_job_that_became_a_success_is_found() {
    assert!(broken(case("newsletter", PLAIN, &[1])).contains(&Rule::EndsAsMeant));
}

#[test]
fn a_failure_that_a_lost_last_attempt_explains_is_none() {
    let lost = (Some("running"), "failed", 1, Some("lease_lost"));
    assert_eq!(
        broken(case("stuck-upload", &[SUBMITTED, LEASED, STARTED, lost], &[])),
        BTreeSet::new()
    );
    // It had attempts left, so it should have been tried again.
    assert_eq!(
        broken(case("invoice-export", &[SUBMITTED, LEASED, STARTED, lost], &[])),
        only(Rule::EndsAsMeant)
    );
}

#[test]
fn a_result_of_another_job_is_found() {
    let mut mixed = case("invoice-export", PLAIN, &[1]);
    mixed.accepted.order.number += 1;
    assert_eq!(broken(mixed), only(Rule::ResultIsItsOwn));
}

#[test]
fn what_was_done_twice_is_found_unless_a_lost_lease_explains_it() {
    assert_eq!(
        broken(case("flaky-download", AFTER_A_RETRY, &[1, 2])),
        only(Rule::EffectOnce)
    );
    assert_eq!(broken(case("invoice-export", PLAIN, &[1, 1])), only(Rule::EffectOnce));
    assert_eq!(
        broken(case("month-end", AFTER_A_LOSS, &[1, 2, 2])),
        only(Rule::EffectOnce)
    );
}

#[test]
fn a_success_without_anything_done_is_found() {
    assert_eq!(broken(case("invoice-export", PLAIN, &[])), only(Rule::EffectDone));
    assert_eq!(broken(case("month-end", AFTER_A_LOSS, &[1])), only(Rule::EffectDone));
}

#[test]
fn what_no_attempt_explains_is_found() {
    let cancelled = [SUBMITTED, (Some("ready"), "cancelled", 0, Some("cancelled_by_client"))];
    assert_eq!(
        broken(case("newsletter", &cancelled, &[1])),
        only(Rule::EffectExplained)
    );
    let mut run = evidence(case("invoice-export", PLAIN, &[1]));
    run.stray_effects = vec![run.cases[0].effects[0].clone()];
    assert_eq!(rules(&run), only(Rule::EffectExplained));
}

#[test]
fn a_robot_that_was_given_what_it_cannot_do_is_found() {
    let mut run = evidence(case("sap-posting", PLAIN, &[1]));
    run.capabilities.insert("rob_1".to_owned(), ["excel".to_owned()].into());
    assert_eq!(rules(&run), only(Rule::RobotCapable));
}

#[test]
fn a_kill_that_left_no_trace_is_found() {
    let killed_in = |attempt| {
        let mut run = evidence(case("month-end", AFTER_A_LOSS, &[2]));
        run.kills = vec![Kill {
            robot: "excel-1".to_owned(),
            job: "j-1".to_owned(),
            attempt,
            returns: false,
        }];
        rules(&run)
    };
    assert_eq!(killed_in(1), BTreeSet::new());
    assert_eq!(killed_in(2), only(Rule::KillSeen));
}

#[test]
fn the_state_graph_is_the_one_that_the_server_draws() {
    let drawn: BTreeSet<(&str, &str)> = include_str!("../../../../../../shared/domain/transitions.md")
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, to)| (from, to.split(" : ").next().unwrap()))
        .filter(|(from, to)| *from != "[*]" && *to != "[*]")
        .collect();
    let allowed: BTreeSet<(&str, &str)> = EDGES
        .iter()
        .flat_map(|(from, next)| next.iter().map(move |to| (*from, *to)))
        .collect();
    assert_eq!(allowed, drawn);
}
