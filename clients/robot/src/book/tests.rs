use serde_json::json;

use super::*;

const LEASE: Duration = Duration::from_mins(1);

/// A book and the time: what the server says is given as JSON, what the robot does is read as short texts.
struct Story {
    book: Book,
    start: Instant,
    seconds: u64,
}

impl Story {
    fn new(slots: u32) -> Story {
        Story {
            book: Book::new(slots),
            start: Instant::now(),
            seconds: 0,
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.seconds)
    }

    /// A sync that is answered at once.
    fn sync(&mut self, leases: &[(&str, &str)], assign: &[&str]) -> Vec<String> {
        self.book.request(1, 1);
        self.answer(self.seconds, leases, assign, &[])
    }

    fn answer(&mut self, sent: u64, leases: &[(&str, &str)], assign: &[&str], directives: &[&str]) -> Vec<String> {
        let leases: Vec<_> = leases
            .iter()
            .map(|(job, status)| json!({ "job_id": job, "attempt": 1, "status": status, "ttl_ms": 60_000, "grace_ms": 7000 }))
            .collect();
        let assign: Vec<_> = assign
            .iter()
            .map(|job| {
                json!({ "job_id": job, "attempt": 1, "lease_token": format!("token-{job}"), "lease_ttl_ms": 60_000,
                        "workflow": "w", "payload": null })
            })
            .collect();
        let answer = json!({ "next_sync_ms": 15_000, "leases": leases, "assign": assign, "directives": directives });
        let answer = serde_json::from_str(&answer.to_string()).unwrap();
        let at = Exchange {
            first_sent: self.start + Duration::from_secs(sent),
            now: self.now(),
        };
        self.book.apply(answer, at).into_iter().map(tell).collect()
    }

    fn pass(&mut self, seconds: u64) -> Vec<String> {
        self.seconds += seconds;
        self.book.pass(self.now()).into_iter().map(tell).collect()
    }

    fn listed(&mut self) -> Vec<String> {
        self.book
            .request(1, 1)
            .running
            .into_iter()
            .map(|running| running.lease.key.job_id)
            .collect()
    }

    /// A book with one job at work.
    fn working() -> Story {
        let mut story = Story::new(2);
        story.sync(&[], &["a"]);
        assert_eq!(story.sync(&[("a", "renewed")], &[]), ["start a"]);
        story
    }
}

fn tell(order: Order) -> String {
    match order {
        Order::Start(assignment) => format!("start {}", assignment.job_id),
        Order::Cancel { key, grace } => format!("cancel {} within {:?}", key.job_id, grace.unwrap()),
        Order::Abandon { key } => format!("abandon {}", key.job_id),
        Order::ReportCancelled { lease } => format!("report {} cancelled", lease.key.job_id),
        Order::ReportOverrun { lease } => format!("report {} overrun", lease.key.job_id),
        Order::Release { lease } => format!("release {} {}", lease.key.job_id, lease.lease_token),
        Order::NewSession => "new session".to_owned(),
    }
}

fn key(job: &str) -> JobKey {
    JobKey {
        job_id: job.to_owned(),
        attempt: 1,
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn work_starts_only_after_a_sync_that_listed_it_was_renewed() {
    let mut story = Story::new(2);
    assert_eq!(story.sync(&[], &["a", "b"]), NOTHING);
    assert!(story.book.wants_sync());
    // A word about a job that no sync has listed is no leave to start it.
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), NOTHING);
    assert_eq!(story.listed(), ["a", "b"]);
    assert!(!story.book.wants_sync());
    assert_eq!(
        story.answer(0, &[("a", "renewed"), ("b", "lost")], &[], &[]),
        ["start a"]
    );
    assert_eq!(story.listed(), ["a"]);
}

#[test]
fn a_job_is_started_once_however_often_it_is_renewed_or_assigned() {
    let mut story = Story::working();
    assert_eq!(story.sync(&[("a", "renewed")], &["a"]), NOTHING);
    assert_eq!(story.listed(), ["a"]);
}

