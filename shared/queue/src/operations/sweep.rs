//! The sweep: fires every timer that is due, and removes what has been kept long enough.

use domain::{Event, Job, Timestamp, job::StateName};
use tracing::{info, warn};

use crate::{
    codec::{self, DedupHolder, Stored},
    engine::Engine,
    hints::Hint,
    store::{Change, Committed, Kind, Record, StoreError, Write},
};

/// How many records one step of a sweep looks at.
const SWEEP_PAGE: usize = 500;

/// How many steps one sweep takes before it leaves the rest to the next.
const SWEEP_STEPS_MAX: usize = 40;

/// How many records one step of a purge removes.
const PURGE_PAGE: usize = 500;

/// How many steps of purge one sweep takes.
const PURGE_STEPS_MAX: usize = 10;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many jobs became ready: their time came, or their lease ran out.
    pub ready: u64,
    /// How many of those had been handed to a robot.
    pub leases_lost: u64,
    /// How many attempts that ran too long are to be tried again.
    pub retried: u64,
    /// How many jobs ended.
    pub ended: u64,
    /// How many timers found nothing due and were set anew.
    pub rearmed: u64,
    /// How many records somebody else changed in the meantime.
    pub conflicts: u64,
    /// How many records were removed.
    pub purged: u64,
    /// Whether there was more to do than one sweep does.
    pub more: bool,
}

/// A due record and what it is to become.
struct Firing {
    change: Change,
    effect: Effect,
}

enum Effect {
    Moved {
        from: StateName,
        job: Box<Job>,
    },
    /// Nothing was due; the job it is about, if it is a job.
    Rearmed(Option<Box<Job>>),
    Removed,
}

/// What became of the timers of one page.
#[derive(Default)]
struct Fired {
    /// How many records were written.
    written: usize,
    /// Whether the next timer of one of them is over as well, as that of a job is which became ready too late.
    still_due: bool,
}

impl Engine {
    /// Fires the timers that are due now, in batches, and purges. Two sweeps at once do the same as one.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept {
            more: true,
            ..Swept::default()
        };
        for _ in 0..SWEEP_STEPS_MAX {
            let now = self.now();
            let due = self.store.due(now, SWEEP_PAGE).await?;
            let full = due.len() == SWEEP_PAGE;
            let Fired { written, still_due } = self.fire(due, now, &mut swept).await?;
            // A page on which nothing could be changed is left to whoever changed it.
            if written == 0 || !(full || still_due) {
                swept.more = full;
                break;
            }
        }
        self.purge(&mut swept).await?;
        if swept != Swept::default() {
            info!(?swept, "Swept");
        }
        Ok(swept)
    }

    /// Fires one timer of each of `due`.
    async fn fire(&self, due: Vec<Record>, now: Timestamp, swept: &mut Swept) -> Result<Fired, StoreError> {
        let mut firings = Vec::with_capacity(due.len());
        for record in due {
            match self.firing(&record, now).await {
                Ok(firing) => firings.push(firing),
                // One record that cannot be read must not keep the others from their timers.
                Err(StoreError::Corrupt { what, source }) => warn!("Cannot read {what}: {source}"),
                Err(error) => return Err(error),
            }
        }
        let mut fired = Fired::default();
        if firings.is_empty() {
            return Ok(fired);
        }
        let changes = firings
            .iter_mut()
            .map(|firing| std::mem::take(&mut firing.change))
            .collect();
        let outcomes = self.commit_jobs(changes).await?;
        let mut hints: Vec<Hint> = Vec::new();
        for (firing, outcome) in firings.into_iter().zip(outcomes) {
            if outcome == Committed::Conflict {
                swept.conflicts += 1;
                continue;
            }
            fired.written += 1;
            fired.still_due |= matches!(&firing.effect, Effect::Moved { job, .. } if job.is_due(now));
            count(&firing.effect, swept);
            let hint = match &firing.effect {
                Effect::Moved { job, .. } => Hint::of(job),
                Effect::Rearmed(Some(job)) => self.timer_hint(job, now),
                Effect::Rearmed(None) | Effect::Removed => None,
            };
            hints.extend(hint.filter(|hint| !hints.contains(hint)));
        }
        if !hints.is_empty() {
            self.hints.wake(&hints).await;
        }
        Ok(fired)
    }

    async fn firing(&self, record: &Record, now: Timestamp) -> Result<Firing, StoreError> {
        match record.key.kind {
            Kind::Job => self.job_firing(record, now),
            Kind::Dedup => self.dedup_firing(record, now).await,
            Kind::Robot | Kind::Queue | Kind::ApiKey | Kind::Tenant => {
                let change = Record {
                    due_at: None,
                    ..record.clone()
                }
                .into();
                Ok(Firing {
                    change,
                    effect: Effect::Rearmed(None),
                })
            }
        }
    }

    fn job_firing(&self, record: &Record, now: Timestamp) -> Result<Firing, StoreError> {
        let job: Stored<Job> = codec::read(record)?;
        match job.value.apply(&Event::Tick { chance: self.chance() }, now) {
            Ok(next) => {
                let effect = Effect::Moved {
                    from: job.value.state.name(),
                    job: Box::new(next.clone()),
                };
                Ok(Firing {
                    change: self.job_change(&job.with(next), now),
                    effect,
                })
            }
            // Its lease was renewed since the timer was set.
            Err(_) => Ok(Firing {
                change: self.job_record(&job, now).into(),
                effect: Effect::Rearmed(Some(Box::new(job.value))),
            }),
        }
    }

    /// A dedup key whose job is over is let go, so that it does not stay for ever.
    async fn dedup_firing(&self, record: &Record, now: Timestamp) -> Result<Firing, StoreError> {
        let holder: Stored<DedupHolder> = codec::read(record)?;
        let job = self.load_job(&holder.value.tenant, holder.value.job).await?;
        if job.is_some_and(|job| !job.value.state.name().is_terminal()) {
            let change = codec::dedup_record(record.key.clone(), &holder, now).into();
            return Ok(Firing {
                change,
                effect: Effect::Rearmed(None),
            });
        }
        let writes = vec![Write::Delete(record.key.clone(), record.version)];
        Ok(Firing {
            change: Change {
                writes,
                blobs: Vec::new(),
            },
            effect: Effect::Removed,
        })
    }

    async fn purge(&self, swept: &mut Swept) -> Result<(), StoreError> {
        for _ in 0..PURGE_STEPS_MAX {
            let removed = self.store.purge(self.now(), PURGE_PAGE).await?;
            swept.purged += removed as u64;
            if removed < PURGE_PAGE {
                break;
            }
        }
        Ok(())
    }
}

/// Counts what was done.
fn count(effect: &Effect, swept: &mut Swept) {
    let (from, job) = match effect {
        Effect::Rearmed(_) => return swept.rearmed += 1,
        Effect::Removed => return swept.purged += 1,
        Effect::Moved { from, job } => (*from, job),
    };
    match job.state.name() {
        StateName::Ready => {
            swept.ready += 1;
            swept.leases_lost += u64::from(matches!(from, StateName::Leased | StateName::Running));
        }
        StateName::Scheduled => swept.retried += 1,
        _ => swept.ended += 1,
    }
}
