//! What every handler stands on, made once.

use std::sync::Arc;

use queue::{ApiKey, Engine, Entropy};

use crate::{
    health::HealthCache,
    keys::{self, KeyText, NewKey},
    metrics::Metrics,
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
}

impl App {
    /// An app on `engine`; `entropy` makes the secrets of keys.
    pub fn new(engine: Engine, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            engine,
            metrics: Metrics::default(),
            health: Arc::default(),
            entropy,
        }
    }

    /// Makes a key: what is to be stored, and the text for its owner.
    pub fn mint(&self, new: NewKey) -> (ApiKey, KeyText) {
        keys::mint(&self.engine, &*self.entropy, new)
    }

    /// Sixteen random bytes as hexadecimal digits, to name a request by.
    pub(crate) fn draw_name(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.entropy.draw()))
    }
}
