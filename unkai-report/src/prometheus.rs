//! A heap profile as metrics.
