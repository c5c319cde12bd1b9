//! The process's memory as the system sees it.

/// Bytes of the process that are in physical memory now (its RSS); `None` where the system does not say.
///
/// Reads one small file of Linux's `/proc` into a buffer on the stack: some µs, and no allocation.
#[cfg(target_os = "linux")]
pub(crate) fn resident_bytes() -> Option<u64> {
    let mut text = [0_u8; 128];
    let length = read(c"/proc/self/statm", &mut text)?;
    let pages = second_number(&text[..length])?;
    // SAFETY: `sysconf` takes any name.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.checked_mul(u64::try_from(page_bytes).ok()?)
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn resident_bytes() -> Option<u64> {
    None
}

/// The start of a file, and how many bytes of it there are.
#[cfg(target_os = "linux")]
fn read(path: &std::ffi::CStr, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: `path` ends with a zero; the flags ask for no third argument.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return None;
    }
    // SAFETY: `file` is open, and `buffer` has room for as many bytes as are asked for.
    let length = unsafe { libc::read(file, buffer.as_mut_ptr().cast(), buffer.len()) };
    // SAFETY: `file` was opened above, and nobody else knows it.
    unsafe { libc::close(file) };
    usize::try_from(length).ok()
}

/// The number of pages, in the contents of the file.
#[cfg(target_os = "linux")]
pub(crate) fn second_number(text: &[u8]) -> Option<u64> {
    let word = text
        .split(u8::is_ascii_whitespace)
        .nth(1)
        .filter(|word| !word.is_empty())?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_touched_becomes_resident() {
        let before = resident_bytes().expect("Linux says");
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        let after = resident_bytes().expect("Linux says");
        assert!(after > before + (24 << 20), "{before} to {after}");
        drop(touched);
    }

    #[test]
    fn a_file_of_another_form_is_no_number() {
        assert_eq!(second_number(b"3171 915 800 12"), Some(915));
        for text in [
            &b""[..],
            b"3171",
            b"3171 ",
            b"3171 x",
            b"3171  915",
            b"1 99999999999999999999",
        ] {
            assert_eq!(second_number(text), None);
        }
    }
}
