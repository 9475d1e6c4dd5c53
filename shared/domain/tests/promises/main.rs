//! What `domain` promises, case by case and by properties over random lives of a job.

mod budget;
mod cancelling;
mod explaining;
mod finishing;
mod fleet;
mod matching;
mod robots;
mod story;
mod telling;
mod timing;
mod transitions;
mod walks;
