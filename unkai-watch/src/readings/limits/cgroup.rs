//! The limits of the process's control group and of those above it.

use std::fs;
use std::path::Path;

use super::mounts::{self, Place, Version};
use crate::limit::{Limit, LimitKind};
use crate::readings::file::{Opened, number, number_of};

/// Version 1 writes "no limit" as the largest number of pages: nothing above this is meant.
const NO_LIMIT: u64 = 1 << 62;

/// All groups whose limits hold for this process, the process's own first.
#[derive(Debug)]
pub(super) struct Cgroups {
    groups: Vec<Group>,
}

/// One group, with its files.
#[derive(Debug)]
struct Group {
    version: Version,
    limit: Opened,
    usage: Opened,
    stat: Option<Opened>,
}

impl Cgroups {
    /// Finds them by what the kernel says of this process. What is missing is told in `notes`.
    pub(super) fn find(root: &Path, notes: &mut Vec<String>) -> Self {
        let mut groups = Vec::new();
        let read = |name: &str| {
            fs::read(root.join(name)).map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        match (read("proc/self/cgroup"), read("proc/self/mountinfo")) {
            (Ok(cgroup), Ok(mountinfo)) => {
                for version in [Version::Two, Version::One] {
                    let place = mounts::path_of(version, &cgroup)
                        .and_then(|path| mounts::place(version, path, &mountinfo, root));
                    groups.extend(
                        place
                            .iter()
                            .flat_map(|place| Group::upwards(version, place)),
                    );
                }
                if groups.is_empty() {
                    notes.push("no control group with a limit of memory was found".into());
                }
            }
            (cgroup, mountinfo) => {
                let names = [("cgroup", cgroup), ("mountinfo", mountinfo)];
                for (name, error) in names
                    .into_iter()
                    .filter_map(|(name, read)| Some((name, read.err()?)))
                {
                    notes.push(format!(
                        "control groups are not known: /proc/self/{name}: {error}"
                    ));
                }
            }
        }
        if groups.iter().any(|group| group.stat.is_none()) {
            notes.push(
                "a control group has no memory.stat: inactive pages of files count as taken".into(),
            );
        }
        Self { groups }
    }

    /// How many limits there can be.
    pub(super) fn most(&self) -> usize {
        self.groups.len()
    }

    /// Reads all limits anew. A group without a limit, or one that is gone, is left out.
    pub(super) fn read(&self, take: impl FnMut(Limit)) {
        self.groups.iter().filter_map(Group::read).for_each(take);
    }
}

impl Group {
    /// The group at `place` and those above it, as far as they can be seen.
    fn upwards(version: Version, place: &Place) -> impl Iterator<Item = Self> {
        place
            .group
            .ancestors()
            .take_while(|dir| dir.starts_with(&place.mount))
            .filter_map(move |dir| Self::open(version, dir))
    }

    /// `None` for a group that has no limit, as the root of the tree.
    fn open(version: Version, dir: &Path) -> Option<Self> {
        let (limit, usage) = match version {
            Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            Version::Two => ("memory.max", "memory.current"),
        };
        Some(Self {
            version,
            limit: Opened::open(&dir.join(limit)).ok()?,
            usage: Opened::open(&dir.join(usage)).ok()?,
            stat: Opened::open(&dir.join("memory.stat")).ok(),
        })
    }

    fn read(&self) -> Option<Limit> {
        let own = self.limit.read(number).filter(|&bytes| bytes < NO_LIMIT);
        let (kind, bytes, inactive) = match self.version {
            Version::Two => {
                // "max" is no number.
                let bytes = own?;
                (LimitKind::CgroupV2, bytes, self.stat("inactive_file "))
            }
            Version::One => {
                // The lowest limit of the groups above, whether they can be seen or not.
                let above = self
                    .stat("hierarchical_memory_limit ")
                    .filter(|&bytes| bytes < NO_LIMIT);
                let bytes = own.into_iter().chain(above).min()?;
                (
                    LimitKind::CgroupV1,
                    bytes,
                    self.stat("total_inactive_file "),
                )
            }
        };
        let usage = self.usage.read(number)?;
        Some(Limit {
            kind,
            bytes,
            used_bytes: usage.saturating_sub(inactive.unwrap_or(0)),
        })
    }

    fn stat(&self, key: &str) -> Option<u64> {
        self.stat.as_ref()?.read(|text| number_of(key, text))
    }
}
