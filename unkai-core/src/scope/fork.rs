//! A fork waits until nobody is in the middle of something.
//!
//! A child has its parent's memory as it was at the fork, and none of the parent's other threads. What one of these had begun would
//! never come to its end there: a lock would stay locked, a pass of the gate counted, a list half linked. So whoever begins such a thing
//! enters a [`Section`]; a fork waits until all have left theirs, and lets nobody enter until it is done.
//!
//! ```text
//!   who enters                                  who forks
//!     inside[line] += 1                           forking = this thread
//!     forking? inside[line] −= 1, and wait        for each line: wait until it is 0
//!     ⋯                                           ⋯ the fork ⋯
//!     inside[line] −= 1                           forking = nobody
//! ```
//!
//! Both changes are read-modify-writes, which see each other: who enters sees the fork, or the fork sees who has entered.
//!
//! What a charge and an uncharge do to a stock needs no section: a single word changes, before the fork or after it. Only that an owner
//! was [busy](super::thread::ThreadRecord) must be forgotten.
//!
//! **Nobody waits for ever.** A thread may be stopped inside a section, by a debugger for instance: a fork goes on after a second. And a
//! handler of forks that is the program's own may wait for a lock whose holder waits here: who wants to enter does so after ten, which
//! is longer than the fork of any process takes. Then the child may find what was begun and not ended, as if there were no sections.
//!
//! A process that is copied in another way than by the C library's `fork` (`_Fork`, the system call) has no such care taken of it. One that is
//! started by `posix_spawn` or `vfork` needs none.
//!
//! # Costs
//! A section: two atomic additions; next to nothing inside another one. A fork: the longest section that is under way.

#[cfg(not(loom))]
use std::time::Duration;

use crate::sync::{AtomicUsize, Ordering, yield_now};

/// So many counters, each on lines of its own, so that threads seldom meet.
const LINES: usize = if cfg!(loom) { 1 } else { 16 };

#[derive(Debug)]
struct Sections {
    /// Names the thread that forks; 0 if none does.
    forking: AtomicUsize,
    inside: [Line; LINES],
}

#[derive(Debug)]
#[repr(align(128))]
struct Line(AtomicUsize);

impl Sections {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Self {
            forking: AtomicUsize::new(0),
            inside: [const { Line(AtomicUsize::new(0)) }; LINES],
        }
    }

    /// loom's atomics are not made in constants.
    #[cfg(loom)]
    fn new() -> Self {
        Self {
            forking: AtomicUsize::new(0),
            inside: std::array::from_fn(|_| Line(AtomicUsize::new(0))),
        }
    }

    fn enter(&self, me: usize) {
        let mut patience = Patience::of(10);
        let line = &self.inside[line_of(me)].0;
        loop {
            // AcqRel, here and where a fork looks: of the two, the later one sees what the earlier one did before.
            line.fetch_add(1, Ordering::AcqRel);
            if !self.is_closed_to(me) {
                return;
            }
            line.fetch_sub(1, Ordering::Release);
            while self.is_closed_to(me) {
                if !patience.wait() {
                    line.fetch_add(1, Ordering::AcqRel);
                    return;
                }
            }
        }
    }

    fn is_closed_to(&self, me: usize) -> bool {
        // Acquire: pairs with the release in `open`.
        let forking = self.forking.load(Ordering::Acquire);
        forking != 0 && forking != me
    }

    fn leave(&self, me: usize) {
        // Release: the fork, or the child, sees all that was done inside.
        self.inside[line_of(me)].0.fetch_sub(1, Ordering::Release);
    }

    /// Lets nobody but `me` enter, and waits until all are outside. `mine`: how often `me` is inside. Returns whether all are.
    fn close(&self, me: usize, mine: usize) -> bool {
        let mut patience = Patience::of(1);
        let order = Ordering::AcqRel;
        // Another thread may be about to fork.
        while self
            .forking
            .compare_exchange(0, me, order, Ordering::Relaxed)
            .is_err()
        {
            if !patience.wait() {
                return false;
            }
        }
        for (number, line) in self.inside.iter().enumerate() {
            let most = if number == line_of(me) { mine } else { 0 };
            while line.0.fetch_add(0, order) > most {
                if !patience.wait() {
                    return false;
                }
            }
        }
        true
    }

    /// Lets others enter again, if it was `me` who kept them out.
    fn open(&self, me: usize) {
        let order = Ordering::Release;
        // Where another has closed it, and it took too long, it is for the other to open.
        let _ = self
            .forking
            .compare_exchange(me, 0, order, Ordering::Relaxed);
    }

    /// Forgets who was inside, but for `me`, who is so `mine` times: for a child, which has no other thread. Of these, some may have
    /// been counted for the moment until they saw the fork.
    fn forget_others(&self, me: usize, mine: usize) {
        for (number, line) in self.inside.iter().enumerate() {
            let inside = if number == line_of(me) { mine } else { 0 };
            line.0.store(inside, Ordering::Relaxed);
        }
        self.forking.store(me, Ordering::Relaxed);
    }
}

