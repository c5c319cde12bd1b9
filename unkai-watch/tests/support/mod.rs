//! What several tests need.

pub(crate) mod sites;
pub(crate) mod strict;
