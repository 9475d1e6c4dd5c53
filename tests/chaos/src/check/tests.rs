//! The checker can see: each promise is broken in evidence that is otherwise sound, and has to be named.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Rule, check};
use crate::effects::{Mark, What};
use crate::evidence::{Evidence, Found};
use crate::fleet;
use crate::order::{Kind, LABEL, Order};
use crate::record::{Entry, Event};

const SEED: u64 = 1;

/// What the last robot of a small fleet cannot do, and a robot that can do everything.
const WEAK: &str = "robot-3";
const ABLE: &str = "robot-1";

/// The first order of which this holds.
fn order(holds: impl Fn(&Order) -> bool) -> Order {
    let mut orders = (0..10_000).map(|number| Order::new(number, SEED));
    orders
        .find(|order| holds(order))
        .expect("there are orders of every kind")
}

fn plain(order: &Order) -> bool {
    order.kind == Kind::Plain && !order.fails_when_lost && !order.cancel
}

/// A run of one order, of which everything is known by the text of its steps.
struct Story {
    order: Order,
    steps: Vec<Value>,
    state: &'static str,
    reason: Option<&'static str>,
    attempt: u32,
    evidence: Evidence,
}

impl Story {
    /// The order was acknowledged as the job `a`, of which nothing more has happened.
    fn of(order: Order) -> Story {
        let mut story = Story {
            steps: vec![
                json!({ "seq": 1, "from": null, "to": "ready", "attempt": 0, "actor": "key_1", "reason": null }),
            ],
            state: "ready",
            reason: None,
            attempt: 0,
            evidence: Evidence {
                capabilities: fleet::capabilities(3),
                ..Evidence::default()
            },
            order,
        };
        let order = story.order.number;
        story.evidence.orders.insert(order, story.order.clone());
        story.note(Event::Attempted { order, server: 0 });
        story.note(Event::Acknowledged {
            order,
            job: "a".to_owned(),
            status: 201,
        });
        story
    }

    fn note(&mut self, event: Event) {
        let at = Timestamp::UNIX_EPOCH;
        self.evidence.entries.push(Entry { at, event });
    }

    fn step(mut self, to: &'static str, reason: Option<&'static str>) -> Story {
        self.attempt += u32::from(to == "leased");
        self.steps.push(json!({
            "seq": self.steps.len() + 1, "from": self.state, "to": to, "attempt": self.attempt, "actor": "rob_1",
            "reason": reason,
        }));
        (self.state, self.reason) = (to, reason);
        self
    }

    fn mark(mut self, what: What, attempt: u32) -> Story {
        self.evidence.marks.push(Mark {
            what,
            job: "a".to_owned(),
            attempt,
            robot: ABLE.to_owned(),
            at: Timestamp::UNIX_EPOCH,
        });
        self
    }

    /// A robot is given it and begins.
    fn begun(self) -> Story {
        let story = self.step("leased", None).step("running", None);
        let attempt = story.attempt;
        story.mark(What::Begun, attempt)
    }

    /// The attempt has its effect.
    fn done(self) -> Story {
        let attempt = self.attempt;
        self.mark(What::Done, attempt)
    }

    fn lost(self) -> Story {
        self.step("ready", Some("lease_lost"))
    }

    fn succeeded(self) -> Story {
        self.step("succeeded", None)
    }

    /// The job as the server has it.
    fn found(&self, id: &str) -> Found {
        let job = json!({
            "id": id, "labels": { LABEL: self.order.number.to_string() }, "state": self.state, "reason": self.reason,
            "attempt": self.attempt, "result": { "order": self.order.number, "attempt": self.attempt },
            "finished_at": null,
        });
        Found {
            job: serde_json::from_value(job).expect("a job"),
            history: serde_json::from_value(self.steps.clone().into()).expect("a history"),
            explanation: None,
        }
    }

    /// The evidence, with the job as it should be found.
    fn told(mut self) -> Evidence {
        let found = self.found("a");
        self.evidence.jobs.push(found);
        self.evidence
    }
}

/// A job that did what it is for at its first attempt.
fn sound() -> Story {
    Story::of(order(plain)).begun().done().succeeded()
}

