//! A stock that belongs to one thread, which takes and puts bytes with plain loads and stores.
//!
//! Most scopes are charged by one thread for a long time. For that thread an atomic exchange, which is what the shared
//! [`Stock`](super::stock::Stock) costs, would be most of the cost of a charge. So a scope lends a stock to it, the *owner*.
//! Another thread that must empty it first takes the ownership away:
//!
//! ```text
//!   owner                                     who revokes
//!     busy = this stock                         owner = the same, REVOKED
//!     ── light barrier ──                       ── heavy barrier ── (once for many stocks)
//!     owner still me? change the word           owner's record busy here? wait until it is not
//!     busy = 0                                  owner = none; take what the word has
//! ```
//!
//! The two [barriers](super::barrier) see to it that the owner sees `REVOKED`, or who revokes sees that it is busy. `busy`
//! stands in the thread's record rather than here: a thread that was the owner once and is late may still write it, and
//! must not disturb the next owner's.
//!
//! Ownership is given out inside the gate only, so that nobody gets it where another thread is alone.
//!
//! # Costs
//! For the owner: no atomic exchange. To revoke: a system call of some microseconds, so each time that an ownership was
//! revoked, the next owner must have shown four times as long that it is alone here.

use std::ptr::null_mut;

use super::barrier;
use super::lock::Lock;
use super::stock::{BLOCK, BYTES, Blocks, CAPACITY};
use super::thread::ThreadRecord;
use crate::sync::{AtomicPtr, AtomicU64, AtomicUsize, Ordering, yield_now};

/// In the address of an owner: it must not change the word any more.
const REVOKED: usize = 1;

/// So many wishes are enough for an ownership, at the most.
const MOST_WISHES: usize = 1 << 8;
/// So many wishes in a row that find the word unchanged take the ownership from another thread. A word that goes to and fro
/// is the same half of the time.
const WISHES_UNUSED: usize = 8;

/// What became of a wish to be the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Granted,
    NotYet,
    /// The owner uses it, and so would the thread that wishes.
    InUse,
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Biased {
    /// Null, or the owner's record, with `REVOKED` in its address from the moment when it may not change the word any more
    /// until it is certain that it does not. Invariant: records are never freed.
    owner: AtomicPtr<ThreadRecord>,
    /// As the word of a [`Stock`](super::stock::Stock), without the flag. Changed by the owner while it is `busy` here, and
    /// by who has revoked, under `change`; by nobody while there is no owner.
    word: AtomicU64,
    change: Lock<()>,
    /// On whose behalf it is being revoked; 0 for nobody's.
    revoker: AtomicUsize,
    /// How often threads have wished to be the owner since it last changed, and how often is enough.
    wishes: AtomicUsize,
    enough: AtomicUsize,
    /// The word when somebody last wished, and how often in a row it was the same: whether the owner uses it.
    word_at_wish: AtomicU64,
    wishes_unused: AtomicUsize,
}

impl Biased {
    pub(super) fn new() -> Self {
        Self {
            owner: AtomicPtr::new(null_mut()),
            word: AtomicU64::new(0),
            change: Lock::new(()),
            revoker: AtomicUsize::new(0),
            wishes: AtomicUsize::new(0),
            enough: AtomicUsize::new(1),
            word_at_wish: AtomicU64::new(0),
            wishes_unused: AtomicUsize::new(0),
        }
    }

    /// Hands out `bytes`, if `me` is the owner and they are here.
    #[inline]
    pub(super) fn try_take(&self, me: &ThreadRecord, bytes: usize, blocks: Blocks) -> bool {
        self.change(me, |word| {
            let enough = (word & BYTES) as usize >= bytes;
            enough.then(|| (word - bytes as u64).wrapping_add(blocks.word()))
        })
    }

