//! Handles, their clones, and threads.

use std::alloc::Layout;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::support::{Behaviour, Checking, Random};
use unkai_allocator::api::{AllocError, Allocator, Box, Global, Vec};
use unkai_allocator::{Unkai, UnkaiGlobal};

#[test]
fn clones_share_the_count_and_the_caller() {
    let one = UnkaiGlobal::default();
    let other = one.clone();
    let bytes: Vec<u8, _> = Vec::with_capacity_in(100, one.clone());
    assert_eq!(one.report_usage(), 100);
    assert_eq!(other.usage(), one.usage());
    assert_eq!(other.report_caller(), one.report_caller());
    drop(bytes);
    drop(one);
    assert_eq!(other.report_usage(), 0);
}

#[test]
fn a_clone_may_free_resize_and_outlive_what_another_allocated() {
    let checking = Checking::new(Behaviour::default());
    let one = Unkai::new(checking.clone());
    let other = one.clone();
    let (small, large) = (Layout::new::<[u64; 4]>(), Layout::new::<[u64; 9]>());
    let block = one.allocate(small).unwrap().cast();
    // SAFETY: the block came from a clone of this allocator with this layout.
    let block = unsafe { other.grow(block, small, large) }.unwrap().cast();
    assert_eq!(one.usage().bytes, 72);
    drop(one);
    // SAFETY: as above.
    unsafe { other.deallocate(block, large) };
    assert_eq!((other.usage().bytes, checking.held()), (0, (0, 0)));
}

#[test]
fn separate_handles_do_not_mix() {
    let (one, other) = (UnkaiGlobal::default(), UnkaiGlobal::default());
    let _bytes: Vec<u8, _> = Vec::with_capacity_in(100, one.clone());
    assert_eq!((one.report_usage(), other.report_usage()), (100, 0));
}

#[test]
fn the_caller_is_where_the_handle_was_created() {
    fn is_here(place: &Location<'_>, line: u32) -> bool {
        place.file() == file!() && place.line() == line
    }

    let (handle, line) = (UnkaiGlobal::default(), line!());
    assert!(is_here(handle.report_caller(), line));
    let (handle, line) = (Unkai::new(Global), line!());
    assert!(is_here(handle.report_caller(), line));
    let (handle, line): (UnkaiGlobal, _) = (Default::default(), line!());
    assert!(is_here(handle.report_caller(), line));
    assert!(is_here(handle.clone().report_caller(), line));
}

#[test]
fn a_handle_is_one_pointer_wide() {
    assert_eq!(size_of::<UnkaiGlobal>(), size_of::<usize>());
}

#[test]
fn a_handle_is_send_and_sync() {
    fn assert_send_and_sync<T: Send + Sync>() {}
    assert_send_and_sync::<UnkaiGlobal>();
    assert_send_and_sync::<Vec<u8, UnkaiGlobal>>();
}

#[test]
fn debug_shows_usage_and_caller() {
    let handle = UnkaiGlobal::default();
    let _number = Box::new_in(7_u64, handle.clone());
    let text = format!("{handle:?}");
    assert!(text.contains("bytes: 8"), "{text}");
    assert!(text.contains("sharing.rs"), "{text}");
}

#[test]
fn a_collection_may_be_dropped_on_another_thread() {
    let handle = UnkaiGlobal::default();
    let mut numbers: Vec<u64, _> = Vec::with_capacity_in(10, handle.clone());
    numbers.push(1);
    thread::spawn(move || {
        numbers.reserve(1000);
        drop(numbers);
    })
    .join()
    .unwrap();
    assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
    assert!(handle.usage().peak_bytes >= 8000);
}

/// The global allocator, but refuses every seventh request, and any beyond 1 MiB.
#[derive(Default)]
struct Unreliable {
    requests: AtomicUsize,
}

impl Unreliable {
    fn refuses(&self, layout: Layout) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) % 7 == 6 || layout.size() > 1 << 20
    }
}

// SAFETY: forwards to an allocator that keeps the contract, or returns no block.
unsafe impl Allocator for Unreliable {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if self.refuses(layout) {
            return Err(AllocError);
        }
        Global.allocate(layout)
    }
    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { Global.deallocate(ptr, layout) }
    }
    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if self.refuses(new) {
            return Err(AllocError);
        }
        // SAFETY: the caller's promise.
        unsafe { Global.grow(ptr, old, new) }
    }
    unsafe fn shrink(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if self.refuses(new) {
            return Err(AllocError);
        }
        // SAFETY: the caller's promise.
        unsafe { Global.shrink(ptr, old, new) }
    }
}

const THREADS: u64 = 4;
const STEPS: usize = 20_000;
const HELD_PER_THREAD: usize = 32;
const LARGEST: usize = 4096;

