//! Stacks of all kinds: short, deep, overflown, hand-made, misleading.

pub(crate) mod contexts;
pub(crate) mod coroutines;
pub(crate) mod deep;
pub(crate) mod lead_nowhere;
pub(crate) mod overflow;
mod painted;
pub(crate) mod small;
pub(crate) mod wild_frame_pointers;
