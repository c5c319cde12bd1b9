//! Other profilers, at work at the same time.

pub(crate) mod of_the_cpu;
