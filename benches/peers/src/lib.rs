//! What every subject runs: the same workloads, by the same machine code.
//!
//! A *subject* is an allocator as a program would install it: bare, or behind unkai or one of its peers. Each is a small
//! binary (`subjects/`) that only says what its `#[global_allocator]` is and then hands over to [`child::serve`]. The
//! driver (`driver/`) starts one process for each and lets them take turns.

pub mod child;
pub mod cores;
mod random;
pub mod workloads;
