//! What is asked of the operations, and what they answer, with jobs and robots by their numbers.

use std::time::Duration;

use domain::{
    explain::ObstacleCode,
    job::{ErrorKind, OnConflict, OnLost, Reason, Settlement, StateName},
    robot::RobotState,
};

/// The names of queues that calls use.
pub const QUEUES: [&str; 2] = ["default", "other"];

/// The names of workflows that calls use.
pub const WORKFLOWS: [&str; 2] = ["invoice", "report"];

/// What jobs may require and robots may have.
pub const CAPABILITIES: [&str; 2] = ["browser", "sap"];

/// How much time goes by with every call, so that no two calls are at the same moment.
pub const CALL_TAKES: Duration = Duration::from_micros(1_009);

/// How many of a job's latest steps are compared.
pub const STEPS_SHOWN: usize = 16;

/// A job's number, counted from 0 in the order in which jobs were made.
pub type JobNumber = usize;

/// A robot's number, counted from 0 in the order in which robots were registered.
pub type RobotNumber = usize;

/// A job as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which of [`QUEUES`].
    pub queue: usize,
    /// Which of [`WORKFLOWS`].
    pub workflow: usize,
    /// 0 to 20.
    pub priority: u8,
    /// How long it is to wait first.
    pub delay_seconds: Option<u32>,
    /// How soon it has to be done.
    pub deadline_seconds: Option<u32>,
    /// How long it may wait.
    pub queue_seconds: Option<u32>,
    /// How long an attempt may take.
    pub run_seconds: u32,
    /// How many attempts it has.
    pub max_attempts: u32,
    /// The first wait of its backoff, which doubles.
    pub backoff_seconds: u32,
    /// What a lost robot means for it.
    pub on_lost: OnLost,
    /// Which of [`CAPABILITIES`] it requires.
    pub capability: Option<usize>,
    /// The one robot that may have it.
    pub robot: Option<RobotNumber>,
    /// Its dedup key, and what happens when that is held.
    pub dedup: Option<(u8, OnConflict)>,
    /// Its idempotency key and the digest of the request.
    pub idempotency: Option<(String, u8)>,
    /// Its payload.
    pub payload: Option<u8>,
}

/// A robot as it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which of [`QUEUES`] it serves.
    pub queues: Vec<usize>,
    /// Which of [`CAPABILITIES`] it has.
    pub capability: Option<usize>,
    /// How many jobs it may hold.
    pub max_jobs: u32,
}

/// Which jobs a list or a bulk call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<StateName>,
    /// In this one of [`QUEUES`].
    pub queue: Option<usize>,
    /// Of this one of [`WORKFLOWS`].
    pub workflow: Option<usize>,
    /// Last handed to this robot.
    pub robot: Option<RobotNumber>,
}

/// What a robot shows: the attempt of a job, with its token or a wrong one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The job.
    pub job: JobNumber,
    /// The attempt.
    pub attempt: u32,
    /// Whether the token is the one that came with it.
    pub right: bool,
}

/// How a robot says that an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was done.
    Succeeded,
    /// It was not, and the robot may say when to ask again.
    Failed(ErrorKind, Option<u32>),
    /// The robot stopped it.
    Cancelled,
}

/// One call of the operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Clients and operators.
    Submit(Vec<Ask>),
    /// Cancels a job.
    Cancel(JobNumber),
    /// Tries a job again.
    Retry(JobNumber),
    /// Tries a dead letter again.
    Requeue(JobNumber),
    /// Puts a dead letter aside.
    Settle(JobNumber, Settlement),
    /// Cancels all that meet a filter.
    BulkCancel(Filter, bool),
    /// Tries again all that meet a filter.
    BulkRetry(Filter, bool),
    /// Changes a queue.
    SetQueue(usize, Option<bool>, Option<u32>),
    /// Reads.
    List(Filter, usize),
    /// Lists dead letters.
    DeadLetters,
    /// Asks why a job is where it is.
    Explain(JobNumber),
    /// Counts.
    Stats,
    /// Registers a robot.
    Register(Profile),
    /// Opens a session that holds some leases.
    OpenSession(RobotNumber, Vec<Shown>),
    /// A robot's sync.
    Sync(RobotNumber, Sync),
    /// A robot's report of an end, with a result.
    Finish(RobotNumber, Shown, How, Option<u8>),
    /// A robot gives a job back.
    Release(RobotNumber, Shown),
    /// A robot sends a chunk of its log.
    Log(RobotNumber, Shown, u32, u8),
    /// A robot keeps a checkpoint.
    Checkpoint(RobotNumber, Shown, u8, u8),
    /// Has a robot take nothing new, or take jobs again.
    Drain(RobotNumber, bool),
    /// Removes a robot.
    Remove(RobotNumber),
    /// The schedules.
    Dispatch,
    /// Fires what is due.
    Sweep,
    /// Time goes by.
    Pass(Duration),
}

