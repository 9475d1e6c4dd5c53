//! The formula.

use infra_tests::ALARMS;
use serde::Deserialize;

/// What `docs/cost.md` counted, in dollars a million times.
pub(crate) struct Counted {
    /// A plain job that is renewed three times, as one is that runs for a minute.
    job: f64,
    /// A dispatch that finds nothing: what a hint sets off, when the robot has asked by itself.
    look: f64,
    /// An hour of an idle robot.
    robot_hour: f64,
    /// An hour of an idle system.
    system_hour: f64,
}

/// List prices of us-east-1 in dollars.
#[derive(Deserialize)]
pub(crate) struct Prices {
    hours_a_month: f64,
    http_api_per_million: f64,
    lambda_requests_per_million: f64,
    lambda_gb_second: f64,
    scheduler_per_million: f64,
    sqs_requests_per_million: f64,
    dynamodb_gb_month: f64,
    dynamodb_backup_gb_month: f64,
    rds_small_hour: f64,
    rds_large_hour: f64,
    rds_gb_month: f64,
    rds_proxy_vcpu_hour: f64,
    secret_month: f64,
    log_gb: f64,
    traces_per_million: f64,
    alarm_month: f64,
    metric_month: f64,
}

/// What is asked of a deployment.
pub(crate) struct Size {
    jobs_a_day: f64,
    robots: f64,
    /// Custom metrics that are written at all.
    metrics: f64,
    /// Whether Postgres needs the larger instance, and how many GB.
    large: bool,
    postgres_gb: f64,
}

/// Idle, ten thousand jobs a day, a million jobs a day.
pub(crate) const SIZES: [Size; 3] = [
    Size {
        jobs_a_day: 0.0,
        robots: 5.0,
        metrics: 4.0,
        large: false,
        postgres_gb: 20.0,
    },
    Size {
        jobs_a_day: 10_000.0,
        robots: 20.0,
        metrics: 12.0,
        large: false,
        postgres_gb: 20.0,
    },
    Size {
        jobs_a_day: 1_000_000.0,
        robots: 1_000.0,
        metrics: 12.0,
        large: true,
        postgres_gb: 100.0,
    },
];

/// Calls of the API that a job makes: submit, the sync that gives it, the one that begins it, three renewals, finish.
const CALLS_A_JOB: f64 = 7.0;
/// For how many hours a job runs: a minute.
const JOB_HOURS: f64 = 1.0 / 60.0;
/// An idle robot asks each 30 s.
const CALLS_A_ROBOT_HOUR: f64 = 120.0;
/// Two schedules, each minute.
const TICKS_AN_HOUR: f64 = 120.0;
/// Assumed: how long a call takes, at how many GB.
const CALL_SECONDS: f64 = 0.05;
const CALL_GB: f64 = 0.25;
/// Assumed: what a call writes into all logs together.
const CALL_LOG_GB: f64 = 1e-6;
/// Assumed: Lambda keeps five long polls of 20 s open on the queue.
const POLLS_AN_HOUR: f64 = 5.0 * 180.0;
/// Assumed: what a finished job takes in the table with its index entry, for 30 days.
const KEPT_JOB_GB: f64 = 1.5e-6;
const KEPT_DAYS: f64 = 30.0;
/// X-Ray's default rule: the first call of each second, and this share of the others.
const TRACED_BEYOND: f64 = 0.05;
/// Both instances have two, and the proxy is paid by them.
const VCPUS: f64 = 2.0;
const MILLION: f64 = 1e6;

/// What one month comes to, part by part.
pub(crate) struct Month {
    pub(crate) rows: Vec<(&'static str, f64)>,
}

impl Month {
    pub(crate) fn of(size: &Size, with_postgres: bool, counted: &Counted, prices: &Prices) -> Self {
        let hours = prices.hours_a_month;
        let jobs = size.jobs_a_day * hours / 24.0;
        let idle_hours = (size.robots * hours - jobs * JOB_HOURS).max(0.0);
        let api_calls = jobs * CALLS_A_JOB + idle_hours * CALLS_A_ROBOT_HOUR;
        let ticks = TICKS_AN_HOUR * hours;
        // At most one dispatch a job; hints that come together are one.
        let looks = if with_postgres { 0.0 } else { jobs };
        let calls = api_calls + ticks + looks;
        let seconds = hours * 3_600.0;
        let traces = calls.min(seconds + TRACED_BEYOND * (calls - seconds).max(0.0));
        let compute = CALL_SECONDS * CALL_GB * prices.lambda_gb_second;
        let store = if with_postgres {
            postgres(size, prices)
        } else {
            let work =
                jobs * (counted.job + counted.look) + idle_hours * counted.robot_hour + hours * counted.system_hour;
            let polls = POLLS_AN_HOUR * hours * prices.sqs_requests_per_million;
            let kept = size.jobs_a_day * KEPT_DAYS * KEPT_JOB_GB;
            (work + polls) / MILLION + kept * (prices.dynamodb_gb_month + prices.dynamodb_backup_gb_month)
        };
        let alarms = f64::from(ALARMS[usize::from(with_postgres)].1);
        let rows = vec![
            ("the store", store),
            ("HTTP API", api_calls * prices.http_api_per_million / MILLION),
            (
                "Lambda",
                calls * (prices.lambda_requests_per_million / MILLION + compute),
            ),
            ("schedules", ticks * prices.scheduler_per_million / MILLION),
            ("logs", calls * CALL_LOG_GB * prices.log_gb),
            ("traces", traces * prices.traces_per_million / MILLION),
            (
                "alarms and metrics",
                alarms * prices.alarm_month + size.metrics * prices.metric_month,
            ),
        ];
        Self { rows }
    }

    pub(crate) fn sum(&self) -> f64 {
        self.rows.iter().map(|(_, dollars)| dollars).sum()
    }
}

/// The instance, its storage, the proxy and the secret.
fn postgres(size: &Size, prices: &Prices) -> f64 {
    let hour = if size.large {
        prices.rds_large_hour
    } else {
        prices.rds_small_hour
    };
    let proxy = VCPUS * prices.rds_proxy_vcpu_hour;
    (hour + proxy) * prices.hours_a_month + size.postgres_gb * prices.rds_gb_month + prices.secret_month
}

impl Counted {
    /// Reads the rows that are needed out of the table of counts.
    pub(crate) fn read(document: &str) -> Self {
        let dollars = |name: &str| {
            let row = document
                .lines()
                .find(|line| line.trim_start_matches("| ").starts_with(name));
            let row = row.unwrap_or_else(|| panic!("no row {name}"));
            let last = row.trim_end_matches([' ', '|']).rsplit('|').next();
            last.and_then(|cell| cell.trim().parse().ok())
                .unwrap_or_else(|| panic!("no dollars in {row}"))
        };
        Self {
            job: dollars("**a plain job with 3 renewals**"),
            look: dollars("dispatch that finds nothing"),
            robot_hour: dollars("an idle robot's hour"),
            system_hour: dollars("an idle system's hour"),
        }
    }
}
