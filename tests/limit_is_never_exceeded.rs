//! With `Config::refuse_at_limit`, no byte beyond the limit is ever handed out, and nothing is refused that would fit.
//!
//! Two independent counts: one around unkai, of what the program holds, and one beneath it, of what the inner allocator was
//! asked for. The second errs on the strict side: a block counts before it is there, and until it is gone.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use support::outer::Outer;
use support::random::Random;
use unkai::{Config, UnkaiGlobalAlloc};

const LIMIT: u64 = 64 << 20;

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<Strict>> = Outer::new(UnkaiGlobalAlloc::with_config(
    Strict,
    Config::new()
        .sampling_off()
        // Fewer than there are threads below: the others count on shared counters.
        .max_threads(6)
        .limit(LIMIT)
        .refuse_at_limit(true),
));

/// Counts requested bytes from before a block is there until after it is gone.
struct Strict;

static HELD: AtomicI64 = AtomicI64::new(0);
static MOST_HELD: AtomicI64 = AtomicI64::new(0);
/// One in so many requests is refused by the inner allocator; 0 for none.
static FAILS_ONE_IN: AtomicU64 = AtomicU64::new(0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

impl Strict {
    fn raise(bytes: usize) {
        let held = HELD.fetch_add(bytes as i64, SeqCst) + bytes as i64;
        MOST_HELD.fetch_max(held, SeqCst);
    }

    fn lower(bytes: usize) {
        HELD.fetch_sub(bytes as i64, SeqCst);
    }

    fn fails() -> bool {
        let one_in = FAILS_ONE_IN.load(SeqCst);
        one_in != 0 && REQUESTS.fetch_add(1, SeqCst).is_multiple_of(one_in)
    }
}

// SAFETY: hands every call over as it came, or refuses it.
unsafe impl GlobalAlloc for Strict {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::raise(layout.size());
        let block = if layout.size() > 10_000 && Self::fails() {
            std::ptr::null_mut()
        } else {
            // SAFETY: passed on.
            unsafe { System.alloc(layout) }
        };
        if block.is_null() {
            Self::lower(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) };
        Self::lower(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let more = new_size.saturating_sub(layout.size());
        Self::raise(more);
        let resized = if new_size > 10_000 && Self::fails() {
            std::ptr::null_mut()
        } else {
            // SAFETY: passed on.
            unsafe { System.realloc(block, layout, new_size) }
        };
        if resized.is_null() {
            Self::lower(more);
        } else {
            Self::lower(layout.size().saturating_sub(new_size));
        }
        resized
    }
}

/// Without the test harness: its threads allocate what they cannot do without, and there is a limit.
fn main() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // The message needs memory.
        HEAP.inner.set_limit(None);
        report(panic);
    }));
    the_limit_holds_to_the_byte_and_nothing_is_refused_in_vain();
    println!("the limit holds to the byte, and nothing is refused in vain");
}

fn the_limit_holds_to_the_byte_and_nothing_is_refused_in_vain() {
    alone_every_answer_is_right();
    what_unkai_leaves_behind_is_exempt_and_counted();
    for fails_one_in in [0, 97] {
        FAILS_ONE_IN.store(fails_one_in, SeqCst);
        many_threads_never_hold_more(fails_one_in);
    }
    FAILS_ONE_IN.store(0, SeqCst);
    HEAP.inner.set_sampling_interval(4096);
    many_threads_never_hold_more(1);
    HEAP.inner.set_sampling_interval(0);
    a_limit_that_is_lowered_refuses_until_enough_is_freed();
    the_limit_is_exact_again_at_the_end();
}

/// Live bytes by unkai, with no other thread running; an independent count must agree.
fn live() -> u64 {
    let live = HEAP.inner.usage().live_bytes() as u64;
    assert_eq!(live, HEAP.allocated().0 - HEAP.freed().0);
    live
}

fn room() -> u64 {
    HEAP.inner
        .limit()
        .expect("there is one")
        .limit_bytes
        .saturating_sub(live())
}

fn ask(bytes: u64) -> Option<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(bytes as usize).ok()?;
    Some(block)
}