    /// Takes `bytes` back, if `me` is the owner and there is room for them.
    #[inline]
    pub(super) fn try_put(&self, me: &ThreadRecord, bytes: usize, blocks: Blocks) -> bool {
        self.change(me, |word| {
            let room = CAPACITY.saturating_sub((word & BYTES) as usize);
            (room >= bytes).then(|| (word + bytes as u64).wrapping_sub(blocks.word()))
        })
    }

    /// Takes all bytes out, if `me` is the owner.
    pub(super) fn empty(&self, me: &ThreadRecord) -> usize {
        let mut bytes = 0;
        self.change(me, |word| {
            bytes = (word & BYTES) as usize;
            Some(word & !BYTES)
        });
        bytes
    }

    /// Puts in as many of `bytes` as there is room for, if `me` is the owner. Returns the others.
    pub(super) fn fill(&self, me: &ThreadRecord, bytes: usize) -> usize {
        let mut fitting = 0;
        self.change(me, |word| {
            fitting = CAPACITY.saturating_sub((word & BYTES) as usize).min(bytes);
            Some(word + fitting as u64)
        });
        bytes - fitting
    }

    #[inline]
    pub(super) fn is_mine(&self, me: &ThreadRecord) -> bool {
        std::ptr::eq(self.owner.load(Ordering::Relaxed), me)
    }

    /// Changes the word, if `me` is the owner and `to` says to what.
    #[inline]
    fn change(&self, me: &ThreadRecord, to: impl FnOnce(u64) -> Option<u64>) -> bool {
        if !self.is_mine(me) {
            return false;
        }
        me.busy.store(self.token(), Ordering::Relaxed);
        barrier::light();
        let mut changed = false;
        // Relaxed: the barriers put it in order. What the word says is this thread's own, or was there when it became the
        // owner.
        if self.is_mine(me)
            && let Some(word) = to(self.word.load(Ordering::Relaxed))
        {
            self.word.store(word, Ordering::Relaxed);
            changed = true;
        }
        // Release pairs with the acquire in `finish_under_lock`: who revokes sees the word, and all that this thread gave back
        // elsewhere before.
        me.busy.store(0, Ordering::Release);
        changed
    }

