//! What crosses the border between the program and a library: part of both.

/// The program's allocator.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Host {
    /// Size and alignment.
    pub(crate) alloc: unsafe extern "C" fn(usize, usize) -> *mut u8,
    /// Block, size and alignment.
    pub(crate) dealloc: unsafe extern "C" fn(*mut u8, usize, usize),
    /// Block, size, alignment and new size.
    pub(crate) realloc: unsafe extern "C" fn(*mut u8, usize, usize, usize) -> *mut u8,
}

/// The parts of a vector. Both sides have the same allocator.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Block {
    start: *mut u8,
    length: usize,
    capacity: usize,
}

impl Block {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self {
            start: bytes.as_mut_ptr(),
            length: bytes.len(),
            capacity: bytes.capacity(),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        // SAFETY: the parts of a vector that was given up in `of`, and whose allocator is this one.
        unsafe { Vec::from_raw_parts(self.start, self.length, self.capacity) }
    }
}
