//! Panics.

#[cfg(not(panic = "abort"))]
pub(crate) mod caught;
#[cfg(not(panic = "abort"))]
pub(crate) mod deep;
pub(crate) mod hook;
pub(crate) mod twice;
