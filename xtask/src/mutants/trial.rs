//! Tries mutants on the tests, several at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};

use super::catchers::{Catcher, Noticed};
use super::list::Mutant;

/// How many mutants are tried at a time.
const WORKERS: usize = 2;

/// How much longer than without a mutant a program may take: what hangs takes for ever, what shares the machine does not.
const LIMIT_FACTOR: u32 = 5;

/// What a program may take in any case.
const LIMIT_MIN: Duration = Duration::from_mins(1);

/// What a program may take when it is not known yet how long it takes.
const LIMIT_MAX: Duration = Duration::from_mins(10);

/// How often the bar moves while a mutant is tried.
const TICK: Duration = Duration::from_millis(200);

/// What became of a mutant.
pub(super) struct Verdict<'a> {
    pub(super) mutant: &'a Mutant,
    /// What was tried on it, in that order.
    pub(super) looks: Vec<Look>,
}

/// What some tests noticed of a mutant.
pub(super) struct Look {
    /// The tests' name.
    pub(super) catcher: &'static str,
    pub(super) noticed: Noticed,
    pub(super) took: Duration,
}

impl Verdict<'_> {
    /// Whether anything noticed it.
    pub(super) fn is_caught(&self) -> bool {
        self.looks.iter().any(|look| look.noticed.is_any())
    }
}

/// Tries each of `mutants` on `catchers`: on all if `whole`, else until one notices it. An error when the code without a
/// mutant does not pass.
pub(super) fn tried<'a>(catchers: &[Catcher], mutants: &[&'a Mutant], whole: bool) -> anyhow::Result<Vec<Verdict<'a>>> {
    let bar = bar(mutants.len());
    bar.set_message("without a mutant");
    let limits = in_parallel(catchers, limit_of)?;
    let catchers: Vec<(&Catcher, Duration)> = catchers.iter().zip(limits).collect();
    let verdicts = in_parallel(mutants, |mutant| {
        bar.set_message(mutant.name.clone());
        let verdict = verdict(&catchers, mutant, whole);
        bar.inc(1);
        verdict
    });
    bar.finish_and_clear();
    verdicts
}

/// How long `catcher` may take for a mutant, by how long it takes without one, which it has to pass.
fn limit_of(catcher: &Catcher) -> anyhow::Result<Duration> {
    let look = look(catcher, None, LIMIT_MAX, true)?;
    ensure!(
        !look.noticed.is_any(),
        "the {} fails without any mutant: {}",
        catcher.name,
        look.noticed.by.join(", ")
    );
    Ok((look.took * LIMIT_FACTOR).max(LIMIT_MIN))
}

fn verdict<'a>(catchers: &[(&Catcher, Duration)], mutant: &'a Mutant, whole: bool) -> anyhow::Result<Verdict<'a>> {
    let mut looks: Vec<Look> = Vec::new();
    for (catcher, limit) in catchers {
        looks.push(look(catcher, Some(&mutant.name), *limit, whole)?);
        if !whole && looks.last().is_some_and(|look| look.noticed.is_any()) {
            break;
        }
    }
    Ok(Verdict { mutant, looks })
}

fn look(catcher: &Catcher, mutant: Option<&str>, limit: Duration, whole: bool) -> anyhow::Result<Look> {
    let begun = Instant::now();
    let noticed = catcher.look(mutant, limit, whole)?;
    Ok(Look {
        catcher: catcher.name,
        noticed,
        took: begun.elapsed(),
    })
}

/// What `work` makes of each of `items`, in their order; the first error ends the worker that met it.
fn in_parallel<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> anyhow::Result<T> + Sync) -> anyhow::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { break };
            done.push((place, work(item)?));
        }
        anyhow::Ok(done)
    };
    let mut done = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            done.extend(worker.join().expect("a worker returns its errors")?);
        }
        anyhow::Ok(())
    })?;
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, it)| it).collect())
}

/// A bar on a terminal, nothing elsewhere.
fn bar(mutants: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} mutants  {msg}  {elapsed}");
    let bar = ProgressBar::new(mutants as u64).with_style(style.expect("the template is well-formed"));
    bar.enable_steady_tick(TICK);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_in_its_order_and_an_error_is_told() {
        let items: Vec<u32> = (0..20).collect();
        assert_eq!(in_parallel(&items, |item| Ok(*item)).expect("is done"), items);
        let failing = in_parallel(&items, |item| {
            ensure!(*item != 7, "seven");
            Ok(())
        });
        assert_eq!(failing.expect_err("one failed").to_string(), "seven");
    }
}
