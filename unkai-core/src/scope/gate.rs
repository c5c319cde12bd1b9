//! The gate of a tree: what lets slow operations pass side by side, and one of them be alone where it must be exact.
//!
//! An operation that moves bytes between levels *passes*: many do at once. Who is about to refuse must first know that
//! nobody holds bytes on the way that will turn out to be free: it takes the lock, marks a node as *tight*, and waits
//! until all who passed before are through. From then on nobody but the holder moves bytes at that node or below it.
//! Elsewhere in the tree everybody goes on.
//!
//! ```text
//!   enter():  passing[phase] += 1 ── not tight, or elsewhere? ──▶ move bytes ──▶ passing[phase] −= 1
//!                                 └─ tight above me: −= 1, and do it under the lock instead
//!
//!   alone_under(node): lock · say which node · set TIGHT in both counters · turn the phase and wait for the one left
//!                      behind, twice
//! ```
//!
//! The flag stands in the same word that counts, so each entry either is seen by the waiting thread or sees the flag. There
//! are two counters, so that the waiting thread waits for a number that only falls: newcomers, who may pass elsewhere in
//! the tree, count in the other one.
//!
//! No code of the user's runs inside, and nobody waits for anything but a list of children, whose lock is shorter still.
//!
//! # Costs
//! A pass: two atomic additions. To be alone: the lock, and the longest pass that is under way.

use std::ptr::null;

use super::fork::{self, Section};
use super::lock::{Lock, LockGuard};
use super::node::Node;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, yield_now};

const TIGHT: usize = 1 << (usize::BITS - 1);

#[derive(Debug)]
pub(super) struct Gate {
    lock: Lock<()>,
    /// Which of the counters newcomers use: its lowest bit.
    phase: AtomicUsize,
    passing: [AtomicUsize; 2],
    /// Under which node somebody is alone. Only compared with, never followed.
    tight: AtomicPtr<Node>,
}

/// One operation on its way.
#[derive(Debug)]
pub(super) enum Pass<'g> {
    /// Among others.
    Open {
        counter: &'g AtomicUsize,
        /// Below which node somebody was alone when it began; null if nobody was.
        elsewhere: *const Node,
        /// No fork interrupts it.
        _section: Section,
    },
    /// Under the lock, because somebody was alone here.
    Locked { _lock: LockGuard<'g, ()> },
}

/// The lock of the gate, and where its holder is alone.
#[derive(Debug)]
pub(super) struct Held<'g> {
    gate: &'g Gate,
    alone: bool,
    _lock: LockGuard<'g, ()>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            lock: Lock::new(()),
            phase: AtomicUsize::new(0),
            passing: [AtomicUsize::new(0), AtomicUsize::new(0)],
            tight: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Passes, on behalf of `node`.
    pub(super) fn enter(&self, node: &Node) -> Pass<'_> {
        let section = fork::enter();
        // Relaxed: either counter will do.
        let counter = &self.passing[self.phase.load(Ordering::Relaxed) & 1];
        // Acquire pairs with the release that cleared the flag: what was decided alone is seen here.
        let before = counter.fetch_add(1, Ordering::Acquire);
        let mut elsewhere = null();
        if before & TIGHT != 0 {
            elsewhere = self.tight.load(Ordering::Acquire).cast_const();
            if node.is_under(elsewhere) {
                counter.fetch_sub(1, Ordering::Release);
                return Pass::Locked {
                    _lock: self.lock.lock(),
                };
            }
        }
        Pass::Open {
            counter,
            elsewhere,
            _section: section,
        }
    }

    /// Keeps everybody else from being alone.
    pub(super) fn hold(&self) -> Held<'_> {
        Held {
            gate: self,
            alone: false,
            _lock: self.lock.lock(),
        }
    }
}

impl Pass<'_> {
    /// The node below which this pass must leave everything alone. Nobody else becomes alone while it lasts.
    pub(super) fn elsewhere(&self) -> *const Node {
        match self {
            Self::Open { elsewhere, .. } => *elsewhere,
            Self::Locked { .. } => null(),
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Self::Open { counter, .. } = self {
            // Release pairs with the acquire of the thread that waits: it sees all that was done in the pass.
            counter.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Held<'_> {
    /// Returns once nobody else moves bytes at `node` or below it, nor will before `self` is dropped.
    ///
    /// A second call must name a node above the first one's.
    pub(super) fn alone_under(&mut self, node: &Node) {
        let gate = self.gate;
        gate.tight
            .store(std::ptr::from_ref(node).cast_mut(), Ordering::Release);
        self.alone = true;
        for counter in &gate.passing {
            // Release pairs with the acquire in `enter`: who sees the flag sees the node.
            counter.fetch_or(TIGHT, Ordering::AcqRel);
        }
        for _ in 0..2 {
            let left_behind = gate.phase.fetch_xor(1, Ordering::Relaxed) & 1;
            // Acquire pairs with the release of those who are through.
            while gate.passing[left_behind].load(Ordering::Acquire) != TIGHT {
                yield_now();
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.alone {
            for counter in &self.gate.passing {
                counter.fetch_and(!TIGHT, Ordering::AcqRel);
            }
            self.gate
                .tight
                .store(std::ptr::null_mut(), Ordering::Release);
        }
    }
}
