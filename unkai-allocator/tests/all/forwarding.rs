//! What reaches the inner allocator, and what comes back from it.

use std::alloc::Layout;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use crate::support::{Behaviour, Call, Checking};
use unkai_allocator::Unkai;
use unkai_allocator::api::{AllocError, Allocator, Vec};

fn over(behaviour: Behaviour) -> (Unkai<Checking>, Checking) {
    let checking = Checking::new(behaviour);
    (Unkai::new(checking.clone()), checking)
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn every_method_reaches_the_same_method_with_the_same_layouts() {
    let (unkai, checking) = over(Behaviour::default());
    let (a, b, c, d) = (layout(10, 1), layout(20, 64), layout(40, 8), layout(5, 2));

    let block = unkai.allocate(a).unwrap().cast();
    assert_eq!(checking.take_calls(), [Call::Allocate(a)]);
    // SAFETY: here and below, the block came from this allocator with the layout named first.
    let block = unsafe { unkai.grow(block, a, b) }.unwrap().cast();
    assert_eq!(checking.take_calls(), [Call::Grow(a, b)]);
    // SAFETY: as above.
    let block = unsafe { unkai.grow_zeroed(block, b, c) }.unwrap().cast();
    assert_eq!(checking.take_calls(), [Call::GrowZeroed(b, c)]);
    // SAFETY: as above.
    let block = unsafe { unkai.shrink(block, c, d) }.unwrap().cast();
    assert_eq!(checking.take_calls(), [Call::Shrink(c, d)]);
    // SAFETY: as above.
    unsafe { unkai.deallocate(block, d) };
    assert_eq!(checking.take_calls(), [Call::Deallocate(d)]);

    let block = unkai.allocate_zeroed(b).unwrap().cast();
    // SAFETY: as above.
    unsafe { unkai.deallocate(block, b) };
    let expected = [Call::AllocateZeroed(b), Call::Deallocate(b)];
    assert_eq!(checking.take_calls(), expected);
}

#[test]
fn blocks_grow_in_place_where_the_inner_allocator_can() {
    let (unkai, checking) = over(Behaviour {
        room: 4096,
        ..Behaviour::default()
    });
    let mut numbers = Vec::with_capacity_in(4, unkai);
    let address = numbers.as_ptr();
    for number in 0..512_u64 {
        numbers.push(number);
        let requested = numbers.capacity() * size_of::<u64>();
        assert_eq!(numbers.allocator().usage().bytes, requested);
    }
    assert_eq!(numbers.as_ptr(), address);
    assert_eq!(numbers.allocator().usage().blocks, 1);
    let calls = checking.take_calls();
    assert!(matches!(calls[0], Call::Allocate(_)));
    assert!(calls.len() > 3);
    assert!(
        calls[1..]
            .iter()
            .all(|call| matches!(call, Call::Grow(_, _)))
    );
}

#[test]
fn the_refund_comes_after_the_inner_free() {
    /// Looks at the usage from within the inner calls.
    struct Looking<'a> {
        inner: Checking,
        look: &'a dyn Fn() -> usize,
    }

    // SAFETY: forwards to an allocator that keeps the contract.
    unsafe impl Allocator for Looking<'_> {
        fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
            assert_eq!((self.look)(), 100, "charged before the inner call");
            self.inner.allocate(layout)
        }
        unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
            assert_eq!((self.look)(), 60, "refunded after the inner call");
            // SAFETY: the caller's promise.
            unsafe { self.inner.deallocate(ptr, layout) }
        }
        unsafe fn shrink(
            &self,
            ptr: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            assert_eq!((self.look)(), 150, "refunded after the inner call");
            // SAFETY: the caller's promise.
            unsafe { self.inner.shrink(ptr, old, new) }
        }
        unsafe fn grow(
            &self,
            ptr: NonNull<u8>,
            old: Layout,
            new: Layout,
        ) -> Result<NonNull<[u8]>, AllocError> {
            assert_eq!((self.look)(), 150, "charged before the inner call");
            // SAFETY: the caller's promise.
            unsafe { self.inner.grow(ptr, old, new) }
        }
    }

    let handle = std::cell::OnceCell::<*const Unkai<Looking<'_>>>::new();
    // SAFETY: set below to a handle that is not moved and outlives every call.
    let look = || unsafe { (**handle.get().unwrap()).usage().bytes };
    let unkai = Unkai::new(Looking {
        inner: Checking::new(Behaviour::default()),
        look: &look,
    });
    handle.set(&unkai).unwrap();
    let (first, second, third) = (layout(100, 4), layout(150, 4), layout(60, 4));
    let block = unkai.allocate(first).unwrap().cast();
    // SAFETY: here and below, the block came from this allocator with the layout named first.
    let block = unsafe { unkai.grow(block, first, second) }.unwrap().cast();
    // SAFETY: as above.
    let block = unsafe { unkai.shrink(block, second, third) }
        .unwrap()
        .cast();
    // SAFETY: as above.
    unsafe { unkai.deallocate(block, third) };
    assert_eq!(unkai.usage().bytes, 0);
}

