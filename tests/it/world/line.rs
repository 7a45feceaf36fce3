//! A line to a server that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries connections to a server, until told otherwise.
pub(crate) struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
}

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Carrying,
    /// Every connection ends, and so does each new one.
    Closed,
    /// Nothing arrives, and nothing ends: so it looks when a machine falls off the network.
    Silent,
}

impl Line {
    pub(super) async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        Self::from(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, server)
    }

    /// From where somebody listens already.
    pub(super) fn from(listener: TcpListener, server: SocketAddr) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let (state, states) = watch::channel(State::Carrying);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(carry(socket, server, states.clone()));
            }
        });
        Ok(Self { address, state })
    }

    /// Where the server seems to be.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn becomes(&self, state: State) {
        self.state.send_replace(state);
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr, mut states: watch::Receiver<State>) {
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let mut carrying = pin!(copy_bidirectional(&mut near, &mut far));
    loop {
        let state = *states.borrow_and_update();
        let changed = match state {
            State::Closed => return,
            State::Silent => states.changed().await,
            State::Carrying => tokio::select! {
                _ = &mut carrying => return,
                changed = states.changed() => changed,
            },
        };
        if changed.is_err() {
            return;
        }
    }
}
