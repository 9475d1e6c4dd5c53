//! Where ready jobs stand: in which lane, and at which place in it.

use domain::{QueueName, RobotId, TenantName, time::Timestamp};

/// One line of ready jobs that ask the same of a robot, so that its head is fit for whoever serves the lane.
///
/// Its text is `tenant/queue/target/class`: `target` is the one robot that may have the jobs, or empty for any that
/// meets `class`, and sorts lanes of one queue and target together. No part but `class` holds a `/`. At most
/// 2,000 bytes: it is the key of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(String);

impl Lane {
    /// The lane of jobs in `queue` that ask for `target` (or any robot) and for what `class` spells.
    pub fn new(tenant: &TenantName, queue: &QueueName, target: Option<&RobotId>, class: &str) -> Self {
        Self(Self::prefix(tenant, queue, target) + class)
    }

    /// What the texts of all lanes of this queue begin with, whatever their target.
    pub fn queue_prefix(tenant: &TenantName, queue: &QueueName) -> String {
        format!("{tenant}/{queue}/")
    }

    /// What the texts of all lanes of this queue and target begin with.
    pub fn prefix(tenant: &TenantName, queue: &QueueName, target: Option<&RobotId>) -> String {
        format!("{tenant}/{queue}/{}/", target.map_or("", RobotId::as_str))
    }

    /// Takes back what [`Lane::as_str`] gave.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant's name, the first part of the text.
    pub fn tenant(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The queue's name, the second part of the text.
    pub fn queue(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    /// The one robot that may have the jobs of this lane, the third part of the text; empty for any.
    pub fn target(&self) -> &str {
        self.0.split('/').nth(2).unwrap_or_default()
    }

    /// What the jobs of this lane ask for, the last part of the text.
    pub fn class(&self) -> &str {
        self.0.splitn(4, '/').nth(3).unwrap_or_default()
    }
}

/// The place of a ready record in its lane: lower `band` first, then earlier `since`, then lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Urgency; 0 goes first.
    pub band: u8,
    /// Since when it waits.
    pub since: Timestamp,
}
