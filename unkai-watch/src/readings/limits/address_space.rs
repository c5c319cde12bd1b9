//! `RLIMIT_AS`, from `/proc/self/limits`.

use std::path::Path;

use crate::limit::{Limit, LimitKind};
use crate::readings::file::{Opened, number_of};
use crate::readings::statm::OwnMemory;

#[derive(Debug)]
pub(super) struct AddressSpace {
    file: Opened,
}

impl AddressSpace {
    pub(super) fn open(root: &Path) -> Option<Self> {
        let file = Opened::open(&root.join("proc/self/limits")).ok()?;
        Some(Self { file })
    }

    /// `None` too if there is no such limit: "unlimited" is no number.
    pub(super) fn read(&self, own: OwnMemory) -> Option<Limit> {
        let soft = self
            .file
            .read(|text| number_of("Max address space ", text))?;
        Some(Limit {
            kind: LimitKind::AddressSpace,
            bytes: soft,
            used_bytes: own.address_space,
        })
    }
}
