//! What could not be recorded.

use unkai_core::Cause;

/// What happened, and what it means for the numbers.
pub(crate) fn explanation(cause: Cause) -> &'static str {
    match cause {
        Cause::StackTruncated => {
            "stacks deeper than the profiler keeps: their outer frames are missing. Bytes are right; the call tree starts \
             them at \"(outer frames missing)\". More frames can be kept by configuration."
        }
        Cause::StackMissing => {
            "samples whose stack could not be taken: their bytes are right, in the site \"(stack could not be taken)\"."
        }
        Cause::StacksFull => {
            "samples while the table of stacks was full: they went to the callers that were already known, marked \"… \
             (stack table full)\"."
        }
        Cause::SitesFull => {
            "samples while the table of sites was full: they are in the site \"(other: the table of sites is full)\"."
        }
        Cause::LiveTableFull => {
            "samples dropped because the table of live blocks was full: sites are too small by as much."
        }
        Cause::ThreadNotSampled => {
            "allocations on threads that were ending, or beyond the configured number of threads: in the totals, but \
             in no site."
        }
        Cause::SampleRefused => {
            "samples dropped because the allocator refused the slightly larger block: in the totals, but in no site."
        }
        Cause::OwnMemoryRefused => {
            "times that the system gave unkai no memory: those samples are in the totals, but in no site, or in a site with \
             a part of their stack."
        }
        Cause::Reentered => {
            "allocations by unkai's own code while it took a sample: in no number of this report."
        }
        Cause::LayoutMismatch => {
            "sampled blocks freed with another layout than they were allocated with: a bug in the program or in a crate \
             that it uses. unkai used the right layout."
        }
        Cause::FreeMissed => {
            "sampled blocks whose free was not seen before their address was allocated again: their lifetimes are too \
             long."
        }
        _ => "events of a kind that this report has no words for.",
    }
}

/// The cause for programs: the same in all formats and versions. `None` if this version does not know it.
#[cfg(any(feature = "json", feature = "prometheus"))]
pub(crate) fn name(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::StackTruncated => "stack_truncated",
        Cause::StackMissing => "stack_missing",
        Cause::StacksFull => "stacks_full",
        Cause::SitesFull => "sites_full",
        Cause::LiveTableFull => "live_table_full",
        Cause::ThreadNotSampled => "thread_not_sampled",
        Cause::SampleRefused => "sample_refused",
        Cause::OwnMemoryRefused => "own_memory_refused",
        Cause::Reentered => "reentered",
        Cause::LayoutMismatch => "layout_mismatch",
        Cause::FreeMissed => "free_missed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cause_of_loss_has_words_of_its_own() {
        let texts: HashSet<&str> = Cause::ALL.into_iter().map(explanation).collect();
        assert_eq!(texts.len(), Cause::ALL.len());
        assert!(!texts.contains("events of a kind that this report has no words for."));
    }

    #[test]
    #[cfg(any(feature = "json", feature = "prometheus"))]
    fn every_cause_of_loss_has_a_name_of_its_own() {
        let names: HashSet<&str> = Cause::ALL.into_iter().filter_map(name).collect();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
