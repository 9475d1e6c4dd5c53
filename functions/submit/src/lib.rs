//! Takes jobs in: `POST /v1/jobs` and `POST /v1/jobs/bulk`.
//!
//! It reads what is asked, hands it to the queue, and answers. It never decides about a job.

mod bulk;
mod job;
mod requests;
mod submission;

pub use self::requests::{
    BulkSubmit, BulkSubmitted, BulkSubmittedJob, BulkedJob, DedupRequest, PrefersRequest, RequiresRequest,
    RetryRequest, SubmitJob, TimeoutsRequest,
};

app::handlers!(job::submit_job, bulk::submit_jobs,);
