//! Which memory a walk may read: the stack of this thread, from where the walk starts up to its end.
//!
//! A wild pointer must never crash the program, so every word is checked. The end of a thread's stack is asked for once
//! and kept in a thread-local. On a stack that is not the thread's own (a hand-made one of a coroutine) the end is not
//! known: there the kernel reads for us, which is slower and cannot fault.

use std::cell::Cell;

use super::Registers;

/// The part of the stack that a walk may read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readable {
    start: u64,
    /// So many bytes from there on a word may begin; 0 if the end of the stack is not known.
    length: u64,
}

impl Readable {
    /// What may be read from `registers` on.
    pub(super) fn from(registers: &Registers) -> Self {
        let (start, end) = STACK.get().unwrap_or_else(|| {
            let own = thread_stack().unwrap_or((0, 0));
            STACK.set(Some(own));
            own
        });
        let on_it = start <= registers.stack && registers.stack < end;
        Self {
            start: registers.stack,
            length: if on_it {
                (end - registers.stack).saturating_sub(7)
            } else {
                0
            },
        }
    }

    /// The word at `address`, or `Err` if it must not be read.
    #[inline]
    pub(super) fn word(self, address: u64) -> Result<u64, ()> {
        // Below the start, this wraps around to more than any stack is long.
        let inside = address.wrapping_sub(self.start);
        if inside >= self.length || !address.is_multiple_of(8) {
            return self.word_of_foreign_stack(address);
        }
        // SAFETY: the word is aligned and lies between this thread's stack pointer and the end of its stack, which is
        // mapped and readable for as long as the thread runs. It may be any value, also a value that another frame of
        // this very thread owns: it is only looked at as a number, by a volatile read that the compiler cannot relate to
        // any variable.
        Ok(unsafe { std::ptr::read_volatile(address as *const u64) })
    }

    /// The word at an address that is not on this thread's own stack: only if none of the stack is.
    #[cold]
    fn word_of_foreign_stack(self, address: u64) -> Result<u64, ()> {
        let inside = address.wrapping_sub(self.start);
        if self.length == 0 && inside < FOREIGN_DEPTH && address.is_multiple_of(8) {
            foreign_word(address)
        } else {
            Err(())
        }
    }
}

thread_local! {
    /// The lowest address and the end of this thread's stack, once they were asked for.
    static STACK: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// From now on the stack of this thread is taken to be `memory`.
#[cfg(unkai_internals)]
pub(super) fn stack_is(memory: &[u64]) {
    let memory = memory.as_ptr_range();
    STACK.set(Some((memory.start as u64, memory.end as u64)));
}

/// Frames further out than this on a hand-made stack are not looked for.
const FOREIGN_DEPTH: u64 = 1 << 20;

/// The lowest address and the end of this thread's stack.
#[cfg(target_os = "linux")]
fn thread_stack() -> Option<(u64, u64)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: no precondition.
    let this_thread = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread exists, and `attributes` is room for the answer.
    let failed = unsafe { libc::pthread_getattr_np(this_thread, attributes.as_mut_ptr()) };
    if failed != 0 {
        return None;
    }
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the call above succeeded, so the attributes are initialised; the other two are room for the answer.
    let failed = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) };
    // SAFETY: initialised above, and not used afterwards.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (failed == 0).then(|| (start as u64, start as u64 + size as u64))
}

#[cfg(not(target_os = "linux"))]
fn thread_stack() -> Option<(u64, u64)> {
    None
}

/// Reads a word of this process by a system call, which fails where a load would fault.
#[cfg(target_os = "linux")]
pub(super) fn foreign_word(address: u64) -> Result<u64, ()> {
    let mut word = 0u64;
    let local = libc::iovec {
        iov_base: std::ptr::from_mut(&mut word).cast(),
        iov_len: 8,
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: 8,
    };
    // SAFETY: getpid has no precondition.
    let process = unsafe { libc::getpid() };
    // SAFETY: both vectors hold one element; the local one is 8 writable bytes. The kernel checks the remote one.
    let read = unsafe { libc::process_vm_readv(process, &local, 1, &remote, 1, 0) };
    if read == 8 { Ok(word) } else { Err(()) }
}

#[cfg(not(target_os = "linux"))]
fn foreign_word(_address: u64) -> Result<u64, ()> {
    Err(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_this_stack_can_be_read_and_others_not() {
        let value = 0x1234_5678_9abc_def0u64;
        let registers = Registers::capture();
        let readable = Readable::from(&registers);
        assert_eq!(readable.word(std::ptr::from_ref(&value) as u64), Ok(value));
        assert!(readable.word(registers.stack - 4096).is_err());
        assert!(readable.word(registers.stack + 1).is_err());
        assert!(readable.word(u64::MAX - 7).is_err());
        assert!(readable.word(0).is_err());
        assert!(readable.word(1 << 46).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[expect(clippy::disallowed_macros, reason = "tests print")]
    fn a_hand_made_stack_is_read_without_faulting() {
        let memory = vec![7u64; 1024];
        let start = memory.as_ptr() as u64;
        if foreign_word(start).is_err() {
            println!(
                "skipped: this system reads no memory for a process (a sandbox, or an emulator)"
            );
            return;
        }
        let readable = Readable { start, length: 0 };
        assert_eq!(readable.word(start + 80), Ok(7));
        assert_eq!(
            Readable {
                start: 4096,
                length: 0
            }
            .word(4096),
            Err(())
        );
    }
}
