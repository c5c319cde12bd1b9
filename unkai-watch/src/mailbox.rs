//! How the watcher's thread hands work to another without waiting for it.
//!
//! There is room for one letter, besides the one that is being worked on. Putting one in allocates nothing.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    desk: Mutex<Desk<T>>,
    bell: Condvar,
}

#[derive(Debug)]
struct Desk<T> {
    letter: Option<T>,
    /// The reader has taken a letter and not yet asked for the next.
    busy: bool,
    closed: bool,
}

impl<T> Mailbox<T> {
    pub(crate) const fn new() -> Self {
        Self {
            desk: Mutex::new(Desk {
                letter: None,
                busy: false,
                closed: false,
            }),
            bell: Condvar::new(),
        }
    }

    /// Leaves a letter. Whether there was room.
    pub(crate) fn put(&self, letter: T) -> bool {
        let mut desk = self.desk();
        if desk.letter.is_some() || desk.closed {
            return false;
        }
        desk.letter = Some(letter);
        self.bell.notify_one();
        true
    }

    /// Whether the reader has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        let desk = self.desk();
        !desk.busy && desk.letter.is_none()
    }

    /// Waits for a letter. `None` when the box is closed and empty.
    pub(crate) fn take(&self) -> Option<T> {
        let mut desk = self.desk();
        desk.busy = false;
        loop {
            if let Some(letter) = desk.letter.take() {
                desk.busy = true;
                return Some(letter);
            }
            if desk.closed {
                return None;
            }
            desk = self.bell.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the box. Whether the reader has nothing left to do.
    pub(crate) fn close(&self) -> bool {
        let mut desk = self.desk();
        desk.closed = true;
        self.bell.notify_all();
        !desk.busy && desk.letter.is_none()
    }

    /// No code that can panic runs while it is locked.
    fn desk(&self) -> MutexGuard<'_, Desk<T>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_waits_and_the_next_is_refused() {
        let mailbox = Mailbox::new();
        assert!(mailbox.put(1));
        assert!(!mailbox.put(2));
        assert_eq!(mailbox.take(), Some(1));
        assert!(mailbox.put(3));
        assert!(!mailbox.close(), "1 is being worked on");
        assert!(!mailbox.put(4), "closed");
        assert_eq!((mailbox.take(), mailbox.take()), (Some(3), None));
    }

    #[test]
    fn an_idle_reader_is_told_of_the_end() {
        let mailbox = Mailbox::<u8>::new();
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| mailbox.take());
            mailbox.close();
            assert_eq!(reader.join().expect("it only reads"), None);
        });
    }
}
