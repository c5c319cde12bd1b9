//! A library with an unkai of its own, over an allocator of its own: its heap is none of the program's that loads it.
//! See `src/libraries/`.

use std::alloc::System;
use std::cell::RefCell;
use std::hint::black_box;

use unkai_core::Scope;
use unkai_global::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> =
    UnkaiGlobalAlloc::with_config(System, Config::new().sample_every_block().seed(7));

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Allocates and frees; returns how many bytes the library's own unkai has counted meanwhile. Not for two threads at once.
#[unsafe(no_mangle)]
extern "C" fn work(rounds: usize) -> u64 {
    let before = HEAP.usage().allocated.bytes;
    for round in 0..rounds {
        drop(black_box(vec![1_u8; round % 5000 + 1]));
    }
    HEAP.usage().allocated.bytes - before
}

/// Charges a scope of the library's own; returns what it holds then.
#[unsafe(no_mangle)]
extern "C" fn charge(bytes: usize) -> usize {
    let Ok(scope) = Scope::root("of the library").limit(bytes).build() else {
        return 0;
    };
    let reservation = scope.try_reserve(bytes);
    assert!(scope.try_reserve(1).is_err());
    reservation.map_or(0, |_| scope.used())
}

/// Keeps a block until this thread ends.
#[unsafe(no_mangle)]
extern "C" fn keep(size: usize) -> usize {
    KEPT.with_borrow_mut(|kept| {
        kept.push(vec![3; size]);
        kept.len()
    })
}

/// Calls back, with a block of the library's own alive.
#[unsafe(no_mangle)]
extern "C" fn call_back(f: extern "C" fn()) -> usize {
    let block = black_box(vec![4_u8; 100]);
    f();
    black_box(block).len()
}

/// Sites of the library's own profile whose stacks are known; 0 if any loss was counted.
#[unsafe(no_mangle)]
extern "C" fn sites() -> usize {
    let snapshot = HEAP.snapshot();
    if !snapshot.losses.is_empty() {
        return 0;
    }
    let named = |site: &&unkai_core::Site| !site.stack.is_empty();
    snapshot.sites.iter().filter(named).count()
}
