//! What each sample in `events/` is answered with, wherever its function runs.

/// What each sample of an HTTP function is answered with: the status, and a word of the body.
pub const HTTP: &[(&str, u16, &str)] = &[
    ("submit/good", 201, "\"workflow\":\"invoice-export\""),
    ("submit/base64", 201, "\"team\":\"finance\""),
    ("submit/malformed", 400, "malformed_json"),
    ("submit/invalid", 422, "/priority"),
    ("submit/no-key", 401, "unauthorized"),
    ("submit/bulk", 200, "\"status\":422"),
    ("submit/unknown-path", 404, "not_found"),
    ("robot-callback/register", 201, "\"robot_id\""),
    ("robot-callback/register-base64", 201, "\"key\":\"rk_"),
    ("robot-callback/malformed", 400, "malformed_json"),
    ("robot-callback/no-key", 401, "unauthorized"),
    ("robot-callback/session-without-robot-key", 403, "\"scope\":\"robot\""),
    ("robot-callback/log-base64", 403, "missing_scope"),
    ("control/list", 200, "\"items\":[]"),
    ("control/bad-query", 422, "query/limit"),
    ("control/no-key", 401, "unauthorized"),
    ("control/cancel-base64", 404, "not_found"),
    ("control/malformed", 400, "malformed_json"),
    ("control/pause", 200, "\"paused\":true"),
    ("control/health", 200, "\"healthy\""),
    ("control/document", 200, "\"openapi\""),
    ("control/wrong-method", 405, "method_not_allowed"),
];

/// The fields of what each sample of `migrate` is answered with, which needs a store that can be brought up to date.
pub const MIGRATE: &[(&str, &[&str])] = &[
    ("migrate/direct", &["applied", "migrations"]),
    ("migrate/state", &["applied", "migrations"]),
    ("migrate/create-key", &["key", "key_id", "scopes", "tenant"]),
];

/// What each sample of the other functions is answered with.
pub const OTHERS: &[(&str, &str)] = &[
    ("dispatch/schedule", r#"{"assigned":1,"conflicts":0}"#),
    ("dispatch/direct", r#"{"assigned":1,"conflicts":0}"#),
    ("dispatch/direct-queue", r#"{"assigned":1,"conflicts":0}"#),
    ("dispatch/direct-timer", r#"{"assigned":1,"conflicts":0}"#),
    ("dispatch/hints", r#"{"batchItemFailures":[]}"#),
    ("dispatch/hints-timer", r#"{"batchItemFailures":[]}"#),
    ("dispatch/hints-traced", r#"{"batchItemFailures":[]}"#),
    (
        "dispatch/hints-one-malformed",
        r#"{"batchItemFailures":[{"itemIdentifier":"m-2"}]}"#,
    ),
    (
        "timeout-sweep/schedule",
        r#"{"conflicts":0,"ended":0,"leases_lost":0,"more":false,"purged":0,"ready":1,"rearmed":0,"retried":0}"#,
    ),
    (
        "timeout-sweep/direct",
        r#"{"conflicts":0,"ended":0,"leases_lost":0,"more":false,"purged":0,"ready":1,"rearmed":0,"retried":0}"#,
    ),
];
