//! Metrics on AWS: one line a call in the embedded metric format, which `CloudWatch` reads from a function's log.
//!
//! What is counted is what [`Metrics`] counts; a line has the differences to the one before. The only dimension is the
//! name of the deployment: a metric for each queue, tenant or robot would be one to pay for.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Mutex, PoisonError},
};

use domain::{BadName, QueueName, Timestamp};
use serde_json::{Map, Value, json};

use crate::metrics::{
    ATTEMPTS_FINISHED, DEAD_LETTERS, DISPATCHED, HTTP_REQUESTS, JOBS_SUBMITTED, Metrics, REFUSALS, SWEEP_ACTIONS,
    SWEEP_RUNS,
};

const NAMESPACE: &str = "Remuda";
const DIMENSION: &str = "Deployment";

/// The metrics that count: their names, and what of [`Metrics`] they are, by name and a part of the labels.
const COUNTS: [(&str, &str, &str); 11] = [
    ("AttemptsFinished", ATTEMPTS_FINISHED, ""),
    ("DeadLetters", DEAD_LETTERS, ""),
    ("HttpErrors", HTTP_REQUESTS, "status=\"5"),
    ("JobsDispatched", DISPATCHED, ""),
    ("JobsEnded", SWEEP_ACTIONS, "action=\"ended\""),
    ("JobsRetried", SWEEP_ACTIONS, "action=\"retried\""),
    ("JobsSubmitted", JOBS_SUBMITTED, "how=\"created\""),
    ("LeasesLost", SWEEP_ACTIONS, "action=\"lease_lost\""),
    ("Overloaded", REFUSALS, "code=\"overloaded\""),
    ("StaleReports", REFUSALS, "code=\"lease_lost\""),
    ("SweepRuns", SWEEP_RUNS, ""),
];

/// A metric that says how something stands, and not how often it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gauge {
    /// For how long the oldest ready job has been ready, as far as
    /// [`oldest_ready_seconds`](queue::Engine::oldest_ready_seconds) looks; 0 when none waits.
    OldestReadySeconds,
    /// How many jobs are ready.
    ReadyJobs,
    /// How many robots were heard of in the last two minutes.
    RobotsOnline,
}

impl Gauge {
    /// Its name in `CloudWatch`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OldestReadySeconds => "OldestReadySeconds",
            Self::ReadyJobs => "ReadyJobs",
            Self::RobotsOnline => "RobotsOnline",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::OldestReadySeconds => "Seconds",
            Self::ReadyJobs | Self::RobotsOnline => "Count",
        }
    }
}

/// The name of a deployment, written like that of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment(QueueName);

impl Deployment {
    /// Reads the name of a deployment.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        QueueName::parse(text).map(Self)
    }
}

/// Where lines are written to.
pub type Log = Box<dyn Write + Send>;

/// The metrics of a deployment: what was told of them already, and where.
pub(crate) struct Emf {
    deployment: Deployment,
    told: Mutex<BTreeMap<&'static str, u64>>,
    log: Mutex<Log>,
}

impl Emf {
    /// Metrics of which nothing was told yet.
    pub(crate) fn new(deployment: Deployment, log: Log) -> Self {
        Self {
            deployment,
            told: Mutex::default(),
            log: Mutex::new(log),
        }
    }

    /// Writes the line that there is to tell, if there is one.
    pub(crate) fn tell(&self, metrics: &Metrics, gauges: &[(Gauge, u64)], now: Timestamp) {
        if let Some(line) = self.line(metrics, gauges, now) {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            // A log that nobody reads any more is no reason to fail.
            let _ = writeln!(log, "{line}").and_then(|()| log.flush());
        }
    }

    /// The line that tells `gauges` and what was counted since the last one; `None` when there is nothing to tell.
    fn line(&self, metrics: &Metrics, gauges: &[(Gauge, u64)], now: Timestamp) -> Option<String> {
        let counted = self
            .news(metrics)
            .into_iter()
            .map(|(name, count)| (name, "Count", count));
        let gauges = gauges.iter().map(|(gauge, value)| (gauge.name(), gauge.unit(), *value));
        let values: Vec<(&str, &str, u64)> = gauges.chain(counted).collect();
        (!values.is_empty()).then(|| self.written(&values, now))
    }