#[test]
fn an_answer_that_took_longer_than_the_lease_starts_nothing() {
    let mut story = Story::new(1);
    story.sync(&[], &["a"]);
    story.book.request(1, 2);
    story.seconds = 61;
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), NOTHING);
    // The next, fresh answer does.
    assert_eq!(story.pass(0), NOTHING);
    assert_eq!(story.listed(), ["a"]);
    assert_eq!(story.answer(61, &[("a", "renewed")], &[], &[]), ["start a"]);
}

#[test]
fn work_whose_lease_was_not_renewed_in_time_is_stopped() {
    let mut story = Story::working();
    assert_eq!(story.pass(59), NOTHING);
    assert_eq!(story.book.next_due(), Some(story.start + LEASE));
    assert_eq!(story.pass(1), ["abandon a"]);
    assert_eq!(story.pass(100), NOTHING);
    assert_eq!(story.listed(), NOTHING);
    assert_eq!(
        story.book.request(1, 1).free_slots,
        1,
        "its slot is taken until its process has ended"
    );
}

#[test]
fn a_renewal_counts_from_before_it_was_asked_for() {
    let mut story = Story::working();
    story.book.request(1, 2);
    story.seconds = 40;
    story.answer(30, &[("a", "renewed")], &[], &[]);
    assert_eq!(story.book.next_due(), Some(story.start + Duration::from_secs(90)));
}

#[test]
fn a_lease_that_the_server_renews_for_work_that_was_stopped_ends_by_a_new_session() {
    // The process ended before the belated answer came,
    let mut story = Story::working();
    story.book.request(1, 2);
    story.pass(60);
    assert!(story.book.forget(&key("a")).is_none());
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), ["new session"]);
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), NOTHING);
    // or after it.
    let mut story = Story::working();
    story.book.request(1, 2);
    story.pass(60);
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), NOTHING);
    assert_eq!(story.book.forget(&key("a")).map(tell).unwrap(), "new session");
}

#[test]
fn a_job_assigned_but_never_renewed_is_dropped_with_its_lease() {
    let mut story = Story::new(1);
    story.sync(&[], &["a"]);
    story.book.request(1, 2);
    assert_eq!(story.pass(60), NOTHING);
    assert!(story.book.is_empty());
    // If the server marked it as running all the same, a new session sets it right.
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), ["new session"]);
}

#[test]
fn a_cancel_stops_work_once_and_keeps_its_lease() {
    let mut story = Story::working();
    assert_eq!(story.sync(&[("a", "cancel")], &[]), ["cancel a within 7s"]);
    assert_eq!(story.sync(&[("a", "cancel")], &[]), NOTHING);
    assert_eq!(story.listed(), ["a"]);
    assert_eq!(story.pass(1000), NOTHING, "it is being stopped already");
    assert_eq!(story.sync(&[("a", "lost")], &[]), ["abandon a"]);
}

#[test]
fn a_cancel_before_the_start_is_reported_without_a_process() {
    let mut story = Story::new(1);
    story.sync(&[], &["a"]);
    assert_eq!(story.sync(&[("a", "cancel")], &[]), ["report a cancelled"]);
    assert_eq!(story.sync(&[("a", "cancel")], &[]), NOTHING);
}

#[test]
fn lost_work_is_stopped_and_no_longer_listed() {
    let mut story = Story::working();
    assert_eq!(story.sync(&[("a", "lost")], &[]), ["abandon a"]);
    assert_eq!(story.listed(), NOTHING);
    assert!(story.book.holding().is_empty());
    assert!(story.book.forget(&key("a")).is_none());
    assert!(story.book.is_empty());
}

#[test]
fn a_job_whose_report_is_on_its_way_is_renewed_until_it_is_answered() {
    let mut story = Story::working();
    story.book.reporting(&key("a"));
    assert_eq!(story.listed(), ["a"]);
    assert_eq!(story.pass(1000), NOTHING);
    assert_eq!(story.book.request(1, 1).free_slots, 1);
    assert_eq!(
        story.sync(&[("a", "cancel")], &[]),
        NOTHING,
        "what happened is on its way"
    );
    story.book.forget(&key("a"));
    assert_eq!(story.book.request(1, 1).free_slots, 2);
}

