//! How threads begin and end.

#[cfg(not(any(panic = "abort", target_feature = "crt-static")))]
pub(crate) mod ended_early;
pub(crate) mod first_is_a_free;
pub(crate) mod in_destructors;
pub(crate) mod storm;
