//! A stack that tells how much of it was used.

use std::ffi::c_void;
use std::ptr;

/// Memory for a thread's stack.
#[derive(Debug)]
pub(crate) struct Painted {
    memory: *mut u8,
    size: usize,
}

/// What a thread on such a stack does, and what it finds.
struct Visit<'w> {
    work: &'w mut dyn FnMut(),
    stack: &'w Painted,
    used: usize,
}

impl Painted {
    pub(crate) fn new(size: usize) -> Self {
        let (rights, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, rights, kind, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED, "no memory");
        Self {
            memory: memory.cast(),
            size,
        }
    }

    /// Bytes of stack that `work` takes, on a new thread.
    pub(crate) fn used_by(self, work: &mut (dyn FnMut() + '_)) -> usize {
        let mut visit = Visit {
            work,
            stack: &self,
            used: 0,
        };
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: room for attributes.
        let failed = unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
        assert_eq!(failed, 0);
        // SAFETY: initialised above; the memory is ours, and nobody else uses it while the thread runs.
        let set = unsafe {
            libc::pthread_attr_setstack(attributes.as_mut_ptr(), self.memory.cast(), self.size)
        };
        assert_eq!(set, 0, "not a stack");
        let mut thread = 0;
        // SAFETY: initialised attributes; the function takes what it is given here, which outlives the thread.
        let started = unsafe {
            let visit = ptr::from_mut(&mut visit).cast();
            libc::pthread_create(&mut thread, attributes.as_ptr(), run, visit)
        };
        assert_eq!(started, 0, "no thread");
        // SAFETY: started above, joined once.
        assert_eq!(unsafe { libc::pthread_join(thread, ptr::null_mut()) }, 0);
        // SAFETY: initialised above, not used any more.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        visit.used
    }

    /// The bytes from the lowest up to `end`.
    fn below(&self, end: usize) -> std::ops::Range<*mut u8> {
        self.memory..self.memory.wrapping_add(end - self.memory as usize)
    }
}

impl Drop for Painted {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and the thread on it is gone.
        unsafe { libc::munmap(self.memory.cast(), self.size) };
    }
}

extern "C" fn run(visit: *mut c_void) -> *mut c_void {
    // SAFETY: what `used_by` passed, borrowed by nobody else while this thread runs.
    let visit = unsafe { &mut *visit.cast::<Visit<'_>>() };
    let here = 0_u8;
    let top = ptr::from_ref(&here) as usize;
    // Out of reach of this function's own frame, and of what it calls to paint.
    paint(visit.stack.below(top - OWN));
    (visit.work)();
    let touched = first_touched(visit.stack.below(top - OWN));
    visit.used = top - touched.unwrap_or(top - OWN);
    ptr::null_mut()
}

#[inline(never)]
fn paint(bytes: std::ops::Range<*mut u8>) {
    let mut byte = bytes.start;
    while byte < bytes.end {
        // SAFETY: within the memory of the stack, below all frames.
        unsafe { byte.write_volatile(PAINT) };
        byte = byte.wrapping_add(1);
    }
}

#[inline(never)]
fn first_touched(bytes: std::ops::Range<*mut u8>) -> Option<usize> {
    let mut byte = bytes.start;
    while byte < bytes.end {
        // SAFETY: as above; painted, so initialised.
        if unsafe { byte.read_volatile() } != PAINT {
            return Some(byte as usize);
        }
        byte = byte.wrapping_add(1);
    }
    None
}

const OWN: usize = 1024;
const PAINT: u8 = 0xa5;
