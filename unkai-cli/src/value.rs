//! How values are called on the command line.

use clap::ValueEnum;
use unkai_report::Value;

/// One of the numbers of a call stack.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ValueName {
    /// Bytes that are live: allocated and not freed
    Live,
    /// Blocks that are live
    #[value(alias = "blocks")]
    LiveBlocks,
    /// Bytes allocated since the start, freed or not
    Allocated,
    /// Blocks allocated since the start, freed or not
    AllocatedBlocks,
    /// Bytes that were live at the program's peak
    Peak,
    /// Blocks that were live at the program's peak
    PeakBlocks,
}

impl From<ValueName> for Value {
    fn from(name: ValueName) -> Self {
        match name {
            ValueName::Live => Self::LiveBytes,
            ValueName::LiveBlocks => Self::LiveBlocks,
            ValueName::Allocated => Self::AllocatedBytes,
            ValueName::AllocatedBlocks => Self::AllocatedBlocks,
            ValueName::Peak => Self::PeakBytes,
            ValueName::PeakBlocks => Self::PeakBlocks,
        }
    }
}
