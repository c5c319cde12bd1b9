//! How unkai looks: the only code that touches the thread, the clock and the stack.

pub(crate) mod clock;
pub(crate) mod sampler;
#[cfg(not(loom))]
pub(crate) mod thread;
#[cfg(not(loom))]
pub(crate) mod unwind;
#[cfg(loom)]
#[path = "unwind/modelled.rs"]
mod unwind;
