//! Heap profiles and metrics over HTTP.
