//! Waiting for room: reservations that are served in the order in which they came.
//!
//! Who waits stands in the queue of the level that refused. While anybody does, stocks below that level stay closed, so
//! that every free reaches it and can wake the first in line. Only the first tries; when it leaves, it wakes the next.

use std::collections::VecDeque;
use std::fmt;
#[cfg(feature = "async")]
use std::future::Future;
#[cfg(feature = "async")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "async")]
use std::task::Context;
use std::task::{Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::charge::Decided;
use super::fork;
use super::guarded;
use super::handle::Scope;
use super::lock::Lock;
use super::node::Node;
use super::reclaim::now;
use super::refusal::Refusal;
use super::reservation::Reservation;
use super::stock::Blocks;
use crate::sync::{AtomicUsize, Ordering};

/// What [`Scope::reserve`] does when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// Refuses at once.
    Fail,
    /// Waits until there is room, behind those who wait already, and refuses after `timeout`.
    Wait {
        /// How long to wait; [`Duration::MAX`] for as long as it takes.
        timeout: Duration,
    },
}

/// A reservation that may have to wait: a future of any runtime, or [`blocking`](Self::blocking) for a thread.
///
/// Requests that wait at the same scope are served in their order: the first in line is not overtaken by another that
/// waits, though it may be by allocations that do not. Dropping the future gives up its place.
///
/// ```
/// use std::time::Duration;
/// use unkai_core::{OnExhausted, Scope};
///
/// let scope = Scope::root("exports").limit(1000).build()?;
/// let held = scope.try_reserve(900)?;
/// let waiting = scope.reserve(500, OnExhausted::Wait { timeout: Duration::from_secs(60) });
/// let waiter = std::thread::spawn(move || waiting.blocking());
/// drop(held);
/// assert_eq!(waiter.join().unwrap()?.bytes(), 500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a future does nothing before it is polled"]
pub struct Reserve {
    scope: Scope,
    bytes: usize,
    policy: OnExhausted,
    place: Option<Place>,
}

/// Where a request waits.
struct Place {
    at: Arc<Node>,
    waiter: Arc<Waiter>,
    since: Instant,
    /// None: as long as it takes.
    deadline: Option<Instant>,
    #[cfg(feature = "async")]
    alarm: Option<futures_timer::Delay>,
}

/// One who waits, as the queue knows it.
struct Waiter {
    node: Arc<Node>,
    bytes: usize,
    waker: Lock<Option<Waker>>,
    /// Of the process that it waits in: see [`fork::generation`].
    generation: usize,
}

/// The queue of a level.
pub(super) struct Waiters {
    queue: Lock<VecDeque<Arc<Waiter>>>,
    /// Its length, to be seen without the lock.
    count: AtomicUsize,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            queue: Lock::new(VecDeque::new()),
            count: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub(super) fn are_there(&self) -> bool {
        self.count() > 0
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Wakes the first in line at `node`, if there is room for it.
    #[inline]
    pub(super) fn wake(&self, node: &Node) {
        if self.are_there() {
            self.wake_slow(node);
        }
    }

    #[cold]
    fn wake_slow(&self, node: &Node) {
        self.wake_if(|first| first.fits(node));
    }

    /// Wakes the first in line, who has not been the first before: it has not yet seen to it that all stocks are closed, so
    /// nobody can tell from outside whether there is room for it.
    fn wake_next(&self) {
        self.wake_if(|_| true);
    }

    fn wake_if(&self, condition: impl FnOnce(&Waiter) -> bool) {
        let waker = {
            let mut queue = self.queue.lock();
            let Some(first) = self.first(&mut queue).filter(|first| condition(first)) else {
                return;
            };
            first.waker.lock().take()
        };
        if let Some(waker) = waker {
            // The runtime's code, and we may be inside a free.
            guarded::contain(|| waker.wake());
        }
    }

    fn join(&self, waiter: &Arc<Waiter>) {
        let mut queue = self.queue.lock();
        queue.push_back(Arc::clone(waiter));
        self.count.store(queue.len(), Ordering::Release);
    }

    fn leave(&self, waiter: &Arc<Waiter>) {
        let mut queue = self.queue.lock();
        queue.retain(|other| !Arc::ptr_eq(other, waiter));
        self.count.store(queue.len(), Ordering::Release);
    }

    fn is_first(&self, waiter: &Arc<Waiter>) -> bool {
        let mut queue = self.queue.lock();
        self.first(&mut queue)
            .is_some_and(|first| std::ptr::eq(first, &**waiter))
    }

    /// Who is first in line. Not who waited when this process was forked: the child does not have its thread, most likely, and
    /// if it is a task of the thread that forked, then it stands in line anew when it is polled.
    fn first<'q>(&self, queue: &'q mut VecDeque<Arc<Waiter>>) -> Option<&'q Waiter> {
        while queue
            .front()
            .is_some_and(|first| first.is_of_another_process())
        {
            // Not dropped: that would run code of a runtime whose threads are not there.
            std::mem::forget(queue.pop_front());
            self.count.store(queue.len(), Ordering::Release);
        }
        queue.front().map(|first| &**first)
    }
}

impl Waiter {
    fn is_of_another_process(&self) -> bool {
        self.generation != fork::generation()
    }

    fn fits(&self, at: &Node) -> bool {
        let level = &at.level;
        let room = level
            .most()
            .saturating_sub(level.held.load(Ordering::Acquire));
        let prepaid: usize = self
            .node
            .upwards()
            .take_while(|node| !std::ptr::eq(*node, at))
            .map(|node| node.level.credit.load(Ordering::Relaxed))
            .sum();
        self.bytes.saturating_sub(prepaid) <= room
    }
}