#[test]
fn a_kept_report_is_held_from_the_start() {
    let mut story = Story::new(1);
    let lease = Lease {
        key: key("a"),
        lease_token: "t".to_owned(),
    };
    story.book.note_unreported(lease.clone(), story.start);
    assert_eq!(story.book.holding(), std::slice::from_ref(&lease));
    assert_eq!(story.book.unreported(), [lease]);
    assert_eq!(story.book.request(1, 1).free_slots, 0);
}

#[test]
fn a_run_timeout_is_left_to_the_server_for_a_while() {
    let mut story = Story::working();
    story.book.overran(&key("a"), story.now());
    assert_eq!(story.listed(), ["a"], "it does not count as lost by its robot");
    assert_eq!(story.book.wait(15_000, 0.5), OVERRUN_SYNC);
    assert_eq!(story.sync(&[("a", "renewed")], &[]), NOTHING);
    assert_eq!(story.sync(&[("a", "lost")], &[]), NOTHING);
    assert!(story.book.is_empty());
}

#[test]
fn a_run_timeout_that_the_server_never_notices_is_reported() {
    let mut story = Story::working();
    story.book.overran(&key("a"), story.now());
    assert_eq!(story.pass(179), NOTHING);
    assert_eq!(story.pass(1), ["report a overrun"]);
    assert_eq!(story.pass(1000), NOTHING);
}

#[test]
fn a_robot_that_is_to_end_gives_back_what_it_has_not_started_and_takes_no_more() {
    let mut story = Story::working();
    story.sync(&[("a", "renewed")], &["b"]);
    let released: Vec<String> = story.book.stop().into_iter().map(tell).collect();
    assert_eq!(released, ["release b token-b"]);
    let request = story.book.request(1, 3);
    assert_eq!((request.state, request.free_slots), (RobotState::Draining, 0));
    assert_eq!(story.answer(0, &[("a", "renewed")], &["c"], &[]), ["release c token-c"]);
    assert_eq!(story.listed(), ["a"]);
}

#[test]
fn a_job_that_the_server_may_have_marked_as_running_is_run_even_while_draining() {
    let mut story = Story::new(1);
    story.sync(&[], &["a"]);
    story.book.request(1, 2);
    assert!(story.book.stop().is_empty());
    assert_eq!(story.answer(0, &[("a", "renewed")], &[], &[]), ["start a"]);
}

#[test]
fn a_robot_told_to_drain_takes_nothing_until_it_is_told_so_no_more() {
    let mut story = Story::working();
    story.answer(0, &[("a", "renewed")], &[], &["drain"]);
    let request = story.book.request(1, 2);
    assert_eq!(
        (request.state, request.free_slots, request.running.len()),
        (RobotState::Draining, 0, 1)
    );
    story.answer(0, &[("a", "renewed")], &[], &[]);
    let request = story.book.request(1, 3);
    assert_eq!((request.state, request.free_slots), (RobotState::Busy, 1));
}

#[test]
fn the_wait_is_the_servers_spread_by_a_tenth_and_bounded() {
    let book = Book::new(1);
    for (asked_ms, chance, expected_ms) in [
        (5000, 0.5, 5000),
        (5000, 0.0, 4500),
        (5000, 1.0, 5500),
        (0, 0.5, 50),
        (u64::MAX, 0.5, 300_000),
    ] {
        assert_eq!(book.wait(asked_ms, chance), Duration::from_millis(expected_ms));
    }
}

#[test]
fn the_wait_is_well_below_the_shortest_lease() {
    let story = Story::working();
    assert_eq!(story.book.wait(300_000, 0.5), LEASE / 3);
}

#[test]
fn progress_is_told_with_the_next_sync() {
    let mut story = Story::working();
    let progress = Progress {
        percent: 40,
        message: "page 3".to_owned(),
    };
    story.book.progressed(&key("a"), progress.clone());
    story.book.progressed(&key("gone"), progress.clone());
    assert_eq!(story.book.request(1, 2).running[0].progress, Some(progress));
}