fn rules(evidence: &Evidence) -> Vec<Rule> {
    check(evidence).into_iter().map(|defect| defect.rule).collect()
}

#[test]
fn a_job_that_went_well_is_no_defect() {
    assert_eq!(rules(&sound().told()), []);
}

#[test]
fn an_effect_that_a_lost_lease_explains_is_no_defect() {
    let story = Story::of(order(plain)).begun().done().lost().begun().done().succeeded();
    assert_eq!(rules(&story.told()), []);
}

#[test]
fn a_late_report_that_nobody_overtook_is_no_defect() {
    let story = Story::of(order(plain)).begun().done().lost().succeeded();
    assert_eq!(rules(&story.told()), []);
}

#[test]
fn an_acknowledged_job_that_is_not_there_is_lost() {
    let mut evidence = sound().told();
    evidence.jobs.clear();
    assert_eq!(rules(&evidence), [Rule::Lost, Rule::EffectUnexplained]);
    evidence.marks.clear();
    assert_eq!(rules(&evidence), [Rule::Lost]);
}

#[test]
fn an_order_that_nobody_acknowledged_need_not_be_there() {
    let mut evidence = sound().told();
    let acknowledged = |entry: &Entry| matches!(entry.event, Event::Acknowledged { .. });
    evidence.entries.retain(|entry| !acknowledged(entry));
    assert_eq!(rules(&evidence), []);
    evidence.jobs.clear();
    evidence.marks.clear();
    assert_eq!(rules(&evidence), []);
}

#[test]
fn a_job_that_nobody_submitted_is_unexpected() {
    let mut evidence = sound().told();
    evidence.orders.clear();
    evidence.entries.clear();
    assert_eq!(rules(&evidence), [Rule::Unexpected]);
    evidence.jobs[0].job.labels.clear();
    assert_eq!(rules(&evidence), [Rule::Unexpected]);
}

#[test]
fn two_jobs_for_one_key_are_named() {
    let mut story = sound();
    let twin = story.found("b");
    story.evidence.jobs.push(twin);
    let found = rules(&story.told());
    assert!(found.contains(&Rule::TwoForOneKey), "{found:?}");

    let mut story = sound();
    let (order, job) = (story.order.number, "b".to_owned());
    story.note(Event::Acknowledged {
        order,
        job,
        status: 200,
    });
    assert_eq!(rules(&story.told()), [Rule::Lost, Rule::TwoForOneKey]);
}

#[test]
fn an_effect_that_came_twice_without_a_lost_lease_is_named() {
    let in_one_attempt = Story::of(order(plain)).begun().done().done().succeeded();
    assert_eq!(rules(&in_one_attempt.told()), [Rule::EffectTwice]);
    let retried = Story::of(order(plain)).begun().done();
    let retried = retried.step("scheduled", Some("retry_backoff")).step("ready", None);
    let retried = retried.begun().done().succeeded();
    assert_eq!(rules(&retried.told()), [Rule::EffectTwice]);
}

#[test]
fn an_effect_of_a_job_that_failed_is_named() {
    let failed = Story::of(order(|order| order.kind == Kind::Business)).begun().done();
    let failed = failed.step("failed", Some("business_error"));
    assert_eq!(rules(&failed.told()), [Rule::EffectUnexplained]);
}

#[test]
fn a_success_without_an_effect_is_named() {
    let story = Story::of(order(plain)).begun().succeeded();
    assert_eq!(rules(&story.told()), [Rule::EffectMissing]);
    // That of an earlier attempt is not that of the one which succeeded.
    let story = Story::of(order(plain)).begun().done().lost().begun().succeeded();
    assert_eq!(rules(&story.told()), [Rule::EffectMissing]);
}

#[test]
fn work_of_which_the_server_knows_nothing_is_named() {
    let story = sound().mark(What::Begun, 2);
    assert_eq!(rules(&story.told()), [Rule::EffectUnexplained]);
}

#[test]
fn an_attempt_that_was_begun_twice_is_named() {
    let story = sound().mark(What::Begun, 1);
    assert_eq!(rules(&story.told()), [Rule::BegunTwice]);
}

