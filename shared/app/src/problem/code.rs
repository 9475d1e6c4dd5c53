//! Every code that a problem can have, in one table.

use axum::http::StatusCode;

macro_rules! codes {
    ($($name:ident $word:literal $status:ident $title:literal $meaning:literal;)*) => {
        /// What kind of problem it is. The words are stable; clients branch on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word for it, as in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The HTTP status it comes with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it is called.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    MalformedJson "malformed_json" BAD_REQUEST "Malformed JSON" "The body is no JSON text.";
    MalformedBody "malformed_body" BAD_REQUEST "Malformed body" "The body broke off, or is not in the encoding it names.";
    Unauthorized "unauthorized" UNAUTHORIZED "Unauthorized" "There is no key, or it is unknown, revoked or expired.";
    MissingScope "missing_scope" FORBIDDEN "Missing scope" "The key lacks the scope that `scope` names.";
    WrongRobot "wrong_robot" FORBIDDEN "Wrong robot" "The key or the lease is another robot's.";
    NotFound "not_found" NOT_FOUND "Not found" "There is none of that path or id.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed" "The path is known, with the methods of the header Allow.";
    LeaseLost "lease_lost" CONFLICT "Lease lost" "The attempt is not the robot's any more; nothing was changed.";
    OutcomeConflict "outcome_conflict" CONFLICT "Outcome conflict" "The attempt was finished before, with another outcome or result.";
    AlreadyStarted "already_started" CONFLICT "Already started" "A job that was started cannot be given back.";
    SessionSuperseded "session_superseded" CONFLICT "Session superseded" "The robot has a newer session, or none yet.";
    StaleSequence "stale_sequence" CONFLICT "Stale sequence" "A later sync of this session was answered already.";
    ChunkConflict "chunk_conflict" CONFLICT "Chunk conflict" "The chunk is there already with another body.";
    LimitReached "limit_reached" CONFLICT "Limit reached" "There are as many of them as there may be.";
    IdempotencyConflict "idempotency_conflict" CONFLICT "Idempotency conflict" "The key came before with another request; `job_id` is the job of that one.";
    Duplicate "duplicate" CONFLICT "Duplicate" "The unfinished job `job_id` holds the dedup key.";
    JobFinished "job_finished" CONFLICT "Job finished" "The job is over and cannot be cancelled.";
    JobNotRetryable "job_not_retryable" CONFLICT "Job not retryable" "The job is not over, or it succeeded.";
    NotADeadLetter "not_a_dead_letter" CONFLICT "Not a dead letter" "The job neither failed nor timed out, or somebody has dealt with it.";
    TooLarge "too_large" PAYLOAD_TOO_LARGE "Too large" "The body is larger than this path takes.";
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "Payload too large" "The payload or result is larger than 256 KiB as compact JSON.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type" "The body is not of the content type, or the encoding, that this path takes.";
    LogGap "log_gap" RANGE_NOT_SATISFIABLE "Gap in the log" "Chunks are missing before this one; `next_seq` is the next.";
    Invalid "invalid" UNPROCESSABLE_ENTITY "Invalid" "Values are wrong; `errors` has each with its place.";
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error" "A fault of the server; its log has the request's id.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded" "Too many jobs wait; nothing was taken in. Try again later.";
    StoreUnavailable "store_unavailable" SERVICE_UNAVAILABLE "Store unavailable" "The store is out of reach. Try again: what was sent may or may not have been done.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_word_of_its_own() {
        let mut words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn each_code_is_an_error_and_says_what_it_means() {
        for code in Code::ALL {
            assert!(code.status().as_u16() >= 400, "{code:?}");
            assert!(code.meaning().ends_with('.'), "{code:?}");
        }
    }
}
