//! Free ports that stay free while a server is down.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, anyhow};

/// Below the range from which Linux (32768) and macOS (49152) take the near end of outgoing connections: a port above might be taken
/// by a client while its server is stopped, and the server could not come back to it.
const PORTS: std::ops::Range<u32> = 15_000..32_000;

/// A prime: keeps processes that start one after the other from trying the same ports.
const STRIDE: u32 = 7_919;

/// How often another port is tried when somebody was quicker to take the one found free.
const TRIES_MAX: usize = 5;

/// How servers complain of a port that is taken: Postgres and Node, and Java.
const TAKEN: [&str; 2] = ["in use", "Failed to bind"];

/// Starts a server on a free port, and on another when somebody was quicker to take that one.
pub(crate) fn with_free<Server>(start: impl Fn(u16) -> anyhow::Result<Server>) -> anyhow::Result<Server> {
    let mut failure = anyhow!("no port was tried");
    for _ in 0..TRIES_MAX {
        match start(free()?) {
            Ok(started) => return Ok(started),
            // Only a port that was taken under our eyes is worth another try.
            Err(error) if TAKEN.iter().any(|it| error.to_string().contains(it)) => failure = error,
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

/// A port of loopback on which nobody listens now; somebody else may be quicker to take it.
pub(crate) fn free() -> anyhow::Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let start = process::id().wrapping_mul(STRIDE);
    (0..PORTS.len())
        .map(|_| start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)))
        .filter_map(|it| u16::try_from(PORTS.start + it % (PORTS.end - PORTS.start)).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port on loopback")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::{bail, ensure};

    use super::*;

    #[test]
    fn two_free_ports_differ_and_can_be_listened_on() {
        let (one, two) = (free().expect("a port"), free().expect("another"));
        assert_ne!(one, two);
        TcpListener::bind((Ipv4Addr::LOCALHOST, one)).expect("is free");
    }

    #[test]
    fn a_server_that_was_late_for_its_port_is_given_another() {
        let tried = Cell::new(0);
        let port = with_free(|port| {
            tried.set(tried.get() + 1);
            ensure!(tried.get() == TRIES_MAX, "Address already in use");
            Ok(port)
        });
        assert!(port.is_ok());
        tried.set(0);
        let broken: anyhow::Result<()> = with_free(|_| {
            tried.set(tried.get() + 1);
            bail!("no such option")
        });
        assert!(broken.is_err());
        assert_eq!(tried.get(), 1);
    }

    #[test]
    fn a_port_that_is_taken_is_not_handed_out() {
        let taken = free().expect("a port");
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("is free");
        assert!((0..100).all(|_| free().expect("a port") != taken));
    }
}
