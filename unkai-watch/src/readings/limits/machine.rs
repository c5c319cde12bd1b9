//! The machine's memory: `/proc/meminfo`.

use std::path::Path;

use crate::limit::{Limit, LimitKind};
use crate::readings::file::{Opened, number_of};

#[derive(Debug)]
pub(super) struct Machine {
    file: Opened,
}

impl Machine {
    pub(super) fn open(root: &Path) -> Option<Self> {
        let file = Opened::open(&root.join("proc/meminfo")).ok()?;
        Some(Self { file })
    }

    pub(super) fn read(&self) -> Option<Limit> {
        self.file.read(|text| {
            let kib = |key| number_of(key, text)?.checked_mul(1024);
            let total = kib("MemTotal:")?;
            let available = kib("MemAvailable:")?;
            Some(Limit {
                kind: LimitKind::Machine,
                bytes: total,
                used_bytes: total.saturating_sub(available),
            })
        })
    }
}
