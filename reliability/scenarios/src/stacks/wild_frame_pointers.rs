//! Functions that use the frame-pointer register for something else while they call into the program: assembly may. Whatever
//! stands there, an allocation below is served.

use std::hint::black_box;

use crate::heap::{Heap, totals_are_exact};

/// How often each value is tried: more often than it takes to trust the chain of frame pointers and to check it again.
const TIMES: usize = 40;

pub(crate) fn play(heap: &'static dyn Heap) {
    // Frame pointers that are right, so that a build which keeps them trusts them.
    (0..200).for_each(|_| drop(allocate_deeply(10)));
    let found = heap.snapshot().unwinding.frame_pointers;
    eprintln!("frame pointers were found: {found:?}");
    let page = Page::new();
    let local = 0_u64;
    let stack = std::ptr::from_ref(&local) as u64;
    // A frame that leads to itself, to a lower one, to nowhere, and to memory that is not there.
    let mut frames = [0_u64; 8];
    let frame = std::ptr::from_ref(&frames) as u64;
    let code = allocate_deeply as fn(usize) -> Vec<u8> as usize as u64;
    frames = [
        frame,
        code + 8,
        frame + 16,
        0,
        frame,
        u64::MAX,
        page.0,
        code,
    ];
    black_box(&frames);
    let values = [
        0,
        1,
        7,
        8,
        4096,
        0xdead_beef_0000,
        0x8000_0000_0000,
        u64::MAX,
        u64::MAX - 7,
        i64::MIN as u64,
        page.0,
        page.0 + 4088,
        stack,
        stack + 1,
        stack - 4096,
        stack + 4096,
        stack + (1 << 20),
        frame,
        frame + 16,
        frame + 32,
        frame + 40,
        frame + 48,
        code,
    ];
    for value in values {
        for _ in 0..TIMES {
            for call in [
                unkai_scenarios_with_tables as Call,
                unkai_scenarios_without_tables,
            ] {
                let mut kept = Vec::new();
                // SAFETY: the function keeps the register for its caller, and passes `kept` on to `allocate`.
                unsafe { call(allocate, value, &mut kept) };
                assert_eq!(kept.iter().map(Vec::len).sum::<usize>(), SUM);
                assert!(kept.iter().flatten().all(|&byte| byte == 9));
            }
        }
        totals_are_exact(heap, &format!("with {value:#x} as frame pointer"));
    }
    drop(heap.snapshot());
    // And afterwards as before.
    (0..200).for_each(|_| drop(allocate_deeply(10)));
}

/// The bytes that `allocate` keeps.
const SUM: usize = 30 * (1 + 20) * 20 / 2;

extern "C" fn allocate(kept: &mut Vec<Vec<u8>>) {
    kept.extend((1..=20).map(|size| black_box(vec![9; size * 30])));
}

#[inline(never)]
fn allocate_deeply(levels: usize) -> Vec<u8> {
    let mut block = black_box(Vec::with_capacity(20 + levels));
    if let Some(levels) = levels.checked_sub(1) {
        block.extend_from_slice(&allocate_deeply(levels));
    }
    block
}

type Call = unsafe extern "C" fn(extern "C" fn(&mut Vec<Vec<u8>>), u64, &mut Vec<Vec<u8>>);

// Both call the first argument with the third, and the second in the frame-pointer register. One says where its frame is, and
// one does not.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text",
    "unkai_scenarios_with_tables:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsi",
    "mov rax, rdi",
    "mov rdi, rdx",
    "call rax",
    "pop rbp",
    ".cfi_def_cfa_offset 8",
    ".cfi_restore rbp",
    "ret",
    ".cfi_endproc",
    "unkai_scenarios_without_tables:",
    "push rbp",
    "mov rbp, rsi",
    "mov rax, rdi",
    "mov rdi, rdx",
    "call rax",
    "pop rbp",
    "ret",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text",
    ".balign 4",
    "unkai_scenarios_with_tables:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset x29, -16",
    ".cfi_offset x30, -8",
    "mov x29, x1",
    "mov x9, x0",
    "mov x0, x2",
    "blr x9",
    "ldp x29, x30, [sp], #16",
    ".cfi_def_cfa_offset 0",
    ".cfi_restore x29",
    ".cfi_restore x30",
    "ret",
    ".cfi_endproc",
    "unkai_scenarios_without_tables:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, x1",
    "mov x9, x0",
    "mov x0, x2",
    "blr x9",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".popsection",
);

#[expect(improper_ctypes, reason = "a vector by its address")]
unsafe extern "C" {
    fn unkai_scenarios_with_tables(
        f: extern "C" fn(&mut Vec<Vec<u8>>),
        frame_pointer: u64,
        kept: &mut Vec<Vec<u8>>,
    );
    fn unkai_scenarios_without_tables(
        f: extern "C" fn(&mut Vec<Vec<u8>>),
        frame_pointer: u64,
        kept: &mut Vec<Vec<u8>>,
    );
}

/// A page that nobody may read.
pub(super) struct Page(pub(super) u64);

impl Page {
    pub(super) fn new() -> Self {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping. It stays.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_NONE, kind, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED);
        Self(page as u64)
    }
}