impl Reserve {
    pub(super) fn new(scope: &Scope, bytes: usize, policy: OnExhausted) -> Self {
        Self {
            scope: scope.clone(),
            bytes,
            policy,
            place: None,
        }
    }

    /// Waits on this thread, which needs no runtime for it.
    ///
    /// # Errors
    /// When a limit refuses and there is no waiting for it, or the time is up.
    pub fn blocking(mut self) -> Result<Reservation, Refusal> {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }

        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            if let Poll::Ready(result) = self.advance(&waker) {
                return result;
            }
            match self.place.as_ref().and_then(|place| place.deadline) {
                Some(deadline) => {
                    std::thread::park_timeout(deadline.saturating_duration_since(now()));
                }
                None => std::thread::park(),
            }
        }
    }

    fn advance(&mut self, waker: &Waker) -> Poll<Result<Reservation, Refusal>> {
        loop {
            let Some(place) = &self.place else {
                match self.begin() {
                    Poll::Ready(result) => return Poll::Ready(result),
                    Poll::Pending => continue,
                }
            };
            if place.waiter.is_of_another_process() {
                let at = Arc::clone(&place.at);
                self.move_to(at);
                continue;
            }
            // Before the attempt, so that no free in between is missed.
            *place.waiter.waker.lock() = Some(waker.clone());
            if place.at.waiters.is_first(&place.waiter) {
                match self.attempt(false) {
                    Ok(reservation) => {
                        self.leave();
                        return Poll::Ready(Ok(reservation));
                    }
                    Err(at) if !Arc::ptr_eq(&at, &place.at) => {
                        self.move_to(at);
                        continue;
                    }
                    Err(_) => {}
                }
            }
            if place.deadline.is_some_and(|deadline| now() >= deadline) {
                let node = self.scope.node();
                let mut details =
                    Decided::at(&place.at, node, self.bytes, place.at.used()).refuse();
                details.waited = Some(now() - place.since);
                self.leave();
                return Poll::Ready(Err(Refusal::from(details)));
            }
            return Poll::Pending;
        }
    }

    /// The first attempt; pending once it has a place in a queue.
    fn begin(&mut self) -> Poll<Result<Reservation, Refusal>> {
        let node = self.scope.node();
        let OnExhausted::Wait { timeout } = self.policy else {
            return Poll::Ready(self.scope.try_reserve(self.bytes));
        };
        let queue = node.upwards().find(|node| node.waiters.are_there());
        let at = match queue {
            Some(at) => arc_above(node, at),
            None => match self.attempt(true) {
                Ok(reservation) => return Poll::Ready(Ok(reservation)),
                Err(at) => at,
            },
        };
        let since = now();
        self.wait_at(at, since, since.checked_add(timeout));
        Poll::Pending
    }

    fn wait_at(&mut self, at: Arc<Node>, since: Instant, deadline: Option<Instant>) {
        let waiter = Arc::new(Waiter {
            node: Arc::clone(self.scope.node()),
            bytes: self.bytes,
            waker: Lock::new(None),
            generation: fork::generation(),
        });
        at.waiters.join(&waiter);
        at.events.waits.fetch_add(1, Ordering::Relaxed);
        self.place = Some(Place {
            at,
            waiter,
            since,
            deadline,
            #[cfg(feature = "async")]
            alarm: None,
        });
    }

    /// Waits at another level, which refuses now, or anew at the same one.
    fn move_to(&mut self, at: Arc<Node>) {
        if let Some(place) = self.leave() {
            self.wait_at(at, place.since, place.deadline);
        }
    }

    fn attempt(&self, reclaim: bool) -> Result<Reservation, Arc<Node>> {
        let node = self.scope.node();
        if self.bytes > 0 {
            let raised = node
                .obtain(self.bytes, reclaim)
                .map_err(|decided| arc_above(node, decided.at))?;
            node.front.stock.add(Blocks::One);
            node.confirm(raised);
        }
        Ok(Reservation::of_charged(self.scope.clone(), self.bytes))
    }

    /// Gives up the place in the queue, and lets the next one have a try.
    fn leave(&mut self) -> Option<Place> {
        let place = self.place.take()?;
        let nanos = u64::try_from((now() - place.since).as_nanos()).unwrap_or(u64::MAX);
        place
            .at
            .events
            .waited_nanos
            .fetch_add(nanos, Ordering::Relaxed);
        place.at.waiters.leave(&place.waiter);
        place.at.waiters.wake_next();
        Some(place)
    }
}

/// `at`, which is `node` or above it.
fn arc_above(node: &Arc<Node>, at: &Node) -> Arc<Node> {
    let mut this = node;
    while !std::ptr::eq(&**this, at) {
        match &this.level.parent {
            Some(parent) => this = parent,
            None => break,
        }
    }
    Arc::clone(this)
}

#[cfg(feature = "async")]
impl Future for Reserve {
    type Output = Result<Reservation, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(result) = this.advance(context.waker()) {
                return Poll::Ready(result);
            }
            let Some(place) = &mut this.place else {
                return Poll::Pending;
            };
            let Some(deadline) = place.deadline else {
                return Poll::Pending;
            };
            let alarm = place.alarm.get_or_insert_with(|| {
                futures_timer::Delay::new(deadline.saturating_duration_since(now()))
            });
            if Pin::new(alarm).poll(context).is_pending() {
                return Poll::Pending;
            }
            // The time is up: what comes now is the answer.
            place.alarm = None;
        }
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("scope", &self.scope.path())
            .field("bytes", &self.bytes)
            .field("policy", &self.policy)
            .field(
                "waits_at",
                &self.place.as_ref().map(|place| place.at.path()),
            )
            .finish()
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiters")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod models;
