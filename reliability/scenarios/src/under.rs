//! What runs this program, where that is not the processor itself: the scripts say so.

/// `memcheck` or `emulator`: all is many times slower there, and what the system says of this process's memory is theirs, too.
pub(crate) fn tool() -> Option<String> {
    std::env::var("UNKAI_SCENARIOS_UNDER").ok()
}
