//! A sampling heap profiler around any global allocator, on stable Rust.
//!
//! ```
//! use std::alloc::System;
//! use unkai_global::{Config, UnkaiGlobalAlloc};
//!
//! #[global_allocator]
//! static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());
//!
//! let before = HEAP.usage();
//! let buffer = vec![0u8; 1 << 20];
//! let after = HEAP.usage();
//! assert!(after.allocated.bytes - before.allocated.bytes >= 1 << 20);
//! drop(buffer);
//!
//! for site in HEAP.snapshot().sites {
//!     println!("{:.0} ± {:.0} bytes live", site.live.bytes, site.live.bytes_error_95());
//! }
//! ```
//!
//! This crate adapts `GlobalAlloc`; everything that it does is in `unkai-core`.
//!
//! # Features
//! * `report`: [`UnkaiGlobalAlloc::report_symbol`], with the names that `unkai-report` resolves.

mod alloc;
mod control;

pub use alloc::UnkaiGlobalAlloc;
pub use unkai_core::{Config, Sampling, Snapshot, Totals};
