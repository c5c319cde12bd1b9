//! Profiles for pprof.
