//! A small file of the system's that is read again and again, without allocating.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The longest file that is looked at: the rest is cut off. `memory.stat` has some 2 KiB, `mountinfo` is not read here.
const LONGEST: usize = 8 << 10;

/// A file that stays open.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
}

impl Opened {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::open(path)?,
        })
    }

    /// What `find` makes of the file as it is now. `None` too if it cannot be read.
    pub(crate) fn read<T>(&self, find: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let mut text = [0; LONGEST];
        let length = self.file.read_at(&mut text, 0).ok()?;
        find(&text[..length])
    }
}

/// The first word as a number.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let word = text.split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The number after `key`, which begins a line.
pub(crate) fn number_of(key: &str, text: &[u8]) -> Option<u64> {
    text.split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(key.as_bytes()))
        .and_then(|rest| number(rest.trim_ascii_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_after_its_whole_key_only() {
        let text = b"total_inactive_file 7\ninactive_file 648\nactive_file 2\n";
        assert_eq!(number_of("inactive_file ", text), Some(648));
        assert_eq!(number_of("total_inactive_file ", text), Some(7));
        assert_eq!(
            number_of("MemTotal:", b"MemTotal:       24684092 kB\n"),
            Some(24_684_092)
        );
        assert_eq!(number_of("anon ", text), None);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            &b""[..],
            b"max\n",
            b"-1\n",
            b"12x",
            b"99999999999999999999",
            b"\xff\xfe",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
        assert_eq!(number(b"4096\n"), Some(4096));
    }
}