    fn token(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The bytes in it, as another thread may see them.
    pub(super) fn bytes(&self) -> usize {
        (self.word.load(Ordering::Acquire) & BYTES) as usize
    }

    /// Its part of the number of blocks.
    pub(super) fn blocks(&self) -> u64 {
        self.word.load(Ordering::Acquire) / BLOCK
    }

    /// `me` would like to be the owner. Inside the gate, where stocks may be open.
    pub(super) fn wish(&self, me: &ThreadRecord) -> Wish {
        let owner = self.owner.load(Ordering::Relaxed);
        if std::ptr::eq(owner, me) {
            return Wish::Granted;
        }
        // All relaxed: a guess at who is here, no more.
        let wishes = self.wishes.fetch_add(1, Ordering::Relaxed) + 1;
        let word = self.word.load(Ordering::Relaxed);
        if self.word_at_wish.swap(word, Ordering::Relaxed) != word {
            self.wishes_unused.store(0, Ordering::Relaxed);
        }
        let unused = self.wishes_unused.fetch_add(1, Ordering::Relaxed);
        if wishes < self.enough.load(Ordering::Relaxed) || !barrier::is_available() {
            return Wish::NotYet;
        }
        if !owner.is_null() {
            if unused < WISHES_UNUSED {
                return if unused == 0 && wishes > WISHES_UNUSED {
                    Wish::InUse
                } else {
                    Wish::NotYet
                };
            }
            let revoker = me.token();
            if !self.begin_revoking(None, revoker) {
                return Wish::NotYet;
            }
            barrier::heavy();
            // What is in it goes to the next owner as it is.
            let _lock = self.change.lock();
            self.finish_under_lock(revoker);
        }
        let given = self.owner.compare_exchange(
            null_mut(),
            std::ptr::from_ref(me).cast_mut(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if given.is_ok() {
            self.wishes.store(0, Ordering::Relaxed);
            Wish::Granted
        } else {
            Wish::NotYet
        }
    }

    /// The first half of taking the ownership away from whoever has it, other than `me`. Returns whether it was taken: then
    /// a heavy barrier and the second half must follow, on behalf of the same `revoker`, which is not 0.
    pub(super) fn begin_revoking(&self, me: Option<&ThreadRecord>, revoker: usize) -> bool {
        let owner = self.owner.load(Ordering::Acquire);
        if owner.is_null()
            || is_revoked(owner)
            || me.is_some_and(|me| std::ptr::eq(owner, me))
            || self
                .owner
                .compare_exchange(owner, revoked(owner), Ordering::AcqRel, Ordering::Relaxed)
                .is_err()
        {
            return false;
        }
        self.revoker.store(revoker, Ordering::Release);
        true
    }

    /// The second half, which takes everything out. Nothing, if `revoker` has not done the first half.
    pub(super) fn finish_revoking(&self, revoker: usize) -> Contents {
        // Only the same thread can have written its own name.
        if self.revoker.load(Ordering::Acquire) != revoker {
            return Contents::default();
        }
        let _lock = self.change.lock();
        self.finish_under_lock(revoker);
        self.take_out()
    }

    /// Gives the ownership up, if it is `me`'s, and takes everything out.
    pub(super) fn give_up(&self, me: &ThreadRecord) -> Contents {
        if !self.is_mine(me) {
            return Contents::default();
        }
        let _lock = self.change.lock();
        // No barrier: the owner is here, and not busy.
        let given_up = self.owner.compare_exchange(
            std::ptr::from_ref(me).cast_mut(),
            null_mut(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if given_up.is_err() {
            // It is being revoked at this moment.
            return Contents::default();
        }
        self.take_out()
    }

    /// Takes everything out for good, when nobody can reach the scope any more: neither to charge it nor to revoke anything.
    pub(super) fn dissolve(&self) -> Contents {
        let _lock = self.change.lock();
        // Who has revoked it and not come back will not.
        self.owner.store(null_mut(), Ordering::Release);
        self.take_out()
    }

    /// Waits until the former owner is through, and then there is none. Under the lock, after `revoker` has done the first half
    /// and the heavy barrier.
    fn finish_under_lock(&self, revoker: usize) {
        let owner = self.owner.load(Ordering::Acquire);
        debug_assert!(is_revoked(owner) && self.revoker.load(Ordering::Relaxed) == revoker);
        let former = owner.map_addr(|address| address & !REVOKED);
        // SAFETY: an owner is a record of `thread.rs`: never freed, and never borrowed mutably.
        let former = unsafe { &*former };
        // Acquire pairs with the release in `change`.
        while former.busy.load(Ordering::Acquire) == self.token() {
            yield_now();
        }
        self.wishes.store(0, Ordering::Relaxed);
        let enough = self.enough.load(Ordering::Relaxed);
        self.enough
            .store((enough * 4).min(MOST_WISHES), Ordering::Relaxed);
        self.revoker.store(0, Ordering::Release);
        self.owner.store(null_mut(), Ordering::Release);
    }

    /// Under the lock, while there is no owner.
    fn take_out(&self) -> Contents {
        let word = self.word.swap(0, Ordering::AcqRel);
        Contents {
            bytes: (word & BYTES) as usize,
            word,
        }
    }
}

/// What was in a stock when its ownership was revoked.
#[derive(Debug, Default)]
#[must_use = "the bytes go back to the levels, and the blocks to another stock"]
pub(super) struct Contents {
    pub(super) bytes: usize,
    /// The whole word, with its part of the number of blocks.
    pub(super) word: u64,
}

fn revoked(owner: *mut ThreadRecord) -> *mut ThreadRecord {
    owner.map_addr(|address| address | REVOKED)
}

fn is_revoked(owner: *mut ThreadRecord) -> bool {
    owner.addr() & REVOKED != 0
}