#[test]
fn one_attempt_too_many_is_named() {
    let order = order(plain);
    let max_attempts = order.max_attempts;
    let mut story = Story::of(order);
    for _ in 0..max_attempts {
        story = story.begun().lost();
    }
    assert_eq!(rules(&story.begun().done().succeeded().told()), [Rule::TooManyAttempts]);
}

#[test]
fn a_job_that_goes_on_after_a_loss_that_was_to_end_it_is_named() {
    let order = order(|order| order.kind == Kind::Plain && order.fails_when_lost && !order.cancel);
    let ended = Story::of(order.clone()).begun().step("failed", Some("lease_lost"));
    assert_eq!(rules(&ended.told()), []);
    let went_on = Story::of(order).begun().lost().begun().done().succeeded();
    assert_eq!(rules(&went_on.told()), [Rule::WentOnAfterLoss]);
}

#[test]
fn a_job_that_is_not_over_is_named() {
    assert_eq!(rules(&Story::of(order(plain)).begun().told()), [Rule::Unfinished]);
}

#[test]
fn an_end_that_its_kind_cannot_have_is_named() {
    let given_up = Story::of(order(plain))
        .begun()
        .step("failed", Some("application_error"));
    let lost_once = Story::of(order(plain)).begun().step("failed", Some("lease_lost"));
    let poisoned = Story::of(order(plain)).begun().step("failed", Some("poison"));
    let cancelled = Story::of(order(plain)).step("cancelled", Some("cancelled_by_client"));
    for story in [given_up, lost_once, poisoned, cancelled] {
        assert_eq!(rules(&story.told()), [Rule::EndedOtherwise]);
    }
}

#[test]
fn a_cancelled_job_that_succeeds_is_named() {
    let mut story = Story::of(order(|order| order.kind == Kind::Plain && order.cancel));
    let (order, state) = (story.order.number, "cancelled".to_owned());
    story.note(Event::Cancelled { order, state });
    let found = rules(&story.begun().done().succeeded().told());
    assert_eq!(found, [Rule::CancelUndone]);
}

#[test]
fn a_broken_history_is_named() {
    let mut gap = sound();
    gap.steps.remove(2);
    let mut two_ends = sound().succeeded();
    two_ends.steps[4]["from"] = json!("succeeded");
    let mut skipped = sound();
    for step in &mut skipped.steps[1..] {
        step["attempt"] = json!(2);
    }
    for story in [gap, two_ends, skipped] {
        let found = rules(&story.told());
        assert!(found.contains(&Rule::HistoryBroken), "{found:?}");
    }
}

#[test]
fn a_result_that_is_not_its_own_is_named() {
    for (field, value) in [("order", json!(123_456)), ("attempt", json!(7))] {
        let mut evidence = sound().told();
        evidence.jobs[0].job.result.as_mut().expect("it has one")[field] = value;
        assert_eq!(rules(&evidence), [Rule::ResultOfAnother]);
    }
}

#[test]
fn a_robot_that_was_given_what_it_cannot_do_is_named() {
    let lacking = |order: &Order| plain(order) && order.needs.is_some_and(|needs| !can(WEAK).contains(&needs));
    let mut evidence = Story::of(order(lacking)).begun().done().succeeded().told();
    assert_eq!(rules(&evidence), []);
    evidence.marks[0].robot = WEAK.to_owned();
    assert_eq!(rules(&evidence), [Rule::NotCapable]);
}

#[test]
fn what_was_refused_ended_by_itself_or_was_found_by_the_audit_is_named() {
    let mut story = sound();
    let (order, name) = (story.order.number, "server-1".to_owned());
    story.note(Event::Refused {
        order,
        why: "500 internal".to_owned(),
    });
    for expected in [true, false] {
        let (name, how) = (name.clone(), "with exit code 1".to_owned());
        story.note(Event::Ended { name, how, expected });
    }
    story.evidence.audit.push("I1: a is nowhere".to_owned());
    assert_eq!(rules(&story.told()), [Rule::Refused, Rule::ProcessEnded, Rule::Audit]);
}

fn can(robot: &str) -> Vec<&'static str> {
    fleet::capabilities(3)[robot].clone()
}
