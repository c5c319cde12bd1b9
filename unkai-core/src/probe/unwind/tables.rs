//! The modules' unwind tables, read by `framehop`: every frame of every build, without a lock and without an allocation.
//!
//! The tables of all modules that are loaded at start-up are used where they are mapped: such modules stay for the life
//! of the process. Those of modules that are loaded later are copied, for a library may be unloaded. A list of modules,
//! once made, is never changed and never freed: a walk may be using it. A longer list replaces it, [`MOST_LISTS`] times
//! at most.
//!
//! `framehop` needs a cache for each walk at a time. They are made ahead, one more than there are processors.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::sync::OnceLock;

use framehop::{CacheNative, ExplicitModuleSectionInfo, MustNotAllocateDuringUnwind};
use framehop::{Unwinder, UnwinderNative};

use super::bounds::Readable;
use super::modules::{self, Module};
use super::{CallStack, Registers};
use crate::entered::Entered;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

type Native = UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>;
type Cache = CacheNative<MustNotAllocateDuringUnwind>;

/// Walks the stack by the tables. `false` if they are not ready, all caches are in use, or the stack leads through code
/// whose tables are not known.
pub(super) fn walk(_inside: &Entered, registers: &Registers, stack: &mut CallStack) -> bool {
    let Some(list) = current() else { return false };
    let Some(mut cache) = CACHES.get().and_then(|caches| caches.take()) else {
        return false;
    };
    let readable = Readable::from(registers);
    let mut read = |address| readable.word(address);
    let mut frames = list.unwinder.iter_frames(
        registers.instruction,
        native(registers),
        cache.get(),
        &mut read,
    );
    // The first is the starting function itself.
    let mut complete = frames.next().is_ok();
    while complete {
        match frames.next() {
            Ok(Some(frame)) => {
                let address = frame.address();
                if !list.is_code(address) {
                    return false;
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

/// Whether `address` lies in code of a known module. `true` before the modules are known.
pub(super) fn is_code(address: u64) -> bool {
    current().is_none_or(|list| list.is_code(address))
}

/// Reads the list of modules if it has changed, and makes the caches if there are none. Allocates.
pub(super) fn refresh() {
    refresh_with(false);
}

fn refresh_with(lasting: bool) {
    // Acquire and Release: one at a time, each seeing what the one before did. Nobody waits.
    if REFRESHING.swap(true, Ordering::Acquire) {
        return;
    }
    CACHES.get_or_init(Caches::new);
    let outdated = current().is_none_or(|list| list.changes != modules::changes());
    let made = LISTS.load(Ordering::Relaxed);
    if outdated && made < MOST_LISTS {
        LISTS.store(made + 1, Ordering::Relaxed);
        let list = Box::leak(Box::new(List::new(lasting)));
        // Release: pairs with the Acquire in `current`.
        CURRENT.store(list, Ordering::Release);
    }
    REFRESHING.store(false, Ordering::Release);
}

/// Number of modules with tables.
pub(super) fn modules() -> u32 {
    current().map_or(0, |list| list.modules.len() as u32)
}

/// Bytes of heap that lists, copied tables and caches take, about.
pub(super) fn own_bytes() -> u64 {
    let caches = CACHES
        .get()
        .map_or(0, |caches| caches.slots.len() * CACHE_BYTES);
    (caches + COPIED.load(Ordering::Relaxed)) as u64
}

/// A list of modules, with an unwinder that knows their tables.
struct List {
    unwinder: Native,
    /// Sorted by the start of their code.
    modules: Vec<Module>,
    changes: u64,
}

impl List {
    fn new(lasting: bool) -> Self {
        let (modules, changes) = modules::loaded();
        if lasting {
            let _ = LASTING.set(modules.iter().map(|module| module.memory.clone()).collect());
        }
        let mut unwinder = Native::new();
        for module in &modules {
            unwinder.add_module(with_tables(module));
        }
        Self {
            unwinder,
            modules,
            changes,
        }
    }

    fn is_code(&self, address: u64) -> bool {
        let after = self
            .modules
            .partition_point(|module| module.code.start <= address);
        // A return address may stand just behind the last instruction.
        after
            .checked_sub(1)
            .is_some_and(|index| address <= self.modules[index].code.end)
    }
}

/// The module as `framehop` wants it. Its tables are used in place if it is there to stay, and copied if not.
fn with_tables(module: &Module) -> framehop::Module<&'static [u8]> {
    let lasting = LASTING
        .get()
        .is_some_and(|lasting| lasting.contains(&module.memory));
    let tables = |range: &Range<u64>| -> &'static [u8] {
        let length = (range.end - range.start) as usize;
        // SAFETY: the loader has mapped this range, readable, and nobody writes to it. A lasting module stays mapped for
        // the rest of the process. Any other stays for as long as its user keeps it, and must not be unloaded by another
        // thread during this very call; its bytes are copied before the slice is used for anything else.
        let mapped = unsafe { std::slice::from_raw_parts(range.start as *const u8, length) };
        if lasting {
            return mapped;
        }
        COPIED.fetch_add(length, Ordering::Relaxed);
        Box::leak(mapped.to_vec().into_boxed_slice())
    };
    let stated = |range: &Range<u64>| {
        range.start.wrapping_sub(module.bias)..range.end.wrapping_sub(module.bias)
    };
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: Some(stated(&module.code)),
        eh_frame_svma: Some(stated(&module.frames)),
        eh_frame: Some(tables(&module.frames)),
        eh_frame_hdr_svma: Some(stated(&module.header)),
        eh_frame_hdr: Some(tables(&module.header)),
        ..ExplicitModuleSectionInfo::default()
    };
    framehop::Module::new(String::new(), module.memory.clone(), module.bias, sections)
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

fn current() -> Option<&'static List> {
    // Acquire: pairs with the Release in `refresh`.
    let list = CURRENT.load(Ordering::Acquire);
    // SAFETY: null, or a list that was leaked by `refresh`: aligned, initialised, never written again and never freed.
    unsafe { list.as_ref() }
}

/// Reads the modules before `main`, outside of any allocation.
extern "C" fn at_start() {
    if crate::process::is_in_use() {
        // Part of the executable: then all modules that are loaded now are the executable and what it depends on, which
        // are never unloaded. Part of a library: it may have been loaded late, after others that may go.
        refresh_with(modules::is_in_executable(
            at_start as extern "C" fn() as usize as u64,
        ));
    }
}

#[used]
// SAFETY: the section holds pointers to functions of this type, called once each before `main`.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

static CURRENT: AtomicPtr<List> = AtomicPtr::new(std::ptr::null_mut());
static CACHES: OnceLock<Caches> = OnceLock::new();
/// Memory of the modules that are never unloaded.
static LASTING: OnceLock<Vec<Range<u64>>> = OnceLock::new();
static REFRESHING: AtomicBool = AtomicBool::new(false);
static LISTS: AtomicU32 = AtomicU32::new(0);
static COPIED: AtomicUsize = AtomicUsize::new(0);

const MOST_LISTS: u32 = 64;
const MOST_CACHES: usize = 16;

/// A cache's two boxes: 509 rules, and room for the rows of a table.
const CACHE_BYTES: usize = 40 << 10;

#[cfg(test)]
mod tests {
    use super::*;

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
