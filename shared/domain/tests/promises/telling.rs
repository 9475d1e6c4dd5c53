//! What people see of a job on its way: who did what, and how far it is.

use domain::{
    Event,
    job::{Actor, Fence, Progress, StateName},
};

use crate::story::{LEASE, Story, client, failed, robot, succeeded, token};

fn progress(percent: u8) -> Progress {
    Progress {
        percent: Some(percent),
        message: Some("page 3".to_owned()),
    }
}

#[test]
fn the_history_names_who_did_what() {
    let by_robot = || Actor::Robot(robot());
    let mut story = Story::of_attempts(3);
    let fence = story.claim();
    story.release(&fence).expect("held");
    story.start_and_lose();
    let fence = story.start();
    story.finish(&fence, failed()).expect("held");
    story.time_out();
    story.cancel().expect("it waits");
    let told: Vec<(StateName, Actor)> = story
        .job
        .history
        .iter()
        .map(|step| (step.to, step.actor.clone()))
        .collect();
    let expected = [
        (StateName::Ready, client()),
        (StateName::Leased, Actor::Dispatch),
        (StateName::Ready, by_robot()),
        (StateName::Leased, Actor::Dispatch),
        (StateName::Running, by_robot()),
        (StateName::Ready, Actor::Sweep),
        (StateName::Leased, Actor::Dispatch),
        (StateName::Running, by_robot()),
        (StateName::Scheduled, by_robot()),
        (StateName::Ready, Actor::Sweep),
        (StateName::Cancelled, client()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn progress_stands_until_the_robot_says_more_or_the_next_attempt_begins() {
    let mut story = Story::of_attempts(3);
    let fence = story.start();
    let say = |progress| Event::Renew {
        fence: fence.clone(),
        lease: LEASE,
        progress,
    };
    story.tell(&say(Some(progress(40)))).expect("held");
    assert_eq!(story.job.progress, Some(progress(40)));
    story.tell(&say(None)).expect("held");
    assert_eq!(story.job.progress, Some(progress(40)), "it said nothing");
    story.tell(&say(Some(progress(60)))).expect("held");
    assert_eq!(story.job.progress, Some(progress(60)));
    story.time_out();
    assert_eq!(story.job.progress, Some(progress(60)), "nobody has taken it over");
    story.claim();
    assert_eq!(story.job.progress, None);
}

#[test]
fn the_last_error_stands_until_a_success() {
    let mut story = Story::of_attempts(3);
    story.start_and_fail();
    story.start_and_lose();
    assert!(story.job.error.is_some(), "a loss is no error of the work");
    let fence = story.start();
    assert_eq!(story.finish(&fence, succeeded()), Ok(StateName::Succeeded));
    assert_eq!(story.job.error, None);
}

#[test]
fn the_note_of_whoever_settles_it_takes_the_place_of_none() {
    let mut story = Story::of_attempts(1);
    story.start_and_fail();
    assert_eq!((story.job.note.as_deref(), story.job.settled), (None, None));
    let settlement = domain::job::Settlement::Discarded;
    story
        .tell(&Event::Settle {
            as_: settlement,
            note: Some("known".to_owned()),
        })
        .expect("a dead letter");
    assert_eq!(
        (story.job.note.as_deref(), story.job.settled),
        (Some("known"), Some(settlement))
    );
}

#[test]
fn an_attempt_writes_logs_and_checkpoints_until_it_is_reported_overtaken_or_the_job_has_ended() {
    let mut story = Story::of_attempts(3);
    let first = story.claim();
    assert!(story.job.takes_notes_of(&first), "leased");
    story.renew(&first).expect("held");
    assert!(story.job.takes_notes_of(&first), "running");
    let guess = Fence {
        token: token("guess"),
        ..first.clone()
    };
    assert!(!story.job.takes_notes_of(&guess), "a wrong token");
    story.time_out();
    assert!(story.job.takes_notes_of(&first), "lost, but nobody has overtaken it");

    let second = story.start();
    assert!(!story.job.takes_notes_of(&first), "overtaken");
    story.finish(&second, failed()).expect("held");
    assert!(!story.job.takes_notes_of(&second), "reported");

    story.time_out();
    let third = story.start();
    assert!(
        story.job.takes_notes_of(&third),
        "that an earlier attempt was reported is nothing to this one"
    );
    story.time_out();
    assert_eq!(story.stands().0, StateName::Failed);
    assert!(!story.job.takes_notes_of(&third), "the job has ended");
    assert!(!Story::of_attempts(1).job.takes_notes_of(&third), "nobody has it");
}
