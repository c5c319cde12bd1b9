//! Profiles for DHAT's viewer.
