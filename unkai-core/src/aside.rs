//! Work that is not the program's.

/// Does some work on this thread that is not the program's: what it allocates and frees again is in no number of the heap
/// profile, and none of it is sampled.
///
/// Taking a snapshot and making a report are such work; unkai does both in this way.
///
/// What the work leaves behind, its result for instance, is counted as allocated when it ends, and without a sample. So
/// live bytes are exact before and after it; while it runs, they are without what it holds. The same goes for blocks of
/// the program that the work frees. Without a profiled heap this does nothing.
///
/// Costs a few ns, and a few more for each allocation in it. Work within such work is part of it.
///
/// ```
/// let text = unkai_core::aside(|| format!("{} MiB", 12));
/// assert_eq!(text, "12 MiB");
/// ```
pub fn aside<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(all(feature = "profiler", not(loom)))]
    let _until_the_end = crate::probe::thread::step_aside();
    work()
}
