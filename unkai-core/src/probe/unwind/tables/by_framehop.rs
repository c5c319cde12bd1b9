//! Walking by `framehop`: where rules of our own are not ported.
//!
//! `framehop` needs a cache for each walk at a time. They are made ahead, one more than there are processors.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::OnceLock;

use framehop::{CacheNative, ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind};
use framehop::{Unwinder, UnwinderNative};

use super::super::bounds::Readable;
use super::{CallStack, Mapped, Registers};
use crate::sync::{AtomicBool, Ordering};

type Native = UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>;
type Cache = CacheNative<MustNotAllocateDuringUnwind>;

/// An unwinder that knows the tables of some modules.
pub(super) struct Walker {
    unwinder: Native,
}

impl Walker {
    pub(super) fn new(_number: u32, modules: &[Mapped]) -> Self {
        let mut unwinder = Native::new();
        for module in modules {
            unwinder.add_module(as_framehop_wants_it(module));
        }
        Self { unwinder }
    }

    /// Walks the stack. `false` if all caches are in use, or it leads through code that `code_of` does not know.
    pub(super) fn walk(
        &self,
        registers: &Registers,
        stack: &mut CallStack,
        code_of: impl Fn(u64) -> Option<Range<u64>>,
    ) -> bool {
        let Some(mut cache) = CACHES.get().and_then(|caches| caches.take()) else {
            return false;
        };
        let readable = Readable::from(registers);
        let mut read = |address| readable.word(address);
        let mut frames = self.unwinder.iter_frames(
            registers.instruction,
            native(registers),
            cache.get(),
            &mut read,
        );
        // The first is the starting function itself.
        let mut known = 0..0;
        let mut complete = frames.next().is_ok();
        while complete {
            match frames.next() {
                Ok(Some(frame)) => {
                    let address = frame.address();
                    // Most frames are of the same module as the one before.
                    if !known.contains(&(address - 1)) {
                        match code_of(address) {
                            Some(code) => known = code,
                            None => return false,
                        }
                    }
                    if !stack.push(address) {
                        return true;
                    }
                }
                Ok(None) => return true,
                Err(_) => complete = false,
            }
        }
        // The outer frames could not be found.
        stack.truncated = true;
        !stack.frames().is_empty()
    }
}

/// Makes the caches if there are none. Allocates.
pub(super) fn prepare() {
    CACHES.get_or_init(Caches::new);
}

/// Bytes that the caches take.
pub(super) fn own_bytes() -> usize {
    CACHES
        .get()
        .map_or(0, |caches| caches.slots.len() * CACHE_BYTES)
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

/// Room for walks, taken one at a time.
struct Caches {
    slots: Vec<Slot>,
}

struct Slot {
    taken: AtomicBool,
    cache: UnsafeCell<Cache>,
}

// SAFETY: `cache` is only reached through `Taken`, of which there is one at a time for each slot (`taken`).
unsafe impl Sync for Slot {}
// SAFETY: a cache holds plain data.
unsafe impl Send for Slot {}

impl Caches {
    fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(4, usize::from);
        let slot = || Slot {
            taken: AtomicBool::new(false),
            cache: UnsafeCell::new(Cache::new_in()),
        };
        Self {
            slots: (0..(processors + 1).min(MOST_CACHES))
                .map(|_| slot())
                .collect(),
        }
    }

    fn take(&self) -> Option<Taken<'_>> {
        // Where a thread begins to look does not matter; the address of a local spreads threads a little.
        let here = 0u8;
        let start = std::ptr::from_ref(&here) as usize >> 16;
        (0..self.slots.len()).find_map(|offset| {
            let slot = &self.slots[(start + offset) % self.slots.len()];
            // Acquire: pairs with the Release in `drop`.
            let free =
                !slot.taken.load(Ordering::Relaxed) && !slot.taken.swap(true, Ordering::Acquire);
            // Not `then_some`: a guard that is made and dropped would free another's slot.
            free.then(|| Taken { slot })
        })
    }
}

struct Taken<'a> {
    slot: &'a Slot,
}

impl Taken<'_> {
    fn get(&mut self) -> &mut Cache {
        // SAFETY: the pointer is that of a live `UnsafeCell`. This is the only `Taken` of the slot, borrowed exclusively,
        // so no other reference to the cache exists.
        unsafe { &mut *self.slot.cache.get() }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `take`.
        self.slot.taken.store(false, Ordering::Release);
    }
}

#[cfg(target_arch = "x86_64")]
fn native(registers: &Registers) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(registers.instruction, registers.stack, registers.frame)
}

#[cfg(target_arch = "aarch64")]
fn native(registers: &Registers) -> framehop::UnwindRegsNative {
    framehop::UnwindRegsNative::new(registers.link, registers.stack, registers.frame)
}

static CACHES: OnceLock<Caches> = OnceLock::new();

const MOST_CACHES: usize = 16;

/// A cache's two boxes: 509 rules, and room for the rows of a table.
const CACHE_BYTES: usize = 40 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::AtomicU32;

    #[test]
    fn a_cache_is_used_by_one_thread_at_a_time() {
        let caches = Caches::new();
        let users: Vec<AtomicU32> = caches.slots.iter().map(|_| AtomicU32::new(0)).collect();
        let taken = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..caches.slots.len() + 3 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let Some(mut cache) = caches.take() else {
                            continue;
                        };
                        let index = caches
                            .slots
                            .iter()
                            .position(|slot| std::ptr::eq(slot, cache.slot));
                        let user = &users[index.expect("a slot of these caches")];
                        assert_eq!(user.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                        std::hint::black_box(cache.get());
                        std::thread::yield_now();
                        user.fetch_sub(1, Ordering::SeqCst);
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(taken.into_inner() > 20_000);
    }
}
