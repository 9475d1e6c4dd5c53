//! Rounds: calls that come while a turn is taken wait for the next one, and are answered together.

use std::{
    future::{Future, poll_fn},
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    task::{Poll, Waker},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared, select_all},
    lock::Mutex as Turn,
};

/// How much one round takes up, in what its calls weigh. A call that weighs more goes alone.
const WEIGHT_MAX: usize = 512;

/// How often a call that joined a round lets all others go on that can, before it has the round go. Callers that were
/// answered together ask their next together too, each as soon as it comes to run; a round that went with the first of
/// them would leave the rest to wait for the one after it.
const PASSES: usize = 3;

/// What answers the calls of one round, in their order.
type Run<C, A> = Arc<dyn Fn(Vec<C>) -> BoxFuture<'static, Vec<A>> + Send + Sync>;

/// The calls of a round, up to its turn.
type Calls<C> = Arc<Mutex<Vec<C>>>;

/// The answers of a round, each to be taken once.
type Answers<A> = Arc<[Mutex<Option<A>>]>;

/// What a round does, which goes on while anybody awaits it.
type Work<A> = BoxFuture<'static, Answers<A>>;

/// Gathers calls of one kind into rounds, of which only so many are under way at a time.
///
/// A call that comes while a turn is free goes once all have run that need not wait: nobody waits for company that has
/// still to come. A round goes on as long as any of its callers waits; if all are gone it is dropped where it stands, as a
/// call by itself would be.
pub(super) struct Rounds<C, A> {
    /// Each round takes one.
    turns: Arc<[Turn<()>]>,
    /// The round that still takes up calls.
    open: Arc<Mutex<Option<Round<C, A>>>>,
    run: Run<C, A>,
}

/// A round that takes up calls. Its callers keep it; what they left is not found here by others.
struct Round<C, A> {
    calls: Weak<Mutex<Vec<C>>>,
    weight: usize,
    work: WeakShared<Work<A>>,
    wakes_all: Arc<OnceLock<Waker>>,
}

/// One caller's part in a round.
struct Part<A> {
    work: Shared<Work<A>>,
    /// What wakes all who await the work, once it has begun.
    wakes_all: Arc<OnceLock<Waker>>,
}

impl<A> Drop for Part<A> {
    /// Has the others look whether to go on. One that comes while another is at work waits to be woken. What is to wake it may
    /// have come just before, and woken only the one at work: if that leaves instead of going on, nobody would.
    fn drop(&mut self) {
        if let Some(waker) = self.wakes_all.get() {
            waker.wake_by_ref();
        }
    }
}

