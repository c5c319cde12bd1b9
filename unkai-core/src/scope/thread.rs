//! What a thread has of its own: a record by which scopes know it.
//!
//! Records are made once, reused by later threads, and never freed, so that they can be looked at whatever has become of
//! their thread: some 128 bytes for each thread that charges scopes at the same time as others.

use std::ptr::null_mut;

use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// A thread, as scopes know it. On lines of its own: its thread writes it all the time.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct ThreadRecord {
    /// Which [`Biased`](super::bias::Biased) stock the thread is about to change; 0 for none.
    pub(super) busy: AtomicUsize,
    /// Counts down to the thread's next look at whether a stock should be its own. Written by the thread only.
    patience: AtomicUsize,
    number: usize,
    /// The next record without a thread. Used under the lock of the list only.
    next: AtomicPtr<ThreadRecord>,
    /// The record that was made before. Written before others see this one.
    older: AtomicPtr<ThreadRecord>,
}

/// So many operations on stocks of others between two looks.
const PATIENCE: usize = 64;

impl ThreadRecord {
    pub(super) fn new(number: usize) -> Self {
        Self {
            busy: AtomicUsize::new(0),
            patience: AtomicUsize::new(PATIENCE),
            number,
            next: AtomicPtr::new(null_mut()),
            older: AtomicPtr::new(null_mut()),
        }
    }

    /// What names it: never 0 or 1, and never that of another record.
    #[inline]
    pub(super) fn token(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// A small number, to choose among several of something.
    #[inline]
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The thread had to do with a stock of others; whether it should look now.
    #[inline]
    pub(super) fn loses_patience(&self) -> bool {
        let left = self.patience.load(Ordering::Relaxed);
        self.patience.store(
            if left == 0 { PATIENCE } else { left - 1 },
            Ordering::Relaxed,
        );
        left == 0
    }
}

#[cfg(all(test, not(loom)))]
pub(super) use real::for_each_record;
#[cfg(not(loom))]
pub(super) use real::{forget_what_others_do, this_thread, this_thread_or_new};

#[cfg(loom)]
pub(super) use model::{this_thread, this_thread_or_new};

#[cfg(not(loom))]
mod real {
    use std::cell::Cell;
    use std::ptr::{null, null_mut};

    use super::ThreadRecord;
    use crate::scope::fork;
    use crate::sync::{AtomicPtr, Ordering};

    /// The youngest record, from which all others are reached.
    static YOUNGEST: AtomicPtr<ThreadRecord> = AtomicPtr::new(null_mut());

    thread_local! {
        /// Null before the first use, and after the thread's end has begun. Without destructor: it can be read at any time.
        static RECORD: Cell<*const ThreadRecord> = const { Cell::new(null()) };
        /// Gives the record back when the thread ends.
        static RETURN: Return = const { Return };
    }

    /// This thread's record, if it has one.
    #[inline]
    pub(in super::super) fn this_thread() -> Option<&'static ThreadRecord> {
        let record = RECORD.try_with(Cell::get).unwrap_or(null());
        // SAFETY: null, or a record, which is never freed and never borrowed mutably.
        unsafe { record.as_ref() }
    }

    /// This thread's record; made if it has none. `None` while the thread ends.
    pub(in super::super) fn this_thread_or_new() -> Option<&'static ThreadRecord> {
        this_thread().or_else(register)
    }

    #[cold]
    fn register() -> Option<&'static ThreadRecord> {
        // Once the destructor has run, the record could not be given back any more.
        RETURN.try_with(|_| ()).ok()?;
        let record = match Free::with(Free::take) {
            Ok(record) => record,
            // Never freed.
            Err(number) => announce(Box::leak(Box::new(ThreadRecord::new(number)))),
        };
        RECORD.try_with(|this| this.set(record)).ok()?;
        Some(record)
    }

    fn announce(record: &'static ThreadRecord) -> &'static ThreadRecord {
        let this = std::ptr::from_ref(record).cast_mut();
        let mut youngest = YOUNGEST.load(Ordering::Relaxed);
        loop {
            record.older.store(youngest, Ordering::Relaxed);
            // Release: who reaches the record sees it complete.
            let order = Ordering::Release;
            match YOUNGEST.compare_exchange(youngest, this, order, Ordering::Relaxed) {
                Ok(_) => return record,
                Err(now) => youngest = now,
            }
        }
    }

    pub(in super::super) fn for_each_record(mut each: impl FnMut(&'static ThreadRecord)) {
        // Acquire: pairs with the release in `announce`.
        let mut next = YOUNGEST.load(Ordering::Acquire);
        // SAFETY: null, or a record, which is never freed and never borrowed mutably.
        while let Some(record) = unsafe { next.as_ref() } {
            each(record);
            next = record.older.load(Ordering::Relaxed);
        }
    }

    /// No other thread is about to change a stock: for a forked child, which has no other.
    pub(in super::super) fn forget_what_others_do() {
        let me = this_thread();
        for_each_record(|record| {
            if me.is_none_or(|me| !std::ptr::eq(me, record)) {
                record.busy.store(0, Ordering::Relaxed);
            }
        });
    }

    struct Return;

    impl Drop for Return {
        fn drop(&mut self) {
            if let Some(record) = this_thread() {
                let _ = RECORD.try_with(|this| this.set(null()));
                Free::with(|free| free.put(record));
            }
        }
    }

    /// Records without a thread: a list that runs through them.
    struct Free {
        first: Option<&'static ThreadRecord>,
        /// How many records there are, with and without a thread.
        records: usize,
    }

    impl Free {
        fn with<R>(act: impl FnOnce(&mut Self) -> R) -> R {
            #[expect(
                clippy::disallowed_types,
                reason = "a static cannot hold one of loom's; models make their records themselves"
            )]
            static FREE: std::sync::Mutex<Free> = std::sync::Mutex::new(Free {
                first: None,
                records: 0,
            });
            let _section = fork::enter();
            act(&mut FREE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
        }

        /// A record, or the number for a new one.
        fn take(&mut self) -> Result<&'static ThreadRecord, usize> {
            let Some(record) = self.first else {
                self.records += 1;
                return Err(self.records - 1);
            };
            let next = record.next.load(Ordering::Relaxed);
            // SAFETY: null, or a record, as `put` has written it: never freed and never borrowed mutably.
            self.first = unsafe { next.as_ref() };
            Ok(record)
        }

        fn put(&mut self, record: &'static ThreadRecord) {
            let next = self
                .first
                .map_or(null_mut(), |next| std::ptr::from_ref(next).cast_mut());
            record.next.store(next, Ordering::Relaxed);
            self.first = Some(record);
        }
    }
}

/// Threads of a model: each has its record from the beginning.
#[cfg(loom)]
mod model {
    use super::ThreadRecord;

    loom::thread_local! {
        static RECORD: &'static ThreadRecord = Box::leak(Box::new(ThreadRecord::new(0)));
    }

    pub(in super::super) fn this_thread() -> Option<&'static ThreadRecord> {
        RECORD.try_with(|record| *record).ok()
    }

    pub(in super::super) fn this_thread_or_new() -> Option<&'static ThreadRecord> {
        this_thread()
    }
}
