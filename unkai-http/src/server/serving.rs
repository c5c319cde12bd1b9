//! A server that runs.

use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures_channel::oneshot::{Receiver, Sender};

use super::connections::Connections;

/// A [`Server`](crate::Server) that runs. Dropping it lets the server run to the end of the process.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: Sender<()>,
    thread: JoinHandle<()>,
    connections: Arc<Connections>,
}

impl Serving {
    pub(super) fn new(
        address: SocketAddr,
        stop: Sender<()>,
        thread: JoinHandle<()>,
        connections: Arc<Connections>,
    ) -> Self {
        Self {
            address,
            stop,
            thread,
            connections,
        }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.connections.counts()
    }

    /// Closes all connections and ends the thread. Returns when that is done: the port is free then. A document that is
    /// being made goes on to its end on its own thread, and then goes nowhere.
    pub fn stop(self) {
        let Self { stop, thread, .. } = self;
        // Errors mean that the thread has ended already.
        let _ended = stop.send(());
        let _ended = thread.join();
    }
}

/// What has happened to the connections of a [`Server`](crate::Server) so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that are open now.
    pub open: u64,
    /// Connections that were accepted.
    pub accepted: u64,
    /// Of these, how many were closed to make room for another.
    pub closed_for_room: u64,
    /// Of these, how many ended in an error: what was sent is not HTTP, or came too slowly, or nobody took the answer.
    pub failed: u64,
    /// How often the system could not hand over another, as when the process has no file left.
    pub not_accepted: u64,
}

/// Until somebody stops it; not if the one who could was dropped.
pub(super) async fn until(stopped: Receiver<()>) {
    if stopped.await.is_err() {
        future::pending::<()>().await;
    }
}
