//! The tables, in the order in which a reviewer reads them.

use domain::job::Loss;

use super::questions::{
    Question, Timer, arm, cancel, claim, finish, hand_over, lose, now, question, release, renew, replace, settle, tick,
    when_due,
};
use crate::story::{failed, stopped, succeeded, wrong};

/// A table.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) questions: Vec<Question>,
}

pub(crate) fn all() -> Vec<Section> {
    vec![
        time(),
        giving(),
        renewing(),
        reporting(),
        repeating(),
        losing(),
        clients(),
    ]
}

fn time() -> Section {
    let at = |head, timer| question(head, move |it| when_due(it, timer, tick()));
    Section {
        title: "Time",
        text: "The sweep says what time it is, and whatever is due happens. A deadline goes before every other timer,\n\
               and a running job that was asked to stop ends `cancelled` whichever timer comes first.",
        questions: vec![
            question("before anything is due", |it| Some(now(it, tick()))),
            at("at `run_at` or after the backoff", Timer::RunAt),
            at("queue timeout", Timer::QueueTimeout),
            at("end of the lease", Timer::LeaseEnd),
            at("run timeout", Timer::RunTimeout),
            at("deadline", Timer::Deadline),
        ],
    }
}

fn giving() -> Section {
    Section {
        title: "Giving it to a robot",
        text: "A claim makes the next attempt with a token of its own; a job that is about to be timed out is not\n\
               handed out. The hand-over puts the whole lease at the robot's disposal when it hears of the job later.",
        questions: vec![
            question("claim", |it| Some(now(it, claim()))),
            question("claim after the queue timeout, not swept", |it| {
                when_due(it, Timer::QueueTimeout, claim())
            }),
            question("claim after the deadline, not swept", |it| {
                when_due(it, Timer::Deadline, claim())
            }),
            question("hand over, right fence", |it| Some(now(it, hand_over(it.fence()?)))),
            question("hand over, older fence", |it| {
                Some(now(it, hand_over(it.older_fence())))
            }),
        ],
    }
}

fn renewing() -> Section {
    Section {
        title: "Renewing",
        text: "The first renewal is the start: it burns one attempt of the budget. A lease whose end no sweep has seen\n\
               is still good, but an attempt whose time is over is not renewed.",
        questions: vec![
            question("right fence", |it| Some(now(it, renew(it.fence()?)))),
            question("right fence, lease over, not swept", |it| {
                when_due(it, Timer::LeaseEnd, renew(it.fence()?))
            }),
            question("right fence, run time over, not swept", |it| {
                when_due(it, Timer::RunTimeout, renew(it.fence()?))
            }),
            question("right fence, deadline over, not swept", |it| {
                arm(it, Timer::LeaseEnd)?;
                when_due(it, Timer::Deadline, renew(it.fence()?))
            }),
            question("older fence", |it| Some(now(it, renew(it.older_fence())))),
            question("wrong token", |it| Some(now(it, renew(it.wrong_token())))),
        ],
    }
}

fn reporting() -> Section {
    let right = |head, report: fn() -> _| question(head, move |it| Some(now(it, finish(it.fence()?, report()))));
    Section {
        title: "Reporting the end of an attempt",
        text: "With the right fence, a report is taken while the job has not ended and no later attempt was given, also\n\
               when the lease is over. A late error burns nothing more and leaves the job waiting where it is.",
        questions: vec![
            right("succeeded", succeeded),
            right("application error", failed),
            right("business error", wrong),
            right("cancelled", stopped),
            question("succeeded, older fence", |it| {
                Some(now(it, finish(it.older_fence(), succeeded())))
            }),
            question("succeeded, wrong token", |it| {
                Some(now(it, finish(it.wrong_token(), succeeded())))
            }),
        ],
    }
}

fn repeating() -> Section {
    Section {
        title: "Reporting it again",
        text: "The same report of an attempt gets the answer it got, for ever, whatever has become of the job since.\n\
               Another report of that attempt is a conflict, and a wrong token is told no more than anybody.",
        questions: vec![
            question("the same again", |it| {
                Some(now(it, finish(it.fence()?, it.reported.clone()?)))
            }),
            question("another outcome", |it| {
                it.reported.as_ref()?;
                Some(now(it, finish(it.fence()?, wrong())))
            }),
            question("the same of the attempt before", |it| {
                Some(now(it, finish(it.older_fence(), failed())))
            }),
            question("another outcome of the attempt before", |it| {
                Some(now(it, finish(it.older_fence(), wrong())))
            }),
            question("the same, wrong token", |it| {
                Some(now(it, finish(it.wrong_token(), it.reported.clone()?)))
            }),
        ],
    }
}

fn losing() -> Section {
    Section {
        title: "Giving it back, and losing the robot",
        text: "A job that has not started can be given back, which counts for nothing. A robot that starts anew without\n\
               the job, or is removed, loses it at once: what has started is burnt, what has not counts to ten.",
        questions: vec![
            question("release, right fence", |it| Some(now(it, release(it.fence()?)))),
            question("release, older fence", |it| Some(now(it, release(it.older_fence())))),
            question("release, wrong token", |it| Some(now(it, release(it.wrong_token())))),
            question("robot restarted", |it| {
                Some(now(it, lose(it.fence()?, Loss::Restarted)))
            }),
            question("robot removed", |it| Some(now(it, lose(it.fence()?, Loss::Removed)))),
            question("lost, older fence", |it| {
                Some(now(it, lose(it.older_fence(), Loss::Restarted)))
            }),
        ],
    }
}

fn clients() -> Section {
    Section {
        title: "What clients and operators ask",
        text: "A cancel ends what does not run and asks the robot that runs it to stop. Settling deals with a dead\n\
               letter, once, and is the only thing that touches a job that is over.",
        questions: vec![
            question("cancel", |it| Some(now(it, cancel()))),
            question("replace", |it| Some(now(it, replace()))),
            question("settle", |it| Some(now(it, settle()))),
        ],
    }
}
