//! Profiles for speedscope.
