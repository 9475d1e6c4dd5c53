//! What is logged, and how.

use std::io::IsTerminal as _;

use tracing_subscriber::{filter::Targets, fmt, prelude::*};

use crate::settings::{LogFormat, Settings};

/// Starts logging to stderr by `settings`. Does nothing when this process logs already.
pub fn start(settings: &Settings) {
    let filter: Targets = settings.log.parse().unwrap_or_default();
    let registry = tracing_subscriber::registry().with(filter);
    // Only a second start fails, and then the first one holds.
    let _ = match settings.log_format {
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
}
