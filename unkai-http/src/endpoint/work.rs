//! Threads that make documents: few at once, and none that waits for a client that has gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_channel::oneshot;
use http::Response;
use unkai_core::{Snapshot, aside};

use super::Settings;
use super::answer::Answer;
use super::document::{self, Document};
use super::request::{Asked, Names};
use super::response::{self, Body};

/// How much is going on in all clones of an endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms {
    /// Documents in the making.
    making: Arc<AtomicUsize>,
    /// Requests that wait for the end of their `seconds=`, and their documents.
    waiting: Arc<AtomicUsize>,
    /// Bytes of documents that were made and not sent yet.
    unsent: Arc<AtomicUsize>,
}

/// Makes the document on another thread.
pub(super) fn begin(settings: Arc<Settings>, asked: Asked) -> Answer {
    let rooms = &settings.rooms;
    let unsent = rooms.unsent.load(Ordering::Relaxed);
    if unsent > MOST_UNSENT {
        let why = format_args!(
            "Answers of {unsent} bytes are not taken by those who asked for them. Come back later."
        );
        return Answer::ready(response::busy(why, Duration::from_secs(10)));
    }
    let (room, wait) = match asked.window {
        Some(window) => (&rooms.waiting, window),
        None => (&rooms.making, Duration::from_secs(1)),
    };
    let Some(place) = Held::within(room, 1, settings.max_at_once) else {
        let why = format_args!(
            "{} requests of this kind are being answered, and no more are at once. Come back later.",
            settings.max_at_once
        );
        return Answer::ready(response::busy(why, wait));
    };
    let (tell, told) = oneshot::channel();
    let (alive, gone) = mpsc::channel();
    let work = move || {
        let answer = aside(|| make(&settings, &asked, &gone));
        // First, so that who comes back after the answer finds the place free.
        drop(place);
        if let Some(answer) = answer {
            // An error means that nobody wants it any more.
            drop(tell.send(answer));
        }
    };
    let thread = thread::Builder::new().name("unkai-http-work".to_owned());
    match thread.spawn(work) {
        Ok(_) => Answer::awaited(told, alive),
        Err(error) => {
            let why = format_args!("No thread could be started to make this: {error}.");
            Answer::ready(response::busy(why, Duration::from_secs(1)))
        }
    }
}

/// The answer, unless nobody waits for it any more.
fn make(settings: &Settings, asked: &Asked, gone: &Receiver<Infallible>) -> Option<Response<Body>> {
    let written = if asked.document == Document::Metrics {
        document::write_metrics(settings)
    } else {
        document::write(asked, taken(settings, asked, gone)?, settings)
    };
    let answer = match written {
        Ok(written) => {
            let body = Body::new(Unsent::bytes(written, &settings.rooms.unsent));
            response::document(asked, settings, body)
        }
        Err(error) => response::failed(format_args!("This could not be written: {error}.")),
    };
    Some(answer)
}

/// The snapshot that is asked for. It takes as long as its window does, unless the client goes; the window is no shorter than
/// was asked.
fn taken(settings: &Settings, asked: &Asked, gone: &Receiver<Infallible>) -> Option<Snapshot> {
    let Some(window) = asked.window else {
        return Some(document::snapshot());
    };
    let earlier = document::snapshot();
    let start = Instant::now();
    if asked.names == Names::All {
        // Most names will be needed, and now there is time to look them up.
        settings.names.learn(&earlier);
    }
    match gone.recv_timeout(window.saturating_sub(start.elapsed())) {
        Err(RecvTimeoutError::Timeout) => Some(document::snapshot().since(&earlier)),
        Err(RecvTimeoutError::Disconnected) => None,
        Ok(never) => match never {},
    }
}

/// A part of something that is bounded; given back when it is dropped.
struct Held {
    all: Arc<AtomicUsize>,
    part: usize,
}

impl Held {
    fn within(all: &Arc<AtomicUsize>, part: usize, most: usize) -> Option<Self> {
        let add = |held: usize| held.checked_add(part).filter(|held| *held <= most);
        // Relaxed: the numbers guard nothing but themselves.
        let added = all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.ok().map(|_| Self {
            all: Arc::clone(all),
            part,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.part, Ordering::Relaxed);
    }
}

/// A document that counts as unsent until the server drops it.
struct Unsent {
    document: Vec<u8>,
    _held: Option<Held>,
}

impl Unsent {
    fn bytes(document: Vec<u8>, unsent: &Arc<AtomicUsize>) -> Bytes {
        let held = Held::within(unsent, document.len(), usize::MAX);
        Bytes::from_owner(Self {
            document,
            _held: held,
        })
    }
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.document
    }
}

/// 128 MiB: a report of 50,000 call stacks has 17 MB.
const MOST_UNSENT: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_that_ask_at_once_no_more_are_in_than_may_be() {
        const MOST: usize = 3;
        let (all, inside) = (Arc::default(), AtomicUsize::new(0));
        let refused: usize = thread::scope(|scope| {
            let asking = || {
                let ask = |_: &usize| {
                    let Some(place) = Held::within(&all, 1, MOST) else {
                        return true;
                    };
                    let before = inside.fetch_add(1, Ordering::SeqCst);
                    assert!(before < MOST, "{before} were in");
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                    false
                };
                (0..20_000).filter(ask).count()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(asking)).collect();
            let refused = threads.into_iter().map(|thread| thread.join().unwrap());
            refused.sum()
        });
        assert!(refused > 0, "eight threads were never four at once");
        assert_eq!(all.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_place_is_free_again_when_its_holder_goes() {
        let all = Arc::default();
        let first = Held::within(&all, 1, 2);
        let second = Held::within(&all, 1, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Held::within(&all, 1, 2).is_none());
        drop(first);
        assert!(Held::within(&all, 1, 2).is_some());
    }

    #[test]
    fn a_document_is_unsent_until_the_last_of_its_bytes_is_dropped() {
        let unsent = Arc::default();
        let all = Unsent::bytes(vec![7; 100], &unsent);
        let half = all.slice(50..);
        drop(all);
        assert_eq!(unsent.load(Ordering::Relaxed), 100);
        drop(half);
        assert_eq!(unsent.load(Ordering::Relaxed), 0);
    }
}
