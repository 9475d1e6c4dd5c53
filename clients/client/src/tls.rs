//! The one place that chooses a cryptography provider.

use std::sync::Once;

/// Installs `ring` as the process's provider, unless the program has chosen one already.
pub(crate) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that another provider is there, and any provider will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
