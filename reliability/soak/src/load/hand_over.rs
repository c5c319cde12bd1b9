//! Blocks that one thread allocates and another one frees.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::pause;
use crate::gate::Work;
use crate::random::Random;

/// The two ends.
pub(super) fn pair() -> (SyncSender<Message>, Receiver<Message>) {
    sync_channel(512)
}

pub(super) type Message = Vec<Box<[u8]>>;

pub(super) struct Producer {
    random: Random,
    sender: SyncSender<Message>,
}

impl Producer {
    pub(super) fn new(random: Random, sender: SyncSender<Message>) -> Self {
        Self { random, sender }
    }
}

impl Work for Producer {
    fn step(&mut self) {
        for _ in 0..20 {
            let parts = self.random.between(1, 16);
            let parts = (0..parts).map(|_| vec![1; self.random.size(2048)].into());
            match self.sender.try_send(parts.collect()) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => panic!("the consumer lives as long"),
            }
        }
        pause(Duration::from_millis(2));
    }

    fn rest(&mut self) {}
}

pub(super) struct Consumer {
    receiver: Receiver<Message>,
}

impl Consumer {
    pub(super) fn new(receiver: Receiver<Message>) -> Self {
        Self { receiver }
    }
}

impl Work for Consumer {
    fn step(&mut self) {
        match self.receiver.recv_timeout(Duration::from_millis(10)) {
            Ok(message) => drop(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the producer lives as long"),
        }
    }

    fn rest(&mut self) {
        // The producer rests or is about to: its last step takes some milliseconds.
        while self
            .receiver
            .recv_timeout(Duration::from_millis(200))
            .is_ok()
        {}
    }
}