    /// How much more of each metric was counted than was told; nothing of those that stand still.
    fn news(&self, metrics: &Metrics) -> Vec<(&'static str, u64)> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for (name, series, label) in COUNTS {
            let total = metrics.total(series, label);
            let before = told.insert(name, total).unwrap_or(0);
            news.extend((total > before).then(|| (name, total - before)));
        }
        news
    }

    fn written(&self, values: &[(&str, &str, u64)], now: Timestamp) -> String {
        let described: Vec<Value> = values
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect();
        let about = json!({
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": described }],
        });
        let mut line = Map::from_iter([
            ("_aws".to_owned(), about),
            (DIMENSION.to_owned(), json!(self.deployment.0.as_str())),
        ]);
        line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use domain::TenantName;

    use super::*;

    fn emf() -> Emf {
        Emf::new(Deployment::parse("prod").expect("a name"), Box::new(std::io::sink()))
    }

    fn told(line: Option<String>) -> Value {
        serde_json::from_str(&line.expect("a line")).expect("JSON")
    }

    #[test]
    fn a_line_tells_what_was_counted_since_the_one_before() {
        let (emf, metrics, at) = (emf(), Metrics::default(), Timestamp::from_millis(1_795_262_400_000));
        assert_eq!(emf.line(&metrics, &[], at), None);
        let tenants = ["a", "b"].map(|name| TenantName::parse(name).expect("a name"));
        for tenant in &tenants {
            metrics.add(JOBS_SUBMITTED, Some(tenant), &[("how", "created")], 2);
            metrics.add(JOBS_SUBMITTED, Some(tenant), &[("how", "replayed")], 1);
        }
        assert_eq!(
            told(emf.line(&metrics, &[], at)),
            json!({
                "_aws": {
                    "Timestamp": 1_795_262_400_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Remuda",
                        "Dimensions": [["Deployment"]],
                        "Metrics": [{ "Name": "JobsSubmitted", "Unit": "Count" }],
                    }],
                },
                "Deployment": "prod",
                "JobsSubmitted": 4,
            })
        );
        assert_eq!(emf.line(&metrics, &[], at), None);
        metrics.add(JOBS_SUBMITTED, None, &[("how", "created")], 1);
        assert_eq!(told(emf.line(&metrics, &[], at))["JobsSubmitted"], 1);
    }

    #[test]
    fn gauges_are_told_each_time_zero_included() {
        let (emf, metrics) = (emf(), Metrics::default());
        for value in [0, 0, 7] {
            let line = told(emf.line(&metrics, &[(Gauge::OldestReadySeconds, value)], Timestamp::default()));
            assert_eq!(line["OldestReadySeconds"], value);
            let described = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
            assert_eq!(*described, json!([{ "Name": "OldestReadySeconds", "Unit": "Seconds" }]));
        }
    }

    #[test]
    fn refusals_and_errors_are_told_apart() {
        let (emf, metrics) = (emf(), Metrics::default());
        for (code, status) in [
            ("overloaded", "503"),
            ("lease_lost", "409"),
            ("invalid", "422"),
            ("internal", "500"),
        ] {
            metrics.add(REFUSALS, None, &[("code", code)], 1);
            metrics.add(
                HTTP_REQUESTS,
                None,
                &[("method", "GET"), ("route", "/5"), ("status", status)],
                1,
            );
        }
        let line = told(emf.line(&metrics, &[], Timestamp::default()));
        let counted = ["Overloaded", "StaleReports", "HttpErrors"].map(|name| line[name].as_u64());
        assert_eq!(counted, [Some(1), Some(1), Some(2)], "{line}");
    }

    #[test]
    fn a_deployment_is_named_like_a_queue() {
        assert!(Deployment::parse("prod-eu.1").is_ok());
        for bad in ["", "Prod", "a b", "é"] {
            assert!(Deployment::parse(bad).is_err(), "{bad}");
        }
    }
}
