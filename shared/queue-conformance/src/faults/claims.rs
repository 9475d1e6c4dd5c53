//! Claims that go wrong: as a store without transactions makes them, in two steps with a gap, or as the store below does.

use std::sync::Arc;

use futures::channel::oneshot;
use queue::store::{Change, Committed, Decide, Grant, Granted, Lane, Store, StoreError};

use super::{Fault, FaultyStore};

impl FaultyStore {
    /// From now on every other claim is made as a whole by the store below, with the locks that it takes for it. Otherwise
    /// each is made in steps between which others do something.
    #[must_use]
    pub fn claiming_below(mut self) -> Self {
        self.claims_below = true;
        self
    }

    pub(super) async fn claim_somehow(
        &self,
        lanes: &[Lane],
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<Granted>, StoreError> {
        self.before().await?;
        let granted = if self.claims_below && self.dice.draw(1, 2) {
            self.claim_below(lanes, limit, decide).await?
        } else {
            self.claim_in_steps(lanes, limit, decide).await?
        };
        self.after(granted).await
    }

    async fn claim_in_steps(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let offered = self.ready(lanes, limit).await?;
        let mut granted = Vec::new();
        for grant in decide(offered) {
            let holder = self.commit_some(vec![grant.holder.into()]).await?[0];
            // Whoever claims may be gone between the holder and its jobs.
            self.before().await?;
            let jobs = match holder {
                Committed::Done => {
                    self.commit_some(grant.jobs.into_iter().map(Change::from).collect())
                        .await?
                }
                Committed::Conflict => vec![Committed::Conflict; grant.jobs.len()],
            };
            granted.push(Granted { holder, jobs });
        }
        Ok(granted)
    }

    /// A grant that meets a conflict is not shown to the store below.
    async fn claim_below(&self, lanes: &[Lane], limit: usize, decide: Decide) -> Result<Vec<Granted>, StoreError> {
        let (tell, mut told) = oneshot::channel();
        let dice = Arc::clone(&self.dice);
        let decide_some = move |offered| {
            let mut refused: Vec<Option<usize>> = Vec::new();
            let mut shown: Vec<Grant> = Vec::new();
            for grant in decide(offered) {
                let meets = dice.strikes(Fault::Conflict);
                refused.push(meets.then_some(grant.jobs.len()));
                shown.extend(Some(grant).filter(|_| !meets));
            }
            // Whoever made the claim waits for it.
            tell.send(refused).ok();
            shown
        };
        let mut granted = self.below.claim(lanes, limit, Box::new(decide_some)).await?.into_iter();
        let conflict = |jobs| Granted {
            holder: Committed::Conflict,
            jobs: vec![Committed::Conflict; jobs],
        };
        let refused = told.try_recv().ok().flatten().unwrap_or_default();
        Ok(refused
            .into_iter()
            .filter_map(|refused| refused.map(conflict).or_else(|| granted.next()))
            .collect())
    }
}
