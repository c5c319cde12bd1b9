//! Walking by `framehop`: where rules of our own are not ported.
//!
//! `framehop` needs a cache for each walk at a time. They are made ahead, one more than there are processors.

mod shelf;

use framehop::{AllocationPolicy, CacheNative, ExplicitModuleSectionInfo};
use framehop::{FrameAddress, UnwindRegsNative, Unwinder, UnwinderNative};
use gimli::{EvaluationStorage, Piece, Reader, ReaderOffset, Register, RegisterRule};
use gimli::{UnwindContext, UnwindContextStorage, UnwindTableRow, Value};

use super::super::bounds::Readable;
#[cfg(target_arch = "aarch64")]
use super::super::registers::{CODE_MASK, without_signature};
use super::latest::Latest;
use super::{CallStack, Code, Mapped, Module, Registers, USUAL_ENCODINGS};
use shelf::Shelf;

type Native = UnwinderNative<&'static [u8], Frugal>;
type Cache = CacheNative<Frugal>;

/// Room of a fixed size. `framehop`'s own has 192 rules in each row, whatever the processor: without optimisation, rows are
/// copied from stack frame to stack frame, and a walk took 50 KiB of stack.
struct Frugal;

/// Registers of which a row can say where they are. No row names more than the general registers and the state of a
/// signature; what a call preserves, and is saved, are 22 on aarch64 and 7 on x86-64.
const RULES: usize = 32;

impl<T: ReaderOffset> UnwindContextStorage<T> for Frugal {
    type Rules = [(Register, RegisterRule<T>); RULES];
    type Stack = [UnwindTableRow<T, Self>; 4];
}

impl<R: Reader> EvaluationStorage<R> for Frugal {
    type Stack = [Value; 64];
    type ExpressionStack = [(R, R); 4];
    type Result = [Piece<R>; 1];
}

impl AllocationPolicy for Frugal {
    type GimliUnwindContextStorage<T: ReaderOffset> = Self;
    type GimliEvaluationStorage<R: Reader> = Self;
}

/// An unwinder that knows the tables of some modules.
pub(super) struct Walker {
    unwinder: Native,
}

impl Walker {
    pub(super) fn new(_number: u32, modules: &[Mapped]) -> Self {
        let mut unwinder = Native::new();
        for module in modules.iter().filter(|module| is_usual(module)) {
            unwinder.add_module(as_framehop_wants_it(module));
        }
        Self { unwinder }
    }

    /// Walks the stack. `false` if all caches are in use, or it leads through code that `code_of` does not know.
    pub(super) fn walk(
        &self,
        registers: &Registers,
        stack: &mut CallStack,
        code_of: impl Fn(u64) -> Code,
    ) -> bool {
        let Some(mut cache) = CACHES.get().and_then(Shelf::take) else {
            return false;
        };
        let readable = Readable::from(registers);
        let mut read = |address| readable.word(address);
        let mut place = native(registers);
        let mut address = FrameAddress::from_instruction_pointer(registers.instruction);
        let mut known = 0..0;
        loop {
            let next = cache.with(|cache| {
                self.unwinder
                    .unwind_frame(address, &mut place, cache, &mut read)
            });
            let (return_address, is_last) = match next {
                Ok(Some(return_address)) => (return_address, false),
                Ok(None) => match outermost(&place, readable) {
                    Some(return_address) => (return_address, true),
                    None => return true,
                },
                Err(_) => break,
            };
            // Most frames are of the same module as the one before.
            if !known.contains(&return_address.wrapping_sub(1)) {
                match code_of(return_address) {
                    Code::Known(code) => known = code,
                    Code::Unknown if !is_last => return false,
                    Code::Unknown => return true,
                    Code::None => {
                        stack.truncated = true;
                        return true;
                    }
                }
            }
            if !stack.push(return_address) || is_last {
                return true;
            }
            match FrameAddress::from_return_address(return_address) {
                Some(next) => address = next,
                None => return true,
            }
        }
        // The outer frames could not be found.
        stack.truncated = true;
        !stack.frames().is_empty()
    }
}

/// Makes the caches if there are none. Allocates. For one thread at a time.
pub(super) fn prepare() {
    if CACHES.get().is_none() {
        let processors = std::thread::available_parallelism().map_or(4, usize::from);
        let count = (processors + 1).min(MOST_CACHES);
        CACHES.publish(Shelf::new(count, Cache::new_in));
    }
}

/// Empties the caches.
#[cfg(unkai_internals)]
pub(super) fn forget() {
    prepare();
    let mut all = Vec::new();
    while let Some(mut taken) = CACHES.get().and_then(Shelf::take) {
        taken.with(|cache| *cache = Cache::new_in());
        all.push(taken);
    }
}

