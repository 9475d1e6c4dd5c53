//! How a robot is told to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// What is wished of a running robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Work,
    /// Take no more jobs, finish those that run, then end.
    Drain,
    /// Stop the jobs that run, then end.
    Stop,
}

/// The robot's side: hears when it is to end.
#[derive(Debug)]
pub struct Shutdown {
    wishes: watch::Receiver<Wish>,
}

/// The other side: tells it. Dropped, it tells nothing more.
#[derive(Debug)]
pub struct ShutdownHandle {
    wishes: watch::Sender<Wish>,
}

impl Shutdown {
    /// One that a program tells by hand.
    pub fn manual() -> (ShutdownHandle, Shutdown) {
        let (sender, receiver) = watch::channel(Wish::Work);
        (ShutdownHandle { wishes: sender }, Shutdown { wishes: receiver })
    }

    /// One that hears SIGTERM and SIGINT: the first drains, a second stops.
    ///
    /// # Errors
    /// When the system does not let signals be heard.
    pub fn on_signals() -> io::Result<Shutdown> {
        let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (handle, shutdown) = Shutdown::manual();
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
            info!("Told to end: taking no more jobs, finishing those that run; a second signal stops them");
            handle.drain();
            tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
            info!("Told to end at once: stopping the jobs that run");
            handle.stop();
            // Held to the end: without it no wish could be read.
            handle.wishes.closed().await;
        });
        Ok(shutdown)
    }

    /// The next new wish; waits for ever if nobody is left to have one.
    pub(crate) async fn changed(&mut self) -> Wish {
        if self.wishes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.wishes.borrow_and_update()
    }
}

impl ShutdownHandle {
    /// Take no more jobs, finish those that run, then end.
    pub fn drain(&self) {
        self.wishes
            .send_if_modified(|wish| (*wish == Wish::Work).then(|| *wish = Wish::Drain).is_some());
    }

    /// Stop the jobs that run, then end.
    pub fn stop(&self) {
        self.wishes.send_replace(Wish::Stop);
    }
}