impl<C: Send + 'static, A: Send + 'static> Rounds<C, A> {
    /// Rounds, `turns` of them at a time, that are answered by `run`, one answer for each call and in their order.
    pub(super) fn new<F>(turns: usize, run: impl Fn(Vec<C>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Vec<A>> + Send + 'static,
    {
        Self {
            turns: (0..turns).map(|_| Turn::default()).collect(),
            open: Arc::default(),
            run: Arc::new(move |calls| run(calls).boxed()),
        }
    }

    /// The answer to `call`, which weighs as much as what it makes the store do.
    pub(super) async fn call(&self, call: C, weight: usize) -> A {
        let (place, mut part) = self.join(call, weight);
        // Before any of them has it go, so that nothing but the store's answer, or one that leaves, wakes those who wait.
        for _ in 0..PASSES {
            pass().await;
        }
        let answers = (&mut part.work).await;
        let answer = hold(&answers[place]).take();
        answer.expect("a round answers each of its calls, and each is taken by who made it")
    }

    fn join(&self, call: C, weight: usize) -> (usize, Part<A>) {
        let mut open = hold(&self.open);
        let joined = open.as_mut().and_then(|round| round.joined(weight));
        let (calls, part) = joined.unwrap_or_else(|| {
            // One that is full is no longer joined, and goes when its turn comes.
            let (calls, part) = self.round();
            *open = part.work.downgrade().map(|work| Round {
                calls: Arc::downgrade(&calls),
                weight,
                work,
                wakes_all: Arc::clone(&part.wakes_all),
            });
            (calls, part)
        });
        let mut calls = hold(&calls);
        calls.push(call);
        (calls.len() - 1, part)
    }

    /// A new round without calls.
    fn round(&self) -> (Calls<C>, Part<A>) {
        let (calls, wakes_all): (Calls<C>, Arc<OnceLock<Waker>>) = Default::default();
        let (turns, open, run) = (Arc::clone(&self.turns), Arc::clone(&self.open), Arc::clone(&self.run));
        let (taken_up, woken_by) = (Arc::clone(&calls), Arc::clone(&wakes_all));
        let mut work = Box::pin(async move {
            let (_turn, ..) = select_all(turns.iter().map(Turn::lock)).await;
            let calls = close(&open, &taken_up);
            let answers = run(calls).await;
            answers.into_iter().map(|answer| Mutex::new(Some(answer))).collect()
        });
        let work = poll_fn(move |context| {
            // It is the same one whoever looks.
            woken_by.get_or_init(|| context.waker().clone());
            work.poll_unpin(context)
        });
        let work = work.boxed().shared();
        (calls, Part { work, wakes_all })
    }
}

impl<C, A> Round<C, A> {
    /// The round with one more call that weighs so much, if it has room and any of its callers still waits.
    fn joined(&mut self, weight: usize) -> Option<(Calls<C>, Part<A>)> {
        let joined = self.calls.upgrade().zip(self.work.upgrade());
        let (calls, work) = joined.filter(|_| self.weight + weight <= WEIGHT_MAX)?;
        self.weight += weight;
        let wakes_all = Arc::clone(&self.wakes_all);
        Some((calls, Part { work, wakes_all }))
    }
}

/// Lets all go on that can.
async fn pass() {
    let mut has_passed = false;
    poll_fn(|context| {
        if mem::replace(&mut has_passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Takes the calls of a round, which nobody joins from now on.
fn close<C, A>(open: &Mutex<Option<Round<C, A>>>, calls: &Calls<C>) -> Vec<C> {
    let mut open = hold(open);
    if open
        .as_ref()
        .is_some_and(|round| Weak::as_ptr(&round.calls) == Arc::as_ptr(calls))
    {
        *open = None;
    }
    mem::take(&mut *hold(calls))
}

/// What is inside is whole at any time: no line that holds it panics half-way.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Wake},
    };

    use futures::{channel::oneshot, future::join_all};

    use super::*;

    /// Rounds that double numbers, and the sizes of those that were run; the first two wait for their gates.
    struct Doubling {
        rounds: Rounds<u32, u32>,
        sizes: Arc<Mutex<Vec<usize>>>,
        gates: Vec<oneshot::Sender<()>>,
    }

    fn doubling(gates: usize) -> Doubling {
        let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
        let (open, waits): (Vec<_>, Vec<_>) = (0..gates).map(|_| oneshot::channel::<()>()).unzip();
        let waits = Arc::new(Mutex::new(waits));
        let noted = Arc::clone(&sizes);
        let rounds = Rounds::new(2, move |calls: Vec<u32>| {
            hold(&noted).push(calls.len());
            let gate = hold(&waits).pop();
            async move {
                if let Some(gate) = gate {
                    gate.await.ok();
                }
                calls.into_iter().map(|call| call * 2).collect()
            }
        });
        Doubling {
            rounds,
            sizes,
            gates: open,
        }
    }

    #[tokio::test]
    async fn a_call_that_is_alone_goes_at_once() {
        let doubling = doubling(0);
        for call in [1, 2, 3] {
            assert_eq!(doubling.rounds.call(call, 1).await, call * 2);
        }
        assert_eq!(*hold(&doubling.sizes), [1, 1, 1]);
    }

    #[tokio::test]
    async fn calls_that_come_meanwhile_go_together_and_each_gets_its_own_answer() {
        let mut doubling = doubling(2);
        let gates = mem::take(&mut doubling.gates);
        let calls = (0..20).map(|call| doubling.rounds.call(call, 1));
        let opening = async {
            tokio::task::yield_now().await;
            drop(gates);
        };
        let (answers, ()) = futures::join!(join_all(calls), opening);
        assert_eq!(answers, (0..20).map(|call| call * 2).collect::<Vec<_>>());
        let sizes = hold(&doubling.sizes).clone();
        assert_eq!(sizes.iter().sum::<usize>(), 20);
        assert!(
            sizes.len() <= 3,
            "two that found a turn free, and all others: {sizes:?}"
        );
    }

    #[tokio::test]
    async fn those_who_are_answered_together_ask_together() {
        const CALLERS: usize = 10;
        const CALLS: u32 = 20;
        let doubling = Arc::new(doubling(0));
        let call_on = |doubling: Arc<Doubling>| async move {
            for call in 0..CALLS {
                assert_eq!(doubling.rounds.call(call, 1).await, call * 2);
            }
        };
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| tokio::spawn(call_on(Arc::clone(&doubling))))
            .collect();
        for caller in callers {
            caller.await.expect("no call fails");
        }
        assert_eq!(*hold(&doubling.sizes), [CALLERS; CALLS as usize]);
    }

    #[tokio::test]
    async fn a_call_lets_all_others_go_on_so_often_and_no_more() {
        let doubling = doubling(0);
        let mut first = Box::pin(doubling.rounds.call(1, 1));
        for _ in 0..PASSES {
            assert!(futures::poll!(&mut first).is_pending());
        }
        assert_eq!(doubling.rounds.call(2, 1).await, 4);
        assert_eq!(first.await, 2);
        assert_eq!(*hold(&doubling.sizes), [2]);

        let mut alone = Box::pin(doubling.rounds.call(3, 1));
        for _ in 0..PASSES {
            assert!(futures::poll!(&mut alone).is_pending());
        }
        assert_eq!(futures::poll!(&mut alone), Poll::Ready(6));
    }

    #[tokio::test]
    async fn a_round_takes_up_no_more_than_its_weight() {
        let mut doubling = doubling(2);
        let gates = mem::take(&mut doubling.gates);
        let calls = (0..8).map(|call| doubling.rounds.call(call, WEIGHT_MAX / 2));
        let opening = async {
            tokio::task::yield_now().await;
            drop(gates);
        };
        let (answers, ()) = futures::join!(join_all(calls), opening);
        assert_eq!(answers.len(), 8);
        assert!(hold(&doubling.sizes).iter().all(|size| *size <= 2));
        assert_eq!(doubling.rounds.call(9, 10 * WEIGHT_MAX).await, 18);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_others_their_answers() {
        let mut doubling = doubling(1);
        let gates = mem::take(&mut doubling.gates);
        let mut first = Box::pin(doubling.rounds.call(1, 1));
        let mut with_it = Box::pin(doubling.rounds.call(2, 1));
        while hold(&doubling.sizes).is_empty() {
            assert!(futures::poll!(&mut first).is_pending());
            assert!(futures::poll!(&mut with_it).is_pending());
        }
        assert_eq!(*hold(&doubling.sizes), [2]);
        drop(first);
        drop(gates);
        assert_eq!(with_it.await, 4);
        assert_eq!(doubling.rounds.call(3, 1).await, 6);
    }

    /// How often a task was woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The store answers while one caller is at work; another leaves and a third comes meanwhile; then the one leaves before it
    /// goes on.
    #[test]
    fn a_caller_that_was_woken_and_leaves_has_another_go_on() {
        type Caller = BoxFuture<'static, u32>;
        let meanwhile: Arc<Mutex<Option<(Caller, Caller)>>> = Arc::default();
        let wakes = Arc::<Wakes>::default();
        let (waker, others) = (Waker::from(Arc::clone(&wakes)), Arc::clone(&meanwhile));
        let third: Arc<Mutex<Option<Caller>>> = Arc::default();
        let came = Arc::clone(&third);
        let rounds = Rounds::new(1, move |calls: Vec<u32>| {
            let (others, came, waker) = (Arc::clone(&others), Arc::clone(&came), waker.clone());
            let mut is_answered = false;
            poll_fn(move |context| {
                if mem::replace(&mut is_answered, true) {
                    return Poll::Ready(calls.clone());
                }
                context.waker().wake_by_ref();
                let (leaves, mut comes) = hold(&others).take().expect("they are there from the start");
                drop(leaves);
                assert!(comes.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
                *hold(&came) = Some(comes);
                Poll::Pending
            })
        });
        let rounds = Arc::new(rounds);
        let [mut one, mut two, mut three] = [1, 2, 3].map(|call| {
            let rounds = Arc::clone(&rounds);
            async move { rounds.call(call, 1).await }.boxed()
        });
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..PASSES {
            for caller in [&mut one, &mut two, &mut three] {
                assert!(caller.poll_unpin(&mut context).is_pending());
            }
        }
        *hold(&meanwhile) = Some((two, three));
        assert!(one.poll_unpin(&mut context).is_pending());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
        drop(one);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let mut three = hold(&third).take().expect("it came");
        assert_eq!(three.poll_unpin(&mut context), Poll::Ready(3));
    }

    #[tokio::test]
    async fn a_call_that_is_left_before_its_turn_is_not_made() {
        let doubling = doubling(0);
        let mut left = Box::pin(doubling.rounds.call(1, 1));
        assert!(futures::poll!(&mut left).is_pending());
        drop(left);
        assert_eq!(doubling.rounds.call(2, 1).await, 4);
        assert_eq!(*hold(&doubling.sizes), [1]);
    }

    #[tokio::test]
    async fn a_call_that_is_left_while_it_is_made_gives_its_turn_back() {
        let mut doubling = doubling(2);
        let gates = mem::take(&mut doubling.gates);
        for made in 1..=2 {
            let mut left = Box::pin(doubling.rounds.call(1, 1));
            while hold(&doubling.sizes).len() < made {
                assert!(futures::poll!(&mut left).is_pending());
            }
        }
        assert_eq!(doubling.rounds.call(2, 1).await, 4);
        assert_eq!(*hold(&doubling.sizes), [1, 1, 1]);
        drop(gates);
    }
}
