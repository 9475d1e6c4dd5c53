//! A robot's session: the newest supersedes the older ones, and what it does not hold is lost.

use domain::{
    JobId, RobotId, TenantName,
    job::{Actor, Fence, Loss},
    robot::Reservation,
};
use tracing::info;

use crate::{
    codec,
    engine::{Engine, Refusal, TRIES_MAX, too_busy},
    store::Committed,
};

impl Engine {
    /// Opens a new session and gives its epoch. Leases that are not among `holding` end at once.
    ///
    /// The session is opened first: the older one cannot renew what is then taken from it.
    pub async fn open_session(
        &self,
        tenant: &TenantName,
        id: &RobotId,
        holding: &[(JobId, Fence)],
    ) -> Result<u64, Refusal> {
        for _ in 0..TRIES_MAX {
            let robot = self.load_robot(tenant, id).await?.ok_or(Refusal::NotFound)?;
            let next = robot.with(robot.value.with_new_session(self.now()));
            if self.store.commit(vec![codec::robot_record(&next).into()]).await? != [Committed::Done] {
                continue;
            }
            let listed = |hold: &Reservation| {
                holding
                    .iter()
                    .any(|(job, fence)| *job == hold.job && fence.attempt == hold.attempt && fence.token == hold.token)
            };
            let gone: Vec<Reservation> = next.value.holds.iter().filter(|hold| !listed(hold)).cloned().collect();
            self.lose(tenant, &gone, Loss::Restarted, &Actor::Robot(id.clone()))
                .await?;
            info!(
                "Robot {id} opened session {} and lost {} jobs",
                next.value.epoch,
                gone.len()
            );
            return Ok(next.value.epoch);
        }
        Err(too_busy().into())
    }
}
