//! A port that stays a test's own while its server is away. One that is only found free and let
//! go may be taken by any other server of this machine, which then gets what the test sends.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Holds the port while it lives. Nobody listens there: who connects is turned away at once.
#[derive(Debug)]
pub(crate) struct Port {
    socket: TcpSocket,
}

impl Port {
    /// Any free one on loopback.
    pub(crate) fn any() -> Self {
        Self { socket: bound("127.0.0.1:0".parse().unwrap()) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Listens on it until the listener is dropped; more than once, one after another.
    pub(crate) fn listen(&self) -> TcpListener {
        bound(self.address()).listen(128).unwrap()
    }
}

/// Two sockets of one user share a port when both ask for it; only one of these listens.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
