//! What stands in front of the servers for the robots, as a load balancer would: each connection goes to the next server that
//! takes it, and stays there.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One address for all servers. Dropped, it closes and cuts every connection.
pub(crate) struct Front {
    /// Its address, for clients.
    pub(crate) url: String,
    cuts: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Opens it in front of the servers at these ports.
    pub(crate) async fn open(ports: &[u16]) -> anyhow::Result<Front> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("cannot listen on loopback")?;
        let url = format!("http://{}", listener.local_addr().context("a listener has an address")?);
        let (cuts, cut) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, ports.into(), cut));
        Ok(Front { url, cuts, accepting })
    }

    /// Cuts every connection that there is, whatever is on its way.
    pub(crate) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, ports: Arc<[u16]>, mut cut: watch::Receiver<()>) {
    let mut turn = 0;
    loop {
        // One that is gone before it was taken is no reason to close.
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        turn += 1;
        cut.mark_unchanged();
        tokio::spawn(carry(client, ports.clone(), turn, cut.clone()));
    }
}

async fn carry(mut client: TcpStream, ports: Arc<[u16]>, turn: usize, mut cut: watch::Receiver<()>) {
    let Some(mut server) = connect(&ports, turn).await else {
        return;
    };
    tokio::select! {
        // However it ends, both sides see it.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = cut.changed() => {}
    }
}

/// The first of the servers that takes a connection, from the one on whose turn it is.
async fn connect(ports: &[u16], turn: usize) -> Option<TcpStream> {
    for place in 0..ports.len() {
        let port = ports[(turn + place) % ports.len()];
        if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            return Some(server);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that says its name to whoever connects, and where it listens.
    async fn server(name: &'static [u8]) -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serving = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut client, _)) = listener.accept().await {
                client.write_all(name).await.expect("is heard");
                open.push(client);
            }
        });
        (port, serving)
    }

    async fn connected(front: &Front) -> (TcpStream, u8) {
        let address = front.url.strip_prefix("http://").expect("is one");
        let mut client = TcpStream::connect(address).await.expect("is taken");
        let name = client.read_u8().await.expect("is carried");
        (client, name)
    }

    #[tokio::test]
    async fn connections_go_to_all_servers_and_past_one_that_is_down() {
        let ((one, _one), (other, down)) = (server(b"a").await, server(b"b").await);
        let front = Front::open(&[one, other]).await.expect("opens");
        let mut names = [connected(&front).await.1, connected(&front).await.1];
        names.sort_unstable();
        assert_eq!(&names, b"ab");
        down.abort();
        let _ = down.await;
        for _ in 0..2 {
            assert_eq!(connected(&front).await.1, b'a');
        }
    }

    #[tokio::test]
    async fn a_cut_ends_every_connection_and_no_later_one() {
        let (port, _serving) = server(b"a").await;
        let front = Front::open(&[port]).await.expect("opens");
        let (mut cut, _) = connected(&front).await;
        front.cut();
        assert!(matches!(cut.read(&mut [0]).await, Ok(0) | Err(_)));
        assert_eq!(connected(&front).await.1, b'a');
    }
}
