//! Free ports that stay free while a server is down.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context;

/// Below the range from which Linux (32768) and macOS (49152) take the near end of outgoing connections: a port above might be taken
/// by a client while its server is stopped, and the server could not come back to it.
const PORTS: std::ops::Range<u32> = 15_000..32_000;

/// A prime: keeps processes that start one after the other from trying the same ports.
const STRIDE: u32 = 7_919;

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
    use super::*;

    #[test]
    fn two_free_ports_differ_and_can_be_listened_on() {
        let (one, two) = (free().expect("a port"), free().expect("another"));
        assert_ne!(one, two);
        TcpListener::bind((Ipv4Addr::LOCALHOST, one)).expect("is free");
    }

    #[test]
    fn a_port_that_is_taken_is_not_handed_out() {
        let taken = free().expect("a port");
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("is free");
        assert!((0..100).all(|_| free().expect("a port") != taken));
    }
}