/// Bytes that the caches take.
pub(super) fn own_bytes() -> usize {
    CACHES.get().map_or(0, |caches| caches.len() * CACHE_BYTES)
}

/// Whether `.eh_frame_hdr` is as linkers write it, and leads into `.eh_frame` alone. Of any other, `framehop` would make offsets that
/// overflow.
fn is_usual(mapped: &Mapped) -> bool {
    let Module { header, frames, .. } = &mapped.module;
    let leads_to =
        |from: u64, word: &[u8; 4]| from.wrapping_add_signed(i32::from_le_bytes(*word).into());
    let ([encodings, to_frames, count, table @ ..], _) = mapped.header.as_chunks() else {
        return false;
    };
    let (entries, _) = table.as_chunks();
    let entries = entries.get(..u32::from_le_bytes(*count) as usize);
    *encodings == USUAL_ENCODINGS
        && leads_to(header.start + 4, to_frames) == frames.start
        && entries.is_some_and(|entries| {
            let is_within = |[_, entry]: &[_; 2]| frames.contains(&leads_to(header.start, entry));
            entries.iter().all(is_within)
        })
}

fn as_framehop_wants_it(mapped: &Mapped) -> framehop::Module<&'static [u8]> {
    let module = &mapped.module;
    // All addresses are those of the mapped image, as if the module stated them.
    let sections = ExplicitModuleSectionInfo {
        base_svma: module.memory.start,
        text_svma: Some(module.code.clone()),
        eh_frame_svma: Some(module.frames.clone()),
        eh_frame: Some(mapped.frames),
        eh_frame_hdr_svma: Some(module.header.clone()),
        eh_frame_hdr: Some(mapped.header),
        ..ExplicitModuleSectionInfo::default()
    };
    let (memory, base) = (module.memory.clone(), module.memory.start);
    framehop::Module::new(String::new(), memory, base, sections)
}

#[cfg(target_arch = "x86_64")]
fn native(registers: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(registers.instruction, registers.stack, registers.frame)
}

#[cfg(target_arch = "aarch64")]
fn native(registers: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new_with_ptr_auth_mask(
        framehop::aarch64::PtrAuthMask(CODE_MASK),
        registers.link,
        registers.stack,
        registers.frame,
    )
}

/// The return address that `framehop` leaves out: a frame whose caller's frame pointer is zero is its last, but the code
/// that called it (the C library's start of a thread) is part of the stack for other unwinders, and for the chain of
/// frame pointers, which must agree.
#[cfg(target_arch = "aarch64")]
fn outermost(place: &UnwindRegsNative, readable: Readable) -> Option<u64> {
    let frame = place.fp();
    let is_last = readable.word(frame) == Ok(0);
    let return_address = is_last.then(|| readable.word(frame.wrapping_add(8)).ok())??;
    Some(without_signature(return_address)).filter(|&address| address != 0)
}

/// On x86-64, the tables mark the outermost frame, and none is left out.
#[cfg(target_arch = "x86_64")]
fn outermost(_place: &UnwindRegsNative, _readable: Readable) -> Option<u64> {
    None
}

static CACHES: Latest<Shelf<Cache>> = Latest::new();

const MOST_CACHES: usize = 16;

/// A cache's two boxes: 509 rules, and room for the rows of a table.
const CACHE_BYTES: usize = (16 << 10) + size_of::<UnwindContext<usize, Frugal>>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_leads_elsewhere_is_not_used() {
        const HEADER: u64 = 0x1000;
        let of = |words: [i32; 7], length: usize| {
            let bytes = words.iter().flat_map(|word| word.to_le_bytes());
            let header: Vec<u8> = bytes.take(length).collect();
            let mapped = Mapped {
                module: Module {
                    is_executable: true,
                    memory: HEADER..HEADER + 0x2000,
                    code: HEADER + 0x1000..HEADER + 0x2000,
                    header: HEADER..HEADER + length as u64,
                    frames: HEADER + 0x100..HEADER + 0x200,
                },
                lasting: true,
                header: header.leak(),
                frames: &[],
            };
            is_usual(&mapped)
        };
        let encodings = i32::from_le_bytes(USUAL_ENCODINGS);
        let right = [encodings, 0xfc, 2, 0x1000, 0x100, 0x1010, 0x1ff];
        assert!(of(right, 28));
        assert!(!of(right, 27) && !of(right, 11) && !of(right, 0));
        for (at, word) in [
            (0, 0),
            (1, 0xf8),
            (2, 3),
            (2, -1),
            (4, 0xff),
            (6, 0x200),
            (6, -1),
        ] {
            let mut wrong = right;
            wrong[at] = word;
            assert!(!of(wrong, 28), "{wrong:x?}");
        }
    }
}