/// What a robot says in a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Its session.
    pub epoch: u64,
    /// The number of the sync.
    pub seq: u64,
    /// How many more jobs it could take.
    pub free_slots: u32,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// What it works on.
    pub running: Vec<Shown>,
    /// How far it is with all of it.
    pub percent: Option<u8>,
}

/// What a call was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, and there is nothing to say.
    Done,
    /// Not done, and why.
    Refused(Refused),
    /// What became of each job of a submit.
    Submitted(Vec<Taken>),
    /// The job is now in this state.
    State(StateName),
    /// The new job.
    Made(JobNumber),
    /// How many met the filter and how many were changed.
    Bulk(u64, u64),
    /// These jobs, newest first.
    Jobs(Vec<JobNumber>),
    /// What holds the job back.
    Explained(Vec<ObstacleCode>),
    /// For each queue that is there, how many jobs are scheduled, ready, leased and running.
    Counted(Vec<(String, [u64; 4])>),
    /// The new robot.
    Registered(RobotNumber),
    /// The new session.
    Opened(u64),
    /// What a robot is told.
    Synced(Told),
    /// The state right after the report, and whether it was known.
    Ended(StateName, bool),
    /// How many jobs were reserved.
    Dispatched(u64),
    /// How many jobs became ready, lost a lease, are to be tried again, and ended.
    Swept([u64; 4]),
}

/// What became of one job of a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new.
    Created(JobNumber),
    /// The same request made it.
    Replayed(JobNumber),
    /// It holds the dedup key.
    Returned(JobNumber),
    /// Another request with that key made it.
    Conflict(JobNumber),
    /// It holds the dedup key, and the new one is refused.
    Duplicate(JobNumber),
}

/// What a robot is told in a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// For each listed job its number, attempt, status and the time left of its lease.
    pub leases: Vec<(JobNumber, u32, Status, Option<Duration>)>,
    /// The jobs it is given.
    pub assign: Vec<Given>,
    /// Whether it is to take nothing new.
    pub drain: bool,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The robot has it on.
    Renewed,
    /// The robot must stop at once.
    Lost,
    /// The robot is to stop.
    Cancel,
}

/// A job that a robot is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The job.
    pub job: JobNumber,
    /// The attempt.
    pub attempt: u32,
    /// How long the lease is from now on.
    pub ttl: Duration,
    /// Its payload.
    pub payload: Option<u8>,
    /// What earlier attempts kept.
    pub checkpoints: Vec<(u8, u8)>,
}

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none.
    NotFound,
    /// The lease is lost.
    LeaseLost,
    /// The attempt was reported otherwise.
    OutcomeConflict,
    /// It was begun.
    AlreadyStarted,
    /// It is over.
    Finished,
    /// It is not over, or succeeded.
    NotReady,
    /// It is no dead letter.
    NoDeadLetter,
    /// A newer session was opened.
    Superseded,
    /// A later sync was answered.
    Stale,
    /// The attempt is another robot's.
    WrongRobot,
    /// The chunk that is expected.
    LogGap(u32),
    /// The chunk is there with other content.
    ChunkConflict,
    /// The store, or the model, has no word for it.
    Other(String),
}

/// A job as anybody can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// Its number.
    pub number: JobNumber,
    /// Where it stands.
    pub state: StateName,
    /// Why.
    pub reason: Option<Reason>,
    /// The number of the latest attempt.
    pub attempt: u32,
    /// How many more may start.
    pub attempts_left: u32,
    /// Who has, or had, it.
    pub robot: Option<RobotNumber>,
    /// When it was handed out and begun the last time, since the beginning of the run.
    pub held: Option<(Duration, Option<Duration>)>,
    /// When it was made.
    pub created: Duration,
    /// When it ended.
    pub ended: Option<Duration>,
    /// When it was first asked to be cancelled.
    pub cancel_requested: Option<Duration>,
    /// How far it is.
    pub percent: Option<u8>,
    /// Whether a robot reported an error last.
    pub error: Option<ErrorKind>,
    /// Its payload and its result.
    pub beside: (Option<u8>, Option<u8>),
    /// What was done about it.
    pub settled: Option<Settlement>,
    /// The job it tries again.
    pub retry_of: Option<JobNumber>,
    /// The latest steps: to which state, with which attempt and reason.
    pub steps: Vec<(StateName, u32, Option<Reason>)>,
}

/// A robot as anybody can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotRow {
    /// Its number.
    pub number: RobotNumber,
    /// What it does.
    pub state: RobotState,
    /// Its session.
    pub epoch: u64,
    /// Whether it is to take nothing new.
    pub drain: bool,
}

/// Everything that anybody can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Every job, the oldest first.
    pub jobs: Vec<JobRow>,
    /// Every robot, the oldest first.
    pub robots: Vec<RobotRow>,
}
