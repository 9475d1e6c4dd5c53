//! How much of everything there is, so that the exploration ends.

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that a client submits.
    pub jobs: usize,
    /// Robots, each of which may hold one job.
    pub robots: usize,
    /// How often a job may start.
    pub max_attempts: u32,
    /// Calls that servers work on at a time.
    pub calls: usize,
    /// How many leases long it goes on.
    pub leases: u8,
    /// How many syncs all robots send together.
    pub syncs: u8,
    /// How often a server may die in the middle of a call.
    pub server_crashes: u8,
    /// How often a robot may die.
    pub robot_crashes: u8,
    /// How often an answer may be lost.
    pub lost_answers: u8,
    /// How often a call may be sent twice.
    pub doubled_calls: u8,
    /// How often a client may ask to cancel.
    pub cancels: u8,
    /// How often somebody dispatches, set off by a hint or not.
    pub dispatches: u8,
    /// How many sweeps there may be.
    pub sweeps: u8,
    /// Whether a write is refused when what it was decided on has been written since. It always is; without it the
    /// exploration has to find what goes wrong.
    pub guards: bool,
}
