//! What a random life is made of.

use std::time::Duration;

use domain::{
    JobSpec,
    job::{ErrorKind, Loss, OnLost, Report, Settlement, Timeouts},
    retry::RetryPolicy,
};
use proptest::{option, prelude::*, sample::Index};

use crate::story::{at, failed, failure, spec, stopped, succeeded, wrong};

/// A job and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) spec: JobSpec,
    /// Seconds from the beginning, if it is not to run at once.
    pub(crate) run_at: Option<u64>,
    pub(crate) steps: Vec<Step>,
}

/// Something happens after some time.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) pace: Pace,
    /// How far ahead the clock is of the server that decides this step.
    pub(crate) ahead: Duration,
    pub(crate) act: Act,
}

/// How much time goes by before it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// None.
    Still,
    /// So many milliseconds.
    Millis(u64),
    /// Up to the next timer, and so many milliseconds more.
    Timer(u64),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Tick,
    Claim { lease_seconds: u64 },
    HandOver(Whose),
    Renew(Whose),
    Finish(Whose, Report),
    Release(Whose),
    Lose(Whose, Loss),
    Cancel,
    Replace,
    Settle(Settlement),
}

/// Whose fence comes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// The latest that was given.
    Latest,
    /// Any that was given.
    Any(Index),
    /// The latest attempt with a token that was never given.
    WrongToken,
    /// The latest token with another attempt's number.
    WrongAttempt,
}

/// How far two servers' clocks are apart at most.
pub(crate) const SKEW_MAX: Duration = Duration::from_secs(5);

/// A life whose steps one clock times.
pub(crate) fn life() -> impl Strategy<Value = Life> {
    life_at(Duration::ZERO)
}

/// A life whose steps are decided by servers whose clocks are up to `skew_max` apart.
pub(crate) fn life_at(skew_max: Duration) -> impl Strategy<Value = Life> {
    (
        job_spec(),
        option::weighted(0.3, 1_u64..500),
        prop::collection::vec(step(skew_max), 1..48),
    )
        .prop_map(|(spec, run_at, steps)| Life { spec, run_at, steps })
}

fn job_spec() -> impl Strategy<Value = JobSpec> {
    let timeouts = (option::weighted(0.3, 1_u32..400), prop_oneof![1_u32..120, Just(3_600)]).prop_map(
        |(queue_seconds, run_seconds)| Timeouts {
            queue_seconds,
            run_seconds,
        },
    );
    let on_lost = prop_oneof![3 => Just(OnLost::Retry), 1 => Just(OnLost::Fail)];
    (timeouts, retry_policy(), on_lost, option::weighted(0.3, 1_u64..2_000)).prop_map(
        |(timeouts, retry, on_lost, deadline)| JobSpec {
            timeouts,
            retry,
            on_lost,
            deadline: deadline.map(at),
            ..spec()
        },
    )
}

pub(crate) fn retry_policy() -> impl Strategy<Value = RetryPolicy> {
    (1_u32..=4, 0_u32..100, 0_u32..1_000, 1.0..=10.0, 0.0..=1.0).prop_map(
        |(max_attempts, initial_seconds, max_seconds, multiplier, jitter)| RetryPolicy {
            max_attempts,
            initial_seconds,
            max_seconds,
            multiplier,
            jitter,
        },
    )
}

fn step(skew_max: Duration) -> impl Strategy<Value = Step> {
    let skew_ms_max = u64::try_from(skew_max.as_millis()).expect("a few seconds");
    let ahead = (0..=skew_ms_max).prop_map(Duration::from_millis);
    (pace(), ahead, act()).prop_map(|(pace, ahead, act)| Step { pace, ahead, act })
}

fn pace() -> impl Strategy<Value = Pace> {
    prop_oneof![
        4 => Just(Pace::Still),
        3 => (1_u64..20_000).prop_map(Pace::Millis),
        1 => (20_000_u64..400_000).prop_map(Pace::Millis),
        2 => Just(Pace::Timer(0)),
        1 => (1_u64..100_000).prop_map(Pace::Timer),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Tick),
        8 => (10_u64..120).prop_map(|lease_seconds| Act::Claim { lease_seconds }),
        1 => whose().prop_map(Act::HandOver),
        7 => whose().prop_map(Act::Renew),
        5 => (whose(), report()).prop_map(|(whose, report)| Act::Finish(whose, report)),
        1 => whose().prop_map(Act::Release),
        2 => (whose(), loss()).prop_map(|(whose, loss)| Act::Lose(whose, loss)),
        1 => Just(Act::Cancel),
        1 => prop_oneof![2 => Just(Act::Tick), 1 => Just(Act::Replace)],
        1 => settlement().prop_map(Act::Settle),
    ]
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        7 => Just(Whose::Latest),
        3 => any::<Index>().prop_map(Whose::Any),
        1 => Just(Whose::WrongToken),
        1 => Just(Whose::WrongAttempt),
    ]
}

fn report() -> impl Strategy<Value = Report> {
    prop_oneof![
        2 => Just(succeeded()),
        6 => Just(failed()),
        2 => (0_u32..5_000).prop_map(|seconds| failure(ErrorKind::Application, Some(seconds))),
        1 => Just(wrong()),
        1 => Just(stopped()),
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![Just(Loss::Restarted), Just(Loss::Removed)]
}

fn settlement() -> impl Strategy<Value = Settlement> {
    prop_oneof![
        Just(Settlement::Requeued),
        Just(Settlement::Discarded),
        Just(Settlement::Resolved)
    ]
}