fn alone_every_answer_is_right() {
    let refused = || HEAP.inner.limit().expect("there is one").refused_requests;
    let before = refused();
    assert!(ask(room() + 1).is_none(), "a byte too many");
    assert_eq!(refused(), before + 1);
    let all = ask(room()).expect("the last byte fits");
    assert_eq!(live(), LIMIT);
    assert!(ask(1).is_none(), "nothing is left");
    drop(all);

    // In steps of any size, by growing in place too.
    let mut random = Random::new(11);
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(100_000);
    for _ in 0..100_000 {
        let room = room();
        let wanted = random.size(1 << 20) as u64;
        match random.below(4) {
            0 => {
                let index = random.below(blocks.len().max(1) as u64) as usize;
                if index < blocks.len() {
                    drop(blocks.swap_remove(index));
                }
            }
            1 if !blocks.is_empty() => {
                let index = random.below(blocks.len() as u64) as usize;
                let block = &mut blocks[index];
                let more = (wanted as usize).saturating_sub(block.capacity()) as u64;
                let fits = block.try_reserve_exact(wanted as usize).is_ok();
                assert_eq!(fits, more <= room, "{more} more, room for {room}");
            }
            _ => {
                let block = ask(wanted);
                assert_eq!(block.is_some(), wanted <= room, "{wanted}, room for {room}");
                blocks.extend(block);
            }
        }
        assert!(live() <= LIMIT);
    }
}

fn what_unkai_leaves_behind_is_exempt_and_counted() {
    let all = ask(room()).expect("all of it");
    // A report is made although there is no room, and counts when it is kept.
    let snapshot = HEAP.aside(|heap| heap.snapshot());
    let kept = HEAP.aside(|_| unkai::aside(|| vec![0_u8; 5000]));
    assert!(live() >= LIMIT + 5000);
    drop(all);
    let room = room();
    assert!(ask(room + 1).is_none() && ask(room).is_some());
    drop((snapshot, kept));

    // Freed elsewhere before the thread that has stepped aside is back: the count goes below zero, and nothing else.
    let passed_on = room;
    HEAP.aside(|_| {
        unkai::aside(|| {
            let block = vec![0_u8; 3 * LIMIT as usize];
            std::thread::scope(|scope| drop(scope.spawn(|| drop(block)).join()));
            assert!(ask(1).is_some(), "aside nothing is refused");
        });
    });
    support::eventually("the other thread ends", || ask(passed_on).is_some());
}

fn many_threads_never_hold_more(seed: u64) {
    const THREADS: u64 = 8;
    MOST_HELD.store(HELD.load(SeqCst), SeqCst);
    let (granted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    // Whatever a thread cannot do without is there before the limit is reached.
    let all_are_ready = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (granted, refused, all_are_ready) = (&granted, &refused, &all_are_ready);
            scope.spawn(move || {
                let mut random = Random::new(seed * THREADS + thread + 1);
                let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(256);
                all_are_ready.wait();
                for _ in 0..60_000 {
                    if blocks.len() == blocks.capacity() || random.below(3) == 0 {
                        if let Some(block) = blocks.pop() {
                            drop(block);
                        }
                        continue;
                    }
                    match ask(random.size(1 << 20) as u64) {
                        Some(block) => {
                            granted.fetch_add(1, SeqCst);
                            blocks.push(block);
                        }
                        None => {
                            refused.fetch_add(1, SeqCst);
                        }
                    }
                }
            });
        }
    });
    let (granted, refused) = (granted.into_inner(), refused.into_inner());
    assert!(
        granted > 1000 && refused > 100,
        "{granted} granted, {refused} refused"
    );
    // Where blocks are sampled, the inner allocator is asked for the marks, too.
    if HEAP.inner.snapshot_is_unsampled() {
        let most = MOST_HELD.load(SeqCst);
        assert!(most <= LIMIT as i64, "{most} bytes were held");
        assert!(
            most > LIMIT as i64 - (1 << 20),
            "the limit was not reached: {most}"
        );
    }
}

/// Whether blocks are sampled just now.
trait Unsampled {
    fn snapshot_is_unsampled(&self) -> bool;
}

impl Unsampled for UnkaiGlobalAlloc<Strict> {
    fn snapshot_is_unsampled(&self) -> bool {
        HEAP.aside(|heap| heap.snapshot().sampling.mode == unkai::Sampling::Off)
    }
}

fn a_limit_that_is_lowered_refuses_until_enough_is_freed() {
    let mut half = ask(LIMIT / 2).expect("there is room");
    HEAP.inner.set_limit(Some(LIMIT / 4));
    let status = HEAP.inner.limit().expect("there is one");
    assert!(status.over_bytes() >= LIMIT / 4 && status.refuses);
    assert!(ask(1).is_none());
    // What shrinks asks for nothing: this would end the process if it were refused.
    half.shrink_to(LIMIT as usize / 3);
    assert_eq!(half.capacity() as u64, LIMIT / 3);
    assert!(ask(1).is_none());
    drop(half);
    assert!(ask(room()).is_some() && ask(room() + 1).is_none());
    HEAP.inner.set_limit(None);
    assert_eq!(HEAP.inner.limit(), None);
    assert!(ask(2 * LIMIT).is_some());
    HEAP.inner.set_limit(Some(LIMIT));
}

fn the_limit_is_exact_again_at_the_end() {
    support::eventually("threads end", || {
        let room = room();
        ask(room + 1).is_none() && ask(room).is_some()
    });
}