fn line_of(me: usize) -> usize {
    // Addresses of threads' own places differ in their middle bits.
    let mixed = (me as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    mixed as usize % LINES
}

/// How long somebody waits, at first without sleeping.
#[cfg(not(loom))]
struct Patience {
    waits: u32,
    most: u32,
}

/// In models, as long as it takes.
#[cfg(loom)]
struct Patience;

#[cfg(not(loom))]
impl Patience {
    const AWAKE: u32 = 100;
    const SLEEP: Duration = Duration::from_micros(500);

    /// So many seconds, or somewhat more.
    fn of(seconds: u32) -> Self {
        let sleeps = seconds * 1_000_000 / Self::SLEEP.subsec_micros();
        Self {
            waits: 0,
            most: Self::AWAKE + sleeps,
        }
    }

    /// Waits for a moment. Returns whether to go on waiting.
    fn wait(&mut self) -> bool {
        self.waits += 1;
        if self.waits <= Self::AWAKE {
            yield_now();
        } else {
            std::thread::sleep(Self::SLEEP);
        }
        self.waits < self.most
    }
}

#[cfg(loom)]
impl Patience {
    fn of(_seconds: u32) -> Self {
        Self
    }

    fn wait(&mut self) -> bool {
        yield_now();
        true
    }
}

#[cfg(not(loom))]
pub(super) use real::{Section, enter, generation, take_care};

#[cfg(loom)]
pub(super) use model::{Section, enter, generation, take_care};

#[cfg(not(loom))]
mod real {
    use std::cell::Cell;
    use std::marker::PhantomData;

    use super::Sections;
    use crate::scope::thread;
    use crate::sync::{AtomicBool, AtomicUsize, Ordering};

    pub(super) static SECTIONS: Sections = Sections::new();

    /// How many forks lie between the first process and this one.
    static GENERATION: AtomicUsize = AtomicUsize::new(0);

    struct Here {
        /// How many sections this thread is inside, one within the other.
        depth: Cell<usize>,
        /// How many forks it has begun and not ended: one within the other, where a handler of forks forks.
        forks: Cell<usize>,
    }

    thread_local! {
        /// Without destructor, so that it is there at any time.
        static HERE: Here = const {
            Here {
                depth: Cell::new(0),
                forks: Cell::new(0),
            }
        };
    }

    impl Here {
        /// What names this thread: never 0.
        fn me(&self) -> usize {
            std::ptr::from_ref(self).addr()
        }

        /// How often it is counted, at the most: a signal may come just before it is.
        fn inside(&self) -> usize {
            usize::from(self.depth.get() > 0)
        }
    }

    /// What no fork interrupts, until it is dropped: on the same thread.
    #[derive(Debug)]
    pub(in super::super) struct Section(PhantomData<*const ()>);

    pub(in super::super) fn enter() -> Section {
        HERE.with(|here| {
            let depth = here.depth.get();
            here.depth.set(depth + 1);
            // Who is inside already may be what the fork waits for.
            if depth == 0 {
                SECTIONS.enter(here.me());
            }
        });
        Section(PhantomData)
    }

    impl Drop for Section {
        fn drop(&mut self) {
            HERE.with(|here| {
                let depth = here.depth.get() - 1;
                if depth == 0 {
                    SECTIONS.leave(here.me());
                }
                here.depth.set(depth);
            });
        }
    }

    /// Another number in each process of a line of forks.
    pub(in super::super) fn generation() -> usize {
        GENERATION.load(Ordering::Relaxed)
    }

    /// From now on, forks wait.
    pub(in super::super) fn take_care() {
        static DONE: AtomicBool = AtomicBool::new(false);
        if !DONE.swap(true, Ordering::Relaxed)
            && !system::call_at_forks(before, after, after_in_child)
        {
            // No memory for it: at the next opportunity.
            DONE.store(false, Ordering::Relaxed);
        }
    }

    extern "C" fn before() {
        HERE.with(|here| {
            here.forks.set(here.forks.get() + 1);
            if here.forks.get() == 1 {
                // However it went, the fork is made.
                let _ = SECTIONS.close(here.me(), here.inside());
            }
        });
    }

    extern "C" fn after() {
        HERE.with(|here| {
            // It has not begun, if it was begun before there were sections.
            let forks = here.forks.get().saturating_sub(1);
            here.forks.set(forks);
            if forks == 0 {
                SECTIONS.open(here.me());
            }
        });
    }

    extern "C" fn after_in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        thread::forget_what_others_do();
        HERE.with(|here| SECTIONS.forget_others(here.me(), here.inside()));
        after();
    }

    mod system {
        type Handler = extern "C" fn();

        #[cfg(all(unix, not(miri)))]
        unsafe extern "C" {
            /// Has `prepare` called before each fork, by the thread that forks, and one of the others after it.
            fn pthread_atfork(
                prepare: Option<Handler>,
                parent: Option<Handler>,
                child: Option<Handler>,
            ) -> std::ffi::c_int;
        }

        #[cfg(all(unix, not(miri)))]
        pub(super) fn call_at_forks(before: Handler, after: Handler, in_child: Handler) -> bool {
            // SAFETY: the functions never unwind, and stay until the program's end; where this code is part of a library that
            // is unloaded, the C library forgets them with it.
            unsafe { pthread_atfork(Some(before), Some(after), Some(in_child)) == 0 }
        }

        /// Where nothing forks.
        #[cfg(not(all(unix, not(miri))))]
        pub(super) fn call_at_forks(_: Handler, _: Handler, _: Handler) -> bool {
            true
        }
    }
}

/// Models of scopes do not fork: what they would see of sections, the models below do.
#[cfg(loom)]
mod model {
    #[derive(Debug)]
    pub(in super::super) struct Section;

    pub(in super::super) fn enter() -> Section {
        Section
    }

    pub(in super::super) fn generation() -> usize {
        0
    }

    pub(in super::super) fn take_care() {}
}

#[cfg(all(test, loom))]
mod models;

#[cfg(all(test, not(loom)))]
mod tests;
