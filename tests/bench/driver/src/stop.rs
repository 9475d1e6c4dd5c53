//! The end of work, asked for once and heard by all.

use tokio::sync::watch;

/// Hears when work has to end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Asks for the end of work, at the latest when dropped.
pub(crate) struct Stopper(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Whether work has to end.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until work has to end.
    pub async fn asked(&mut self) {
        // Nobody left to ask is as good as being asked.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

impl Stopper {
    pub(crate) fn ask(&self) {
        self.0.send_replace(true);
    }
}
