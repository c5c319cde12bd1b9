//! Where a walk over the stack starts.

/// The registers that a walk starts from, as they were in the function that called [`Registers::capture`].
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Address of an instruction in that function.
    #[allow(dead_code, reason = "for the tables, which not every platform has")]
    pub(crate) instruction: u64,
    /// Its stack pointer.
    pub(crate) stack: u64,
    /// Its frame-pointer register, whatever it is used for.
    pub(crate) frame: u64,
    /// Its link register, where the architecture has one.
    #[cfg(target_arch = "aarch64")]
    #[allow(dead_code, reason = "for the tables, which not every platform has")]
    pub(crate) link: u64,
}

impl Registers {
    /// The registers of the calling function. Costs a few instructions.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub fn capture() -> Self {
        let (instruction, stack, frame): (u64, u64, u64);
        // SAFETY: copies three registers, touches neither memory nor flags nor the stack.
        unsafe {
            std::arch::asm!(
                "lea {instruction}, [rip]",
                "mov {stack}, rsp",
                "mov {frame}, rbp",
                instruction = out(reg) instruction,
                stack = out(reg) stack,
                frame = out(reg) frame,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self {
            instruction,
            stack,
            frame,
        }
    }

    /// The registers of the calling function. Costs a few instructions.
    #[inline(always)]
    #[cfg(target_arch = "aarch64")]
    pub fn capture() -> Self {
        let (instruction, stack, frame, link): (u64, u64, u64, u64);
        // SAFETY: copies four registers, touches neither memory nor flags nor the stack.
        unsafe {
            std::arch::asm!(
                "adr {instruction}, .",
                "mov {stack}, sp",
                "mov {frame}, x29",
                "mov {link}, x30",
                instruction = out(reg) instruction,
                stack = out(reg) stack,
                frame = out(reg) frame,
                link = out(reg) link,
                options(nomem, nostack, preserves_flags),
            );
        }
        Self {
            instruction,
            stack,
            frame,
            link,
        }
    }

    /// About where the calling function's stack is: all that the portable unwinder needs.
    #[inline(always)]
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn capture() -> Self {
        let here = 0u8;
        let stack = std::ptr::from_ref(&here) as u64;
        Self {
            instruction: 0,
            stack,
            frame: 0,
        }
    }
}

/// The bits of a return address. Above them, processors with pointer authentication keep a signature: distributions compile
/// their C libraries so that return addresses on the stack are signed.
#[cfg(target_arch = "aarch64")]
pub(super) const CODE_MASK: u64 = (1 << 48) - 1;

/// A return address as it was before it was signed.
#[inline(always)]
#[cfg(target_arch = "aarch64")]
pub(super) fn without_signature(return_address: u64) -> u64 {
    return_address & CODE_MASK
}

/// A return address, which is never signed here.
#[inline(always)]
#[cfg(not(target_arch = "aarch64"))]
pub(super) fn without_signature(return_address: u64) -> u64 {
    return_address
}
