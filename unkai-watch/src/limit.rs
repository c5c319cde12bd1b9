//! A limit of the memory that the process may have.

use std::fmt;

use unkai_report::units;

/// A limit that holds for this process, and how much of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// Whose limit it is.
    pub kind: LimitKind,
    /// The limit, in bytes.
    pub bytes: u64,
    /// What is taken of it, by this process and all others that it holds for, in bytes.
    pub used_bytes: u64,
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitKind {
    /// `memory.max` of the process's control group, or of one above it (version 2). Taken is what the kernel counts
    /// without inactive pages of files, which it would give up first.
    CgroupV2,
    /// `memory.limit_in_bytes` of the process's control group, or of one above it (version 1). Taken is as in version 2.
    CgroupV1,
    /// The memory of the machine. Taken is what the kernel does not call available.
    Machine,
    /// `RLIMIT_AS`. Taken is the size of the address space, whether used or not.
    AddressSpace,
}

impl Limit {
    /// How much of the limit is taken: 1 is all of it.
    pub fn share(&self) -> f64 {
        self.used_bytes as f64 / self.bytes as f64
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, bytes) = (self.used_bytes as f64, self.bytes as f64);
        write!(
            f,
            "{} of {} of {}",
            units::bytes(used),
            units::bytes(bytes),
            self.kind
        )
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CgroupV2 => "the control group (v2)",
            Self::CgroupV1 => "the control group (v1)",
            Self::Machine => "the machine",
            Self::AddressSpace => "the address space (RLIMIT_AS)",
        })
    }
}