/// Allocates, resizes and frees, and passes every fourth block to the next thread, which frees it.
/// Returns the most bytes that it held itself at one time.
fn churn(
    allocator: &Unkai<impl Allocator>,
    seed: u64,
    next: &mpsc::SyncSender<(usize, Layout)>,
    previous: &mpsc::Receiver<(usize, Layout)>,
) -> usize {
    let free = |address: usize, layout: Layout| {
        let ptr = NonNull::new(std::ptr::with_exposed_provenance_mut(address)).unwrap();
        // SAFETY: whoever names a block here has just given it up, and it came from this allocator or a clone.
        unsafe { allocator.deallocate(ptr, layout) };
    };
    let mut random = Random::new(seed);
    let mut held: std::vec::Vec<(NonNull<u8>, Layout)> = std::vec::Vec::new();
    let (mut bytes, mut most) = (0, 0);
    for step in 0..STEPS {
        let layout = Layout::from_size_align(random.size_up_to(LARGEST), 8).unwrap();
        if step % 16 == 0 {
            let hopeless = Layout::from_size_align(usize::MAX / 4, 8).unwrap();
            assert!(allocator.allocate(hopeless).is_err());
        }
        if held.len() < HELD_PER_THREAD && random.below(2) == 0 {
            if let Ok(block) = allocator.allocate(layout) {
                held.push((block.cast(), layout));
                bytes += layout.size();
            }
        } else if let Some((ptr, old)) = held.pop() {
            bytes -= old.size();
            match random.below(4) {
                0 => {
                    let message = (ptr.as_ptr().expose_provenance(), old);
                    if let Err(error) = next.try_send(message) {
                        let (mpsc::TrySendError::Full((address, layout))
                        | mpsc::TrySendError::Disconnected((address, layout))) = error;
                        free(address, layout);
                    }
                }
                1 => free(ptr.as_ptr().expose_provenance(), old),
                _ => {
                    let result = if layout.size() < old.size() {
                        // SAFETY: the block came from this allocator with this layout; the size is compared above.
                        unsafe { allocator.shrink(ptr, old, layout) }
                    } else {
                        // SAFETY: as above.
                        unsafe { allocator.grow(ptr, old, layout) }
                    };
                    let (ptr, layout) = match result {
                        Ok(block) => (block.cast(), layout),
                        Err(_) => (ptr, old),
                    };
                    bytes += layout.size();
                    held.insert(0, (ptr, layout));
                }
            }
        }
        most = most.max(bytes);
        if let Ok((address, layout)) = previous.try_recv() {
            free(address, layout);
        }
    }
    for (ptr, layout) in held {
        free(ptr.as_ptr().expose_provenance(), layout);
    }
    most
}

#[test]
fn threads_that_share_a_handle_end_at_zero_and_no_refused_request_is_in_the_peak() {
    let allocator = &Unkai::new(Unreliable::default());
    let room = 8;
    let (mut senders, mut receivers): (std::vec::Vec<_>, std::vec::Vec<_>) = (0..THREADS)
        .map(|_| mpsc::sync_channel::<(usize, Layout)>(room))
        .unzip();
    // Thread i sends to thread i + 1.
    senders.rotate_left(1);
    let most: std::vec::Vec<usize> = thread::scope(|scope| {
        let threads: std::vec::Vec<_> = (0..THREADS)
            .map(|seed| {
                let (next, previous) = (senders.remove(0), receivers.remove(0));
                scope.spawn(move || {
                    let most = churn(allocator, seed + 1, &next, &previous);
                    // What is still under way to this thread comes before the previous thread lets go.
                    drop(next);
                    for (address, layout) in previous {
                        let ptr = std::ptr::with_exposed_provenance_mut(address);
                        // SAFETY: the sender has given the block up, and it came from this allocator.
                        unsafe { allocator.deallocate(NonNull::new(ptr).unwrap(), layout) };
                    }
                    most
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let usage = allocator.usage();
    println!("{usage:?}, alone: {most:?}");
    assert_eq!((usage.bytes, usage.blocks), (0, 0));
    assert!(usage.peak_bytes >= *most.iter().max().unwrap());
    // Everything that can be held at once: by the threads, between them, and in their hands.
    let blocks = THREADS as usize * (HELD_PER_THREAD + room + 2);
    assert!(usage.peak_bytes <= blocks * LARGEST);
}

#[test]
fn blocks_held_by_several_threads_at_once_are_in_the_peak_together() {
    let handle = UnkaiGlobal::default();
    let barrier = &std::sync::Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let handle = handle.clone();
            scope.spawn(move || {
                for round in 1..=100 {
                    let bytes: Vec<u8, _> = Vec::with_capacity_in(round, handle.clone());
                    barrier.wait();
                    let sum = THREADS as usize * round;
                    assert!(handle.usage().peak_bytes >= sum);
                    barrier.wait();
                    drop(bytes);
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(handle.usage().peak_bytes, 400);
    assert_eq!(handle.report_usage(), 0);
}
