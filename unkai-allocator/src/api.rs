//! The `Allocator` trait of this build, with its companions: the only place that tells the two builds apart.
//!
//! | feature | `Allocator`, `AllocError`, `Global` | `Box`, `Vec` |
//! |---|---|---|
//! | none | of the crate `allocator-api2` 0.2 | likewise |
//! | `nightly` | of std (unstable feature `allocator_api`) | likewise |
//!
//! Code that takes them from here compiles in both builds. An allocator of your own, for example:
//!
//! ```
//! # #![cfg_attr(feature = "nightly", feature(allocator_api))]
//! use std::alloc::Layout;
//! use std::ptr::NonNull;
//! use unkai_allocator::Unkai;
//! use unkai_allocator::api::{AllocError, Allocator, Vec};
//!
//! struct Nothing;
//!
//! // SAFETY: it never returns a block, so there is none to get wrong.
//! unsafe impl Allocator for Nothing {
//!     fn allocate(&self, _: Layout) -> Result<NonNull<[u8]>, AllocError> {
//!         Err(AllocError)
//!     }
//!     unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
//! }
//!
//! let mut bytes = Vec::<u8, Unkai<Nothing>>::new_in(Unkai::new(Nothing));
//! assert!(bytes.try_reserve(1).is_err());
//! assert_eq!(bytes.allocator().report_usage(), 0);
//! ```

#[cfg(not(feature = "nightly"))]
pub use allocator_api2::{
    alloc::{AllocError, Allocator, Global},
    boxed::Box,
    vec::Vec,
};
#[cfg(feature = "nightly")]
pub use std::{
    alloc::{AllocError, Allocator, Global},
    boxed::Box,
    vec::Vec,
};
