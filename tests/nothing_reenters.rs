//! unkai never allocates through itself: not while it samples every block, not in panics, not while threads end, not in
//! its own reports. An allocator around it would notice a nested call on the same thread.

mod support;

use std::alloc::System;
use std::cell::RefCell;

use support::outer::Outer;
use unkai::{Cause, Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Outer<UnkaiGlobalAlloc<System>> = Outer::new(UnkaiGlobalAlloc::with_config(
    System,
    Config::new().sample_every_block(),
));

thread_local! {
    static EARLY: AtExit = const { AtExit };
    static KEPT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        std::hint::black_box(format!(
            "allocated while a thread ends: {:?}",
            vec![1, 2, 3]
        ));
    }
}

fn deep(depth: u32) -> Vec<String> {
    if depth > 0 {
        let mut deeper = deep(depth - 1);
        deeper.push(depth.to_string());
        return deeper;
    }
    Vec::new()
}

#[test]
fn nothing_reenters() {
    for round in 0..20 {
        let threads: Vec<_> = (0..4)
            .map(|n| {
                std::thread::spawn(move || {
                    EARLY.with(|_| {});
                    KEPT.with_borrow_mut(|kept| kept.extend(deep(300)));
                    if n == 0 {
                        // Unwinding frees, while the panic machinery allocates.
                        let caught = std::panic::catch_unwind(|| {
                            let _owned = deep(50);
                            std::panic::resume_unwind(Box::new(format!("round {round}")));
                        });
                        assert!(caught.is_err());
                    }
                    HEAP.inner.usage().allocated.bytes
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap() > 0);
        }
        match round % 4 {
            0 => HEAP.inner.pause(),
            1 => HEAP.inner.resume(),
            2 => HEAP.inner.set_sampling_interval(2000),
            _ => HEAP.inner.set_sampling_interval(1),
        }
        std::hint::black_box(HEAP.aside(UnkaiGlobalAlloc::report_addr));
    }
    let snapshot = HEAP.aside(UnkaiGlobalAlloc::snapshot);
    assert!(
        snapshot.sites.len() > 20,
        "something must have been sampled"
    );
    assert_eq!(HEAP.nested(), 0, "an allocation within an allocation");
    assert_eq!(snapshot.losses.of(Cause::Reentered), 0);
    assert_eq!(snapshot.losses.of(Cause::FreeMissed), 0);
    assert_eq!(snapshot.losses.of(Cause::LayoutMismatch), 0);
    support::eventually("the totals agree", || {
        let usage = HEAP.inner.usage();
        (usage.allocated.bytes, usage.allocated.blocks) == HEAP.allocated()
    });
}

/// The watcher itself works: a nested call is noticed.
#[test]
fn a_nested_call_would_be_noticed() {
    static NESTING: Outer<Nesting> = Outer::new(Nesting);
    struct Nesting;
    // SAFETY: hands over to `System`, after a nested request.
    unsafe impl std::alloc::GlobalAlloc for Nesting {
        unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
            if layout.size() == 24 {
                let inner = std::alloc::Layout::new::<u8>();
                // SAFETY: the layout is not empty.
                let nested = unsafe { NESTING.alloc(inner) };
                // SAFETY: allocated above with this layout.
                unsafe { NESTING.dealloc(nested, inner) };
            }
            // SAFETY: passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: std::alloc::Layout) {
            // SAFETY: passed on.
            unsafe { System.dealloc(block, layout) }
        }
    }
    use std::alloc::GlobalAlloc;
    let layout = std::alloc::Layout::new::<[u64; 3]>();
    // SAFETY: the layout is not empty.
    let block = unsafe { NESTING.alloc(layout) };
    // SAFETY: allocated above with this layout.
    unsafe { NESTING.dealloc(block, layout) };
    assert_eq!(NESTING.nested(), 2);
}
