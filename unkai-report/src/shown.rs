//! The part of a site's call stack that people are shown, with marks where frames are missing.

use std::borrow::Cow;

use unkai_core::Site;

use crate::report::{Frame, INNER_MISSING, OUTER_MISSING, stand_in};
use crate::trim::trim;

/// A level of a shown call stack.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'f, 'a> {
    Frame(&'f Frame<'a>),
    /// Stands for frames that are not known.
    Mark(&'static str),
}

impl<'f, 'a: 'f> Step<'f, 'a> {
    /// The function's full name, or the words of the mark.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        match self {
            Self::Frame(frame) => frame.name(),
            Self::Mark(words) => Cow::Borrowed(words),
        }
    }

    /// The function's short name, or the words of the mark.
    #[cfg_attr(
        not(any(feature = "json", feature = "flamegraph")),
        expect(dead_code, reason = "only drawings have no room for more")
    )]
    pub(crate) fn short_name(&self) -> Cow<'a, str> {
        match self {
            Self::Frame(frame) => frame.short_name(),
            Self::Mark(words) => Cow::Borrowed(words),
        }
    }
}

/// The path from the outermost function to the one that allocates, from the frames of `site`'s call stack: without those
/// of the allocator and of the runtime, and never empty.
pub(crate) fn shown_path<'f, 'a>(
    site: &Site,
    frames: &'f [Frame<'a>],
) -> impl Iterator<Item = Step<'f, 'a>> {
    path(site, &frames[trim(frames)])
}

/// Like [`shown_path`], from the frames that were `kept` of the stack.
pub(crate) fn path<'f, 'a>(
    site: &Site,
    kept: &'f [Frame<'a>],
) -> impl Iterator<Item = Step<'f, 'a>> {
    let outer = (site.truncated && !kept.is_empty()).then_some(OUTER_MISSING);
    let alone = kept.is_empty().then(|| stand_in(site));
    let inner = (site.prefix_only && !kept.is_empty()).then_some(INNER_MISSING);
    let marks = |mark: Option<&'static str>| mark.into_iter().map(Step::Mark);
    marks(outer)
        .chain(kept.iter().rev().map(Step::Frame))
        .chain(marks(alone))
        .chain(marks(inner))
}
