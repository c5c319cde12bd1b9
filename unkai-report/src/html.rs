//! A report for a browser: one file.
