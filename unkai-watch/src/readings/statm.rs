//! The process's own memory: `/proc/self/statm`.

use std::path::Path;

use super::file::{Opened, number};

/// The process's memory as the system sees it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnMemory {
    pub(crate) address_space: u64,
    pub(crate) resident: u64,
}

#[derive(Debug)]
pub(crate) struct Statm {
    file: Opened,
    page_bytes: u64,
}

impl Statm {
    pub(crate) fn open(root: &Path) -> Option<Self> {
        Some(Self {
            file: Opened::open(&root.join("proc/self/statm")).ok()?,
            page_bytes: page_bytes()?,
        })
    }

    pub(crate) fn read(&self) -> Option<OwnMemory> {
        let (size, resident) = self.file.read(|text| {
            let mut words = text.split(|&byte| byte == b' ');
            Some((number(words.next()?)?, number(words.next()?)?))
        })?;
        Some(OwnMemory {
            address_space: size.checked_mul(self.page_bytes)?,
            resident: resident.checked_mul(self.page_bytes)?,
        })
    }
}

#[expect(unsafe_code, reason = "the C library is asked for the size of a page")]
fn page_bytes() -> Option<u64> {
    // SAFETY: `sysconf` takes any name.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_becomes_resident() {
        let statm = Statm::open(Path::new("/")).expect("Linux has it");
        let before = statm.read().expect("Linux says");
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = statm.read().expect("Linux says");
        assert!(
            after.resident > before.resident + (24 << 20),
            "{before:?} {after:?}"
        );
        assert!(after.address_space > before.address_space + (24 << 20));
        drop(touched);
    }

    #[test]
    fn a_file_of_another_form_says_nothing() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(root.path().join("proc/self")).expect("a directory");
        for text in ["", "3171", "x y", "1 99999999999999999999"] {
            std::fs::write(root.path().join("proc/self/statm"), text).expect("a file");
            assert_eq!(
                Statm::open(root.path()).expect("it is there").read(),
                None,
                "{text:?}"
            );
        }
    }
}
