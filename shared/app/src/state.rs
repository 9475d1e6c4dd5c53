//! What every handler stands on, made once.

use std::sync::Arc;

use queue::{ApiKey, Engine, Entropy, Refusal};

use crate::{
    emf::{Deployment, Emf, Gauge, Log},
    health::HealthCache,
    keys::{self, KeyText, NewKey},
    metrics::{self, Metrics},
};

/// The queue and what HTTP adds to it; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The queue.
    pub engine: Engine,
    /// What is counted in this process.
    pub metrics: Metrics,
    pub(crate) health: Arc<HealthCache>,
    entropy: Arc<dyn Entropy>,
    emf: Option<Arc<Emf>>,
}

impl App {
    /// An app on `engine`; `entropy` makes the secrets of keys.
    pub fn new(engine: Engine, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            engine,
            metrics: Metrics::default(),
            health: Arc::default(),
            entropy,
            emf: None,
        }
    }

    /// This app, which writes its metrics as those of `deployment` to `log`, in the embedded metric format.
    #[must_use]
    pub fn with_metrics(mut self, deployment: Deployment, log: Log) -> Self {
        self.emf = Some(Arc::new(Emf::new(deployment, log)));
        self
    }

    /// Whether metrics are written to the log, so that it is worth while to read what they need.
    pub fn writes_metrics(&self) -> bool {
        self.emf.is_some()
    }

    /// Adds to the metrics what the queue counted by itself.
    pub fn gather(&self) {
        for (tenant, count) in self.engine.take_dead_letters() {
            self.metrics.add(metrics::DEAD_LETTERS, Some(&tenant), &[], count);
        }
    }

    /// Writes one line of metrics with `gauges` and what was counted since the last one, if there is anything to write and
    /// metrics are written at all.
    pub fn flush_metrics(&self, gauges: &[(Gauge, u64)]) {
        if let Some(emf) = &self.emf {
            self.gather();
            emf.tell(&self.metrics, gauges, self.engine.now());
        }
    }

    /// Makes a key: what is to be stored, and the text for its owner.
    pub fn mint(&self, new: NewKey) -> (ApiKey, KeyText) {
        keys::mint(&self.engine, &*self.entropy, new)
    }

    /// Makes a key and stores it, and its tenant if that is new: what is stored, and the text for its owner.
    pub async fn create_key(&self, new: NewKey) -> Result<(ApiKey, KeyText), Refusal> {
        let (key, text) = self.mint(new);
        self.engine.create_key(key.clone()).await?;
        Ok((key, text))
    }

    /// Sixteen random bytes as hexadecimal digits, to name a request by.
    pub(crate) fn draw_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.entropy.draw()))
    }
}
