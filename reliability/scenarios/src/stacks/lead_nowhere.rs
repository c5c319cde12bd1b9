//! Assembly whose tables are wrong, so that a walk is led to a return address that is no code: in memory that is not there, that
//! nobody may read, or that holds something else. Whatever stands there, an allocation below is served, and the walk ends.

use std::hint::black_box;

use unkai_core::{Cause, Sampling};

use super::wild_frame_pointers::Page;
use crate::heap::{Heap, totals_are_exact};

/// How often each address is tried.
const TIMES: usize = 40;

pub(crate) fn play(heap: &'static dyn Heap) {
    let page = Page::new();
    let data = vec![0_u64; 64];
    let nowhere = [
        1,
        0x1010,
        0xdead_beef_0000,
        0x8000_0000_0000,
        i64::MIN as u64 + 16,
        u64::MAX - 64,
        u64::MAX,
        page.0,
        page.0 + 16,
        page.0 + 4095,
        data.as_ptr() as u64 + 16,
        std::ptr::from_ref(&page) as u64,
    ];
    let truncated = || heap.snapshot().losses.of(Cause::StackTruncated);
    let before = truncated();
    for address in nowhere {
        for _ in 0..TIMES {
            let mut kept = Vec::new();
            // SAFETY: the function passes `kept` on to `allocate`, and keeps what a function must keep for its caller.
            unsafe { unkai_scenarios_lead_nowhere(allocate, address, &mut kept) };
            assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), SUM);
            assert!(kept.iter().flatten().all(|&byte| byte == 9));
        }
        totals_are_exact(heap, &format!("with {address:#x} as return address"));
    }
    let snapshot = heap.snapshot();
    // The chain of frame pointers leads past it.
    let by_tables = snapshot.unwinding.frame_pointers != Some(true);
    if by_tables && snapshot.sampling.mode == Sampling::EveryBlock {
        let least = (nowhere.len() / 2 * TIMES * 20) as u64;
        let told = truncated() - before;
        assert!(told >= least, "{told} stacks are said to be truncated");
    }
}

/// The bytes that `allocate` keeps.
const SUM: usize = 30 * (1 + 20) * 20 / 2;

extern "C" fn allocate(kept: &mut Vec<Vec<u8>>) {
    kept.extend((1..=20).map(|size| black_box(vec![9; size * 30])));
}

// Calls the first argument with the third. Its tables say that it was called from the second.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text",
    ".globl unkai_scenarios_lead_nowhere",
    ".hidden unkai_scenarios_lead_nowhere",
    "unkai_scenarios_lead_nowhere:",
    ".cfi_startproc",
    // The frame is said to end where it ended before: the return address is what was pushed last.
    "push rsi",
    "mov rax, rdi",
    "mov rdi, rdx",
    "call rax",
    "pop rsi",
    "ret",
    ".cfi_endproc",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text",
    ".balign 4",
    ".globl unkai_scenarios_lead_nowhere",
    ".hidden unkai_scenarios_lead_nowhere",
    "unkai_scenarios_lead_nowhere:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-32]!",
    "str x1, [sp, #16]",
    ".cfi_def_cfa_offset 32",
    ".cfi_offset x29, -32",
    ".cfi_offset x30, -16",
    "mov x9, x0",
    "mov x0, x2",
    "blr x9",
    "ldp x29, x30, [sp], #32",
    "ret",
    ".cfi_endproc",
    ".popsection",
);

#[expect(improper_ctypes, reason = "a vector by its address")]
unsafe extern "C" {
    fn unkai_scenarios_lead_nowhere(
        f: extern "C" fn(&mut Vec<Vec<u8>>),
        return_address: u64,
        kept: &mut Vec<Vec<u8>>,
    );
}