#[test]
fn a_block_is_as_long_as_requested_though_the_inner_one_is_longer() {
    let (unkai, _) = over(Behaviour {
        spare: 1000,
        ..Behaviour::default()
    });
    for size in 0..100 {
        let requested = layout(size, 8);
        let block = unkai.allocate(requested).unwrap();
        // Whoever uses the whole block frees it with its whole length: that must be what was charged.
        let whole = layout(block.len(), 8);
        assert_eq!(unkai.usage().bytes, block.len());
        // SAFETY: the block came from this allocator, and `whole` fits it.
        unsafe { unkai.deallocate(block.cast(), whole) };
        assert_eq!(unkai.usage().bytes, 0);
    }
}

#[test]
fn growth_is_zeroed_from_the_requested_size_on_though_the_inner_block_was_longer() {
    let (unkai, _) = over(Behaviour {
        spare: 64,
        ..Behaviour::default()
    });
    for _ in 0..50 {
        let (old, new) = (layout(10, 1), layout(200, 1));
        let block: NonNull<u8> = unkai.allocate(old).unwrap().cast();
        // SAFETY: the block came from this allocator with this layout.
        let block = unsafe { unkai.grow_zeroed(block, old, new) }.unwrap();
        // SAFETY: the offset is within the block.
        let added = unsafe { block.cast::<u8>().add(10) };
        // SAFETY: the block is 200 bytes long, and these were written.
        let added = unsafe { std::slice::from_raw_parts(added.as_ptr(), 190) };
        assert!(added.iter().all(|&byte| byte == 0));
        // SAFETY: the block came from this allocator with this layout.
        unsafe { unkai.deallocate(block.cast(), new) };
    }
}

#[test]
fn zero_bytes_are_forwarded_and_not_counted() {
    let (unkai, checking) = over(Behaviour::default());
    let (none, some) = (layout(0, 16), layout(3, 16));
    let block = unkai.allocate(none).unwrap().cast();
    assert_eq!((unkai.usage().bytes, unkai.usage().blocks), (0, 0));
    // SAFETY: here and below, the block came from this allocator with the layout named first.
    let block = unsafe { unkai.grow(block, none, some) }.unwrap().cast();
    assert_eq!((unkai.usage().bytes, unkai.usage().blocks), (3, 1));
    // SAFETY: as above.
    let block = unsafe { unkai.shrink(block, some, none) }.unwrap().cast();
    assert_eq!((unkai.usage().bytes, unkai.usage().blocks), (0, 0));
    // SAFETY: as above.
    unsafe { unkai.deallocate(block, none) };
    assert_eq!((unkai.usage().bytes, unkai.usage().blocks), (0, 0));
    assert_eq!(unkai.usage().peak_bytes, 3);
    assert_eq!(checking.take_calls().len(), 4);
}

#[test]
fn an_inner_allocator_that_unwinds_leaves_no_trace() {
    struct Unwinding;

    // SAFETY: it never returns a block.
    unsafe impl Allocator for Unwinding {
        fn allocate(&self, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
            panic!("on purpose")
        }
        unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
    }

    let unkai = Unkai::new(Unwinding);
    let result = catch_unwind(AssertUnwindSafe(|| unkai.allocate(layout(8, 8)).is_ok()));
    assert!(result.is_err());
    assert_eq!(unkai.usage(), Unkai::new(Unwinding).usage());
}
