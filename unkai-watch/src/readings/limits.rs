//! The limits of the memory that this process may have.
//!
//! They are found once, at the start; what they are and what is taken of them is read anew each time.

mod address_space;
mod cgroup;
mod machine;
mod mounts;

use std::path::Path;

use crate::limit::Limit;
use address_space::AddressSpace;
use cgroup::Cgroups;
use machine::Machine;

use super::statm::OwnMemory;

/// All limits that hold for this process.
#[derive(Debug)]
pub(crate) struct Limits {
    cgroups: Cgroups,
    machine: Option<Machine>,
    address_space: Option<AddressSpace>,
    /// What was read last. It has room for all.
    read: Vec<Limit>,
    /// What was missing, in sentences.
    notes: Vec<String>,
}

impl Limits {
    /// Finds the limits below `root`, which is `/` but in tests.
    pub(crate) fn find(root: &Path) -> Self {
        let mut notes = Vec::new();
        let cgroups = Cgroups::find(root, &mut notes);
        let machine = Machine::open(root);
        if machine.is_none() {
            notes.push("the machine's memory is not known: /proc/meminfo cannot be opened".into());
        }
        let address_space = AddressSpace::open(root);
        if address_space.is_none() {
            notes.push("RLIMIT_AS is not known: /proc/self/limits cannot be opened".into());
        }
        let most = cgroups.most() + 2;
        Self {
            cgroups,
            machine,
            address_space,
            read: Vec::with_capacity(most),
            notes,
        }
    }

    /// What was missing, in sentences.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads all limits anew, and returns the one of which most is taken. `own` is needed for `RLIMIT_AS`.
    pub(crate) fn read(&mut self, own: Option<OwnMemory>) -> Option<Limit> {
        let read = &mut self.read;
        read.clear();
        let machine = self.machine.as_ref().and_then(Machine::read);
        let address_space = self.address_space.as_ref().zip(own);
        self.cgroups.read(|limit| read.push(limit));
        read.extend(machine);
        read.extend(address_space.and_then(|(file, own)| file.read(own)));
        read.retain(|limit| limit.bytes > 0);
        let larger = |a: &&Limit, b: &&Limit| a.share().total_cmp(&b.share());
        read.iter().max_by(larger).copied()
    }

    /// The fewest bytes by which what is taken must grow until `share` of a limit is: of those read last.
    pub(crate) fn room(&self, share: f64) -> f64 {
        self.read
            .iter()
            .map(|limit| share * limit.bytes as f64 - limit.used_bytes as f64)
            .fold(f64::INFINITY, f64::min)
    }
}

#[cfg(test)]
mod tests;
