//! The modules' unwind tables: every frame of every build, without a lock and without an allocation.
//!
//! The tables of all modules that are loaded at start-up are used where they are mapped: such modules stay for the life
//! of the process. Those of modules that are loaded later are copied, for a library may be unloaded. A list of modules,
//! once made, is never changed and never freed: a walk may be using it. A longer list replaces it, [`MOST_LISTS`] times
//! at most.
//!
//! | file | walks |
//! |---|---|
//! | `by_rules` | on x86-64, by rules of one word each that are kept once they were looked up |
//! | `by_framehop` | elsewhere |

#[cfg(any(not(target_arch = "x86_64"), unkai_framehop))]
#[path = "by_framehop.rs"]
mod walker;
#[cfg(not(any(not(target_arch = "x86_64"), unkai_framehop)))]
#[path = "by_rules.rs"]
mod walker;

use std::ops::Range;
use std::sync::OnceLock;

use super::modules::{self, Module};
use super::{CallStack, Registers};
use crate::entered::Entered;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Walks the stack by the tables. `false` if they are not ready, or the stack leads through code whose tables are not
/// known or cannot be used.
pub(super) fn walk(_inside: &Entered, registers: &Registers, stack: &mut CallStack) -> bool {
    let Some(list) = current() else { return false };
    let code_of = |address| {
        let mapped = list.module_of(address)?;
        mapped.is_still_there().then(|| mapped.module.code.clone())
    };
    list.walker.walk(registers, stack, code_of)
}

/// The code, of a known module, that the call before `return_address` is part of. All of memory before the modules are
/// known.
pub(super) fn code_of(return_address: u64) -> Option<Range<u64>> {
    match current() {
        Some(list) => list
            .module_of(return_address)
            .map(|mapped| mapped.module.code.clone()),
        None => Some(0..u64::MAX),
    }
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
    walker::prepare();
    modules::prepare();
    let outdated = current().is_none_or(|list| list.changes != modules::changes());
    let made = LISTS.load(Ordering::Relaxed);
    if outdated && made < MOST_LISTS {
        LISTS.store(made + 1, Ordering::Relaxed);
        let list = Box::leak(Box::new(List::new(made, lasting)));
        // Release: pairs with the Acquire in `current`.
        CURRENT.store(list, Ordering::Release);
    }
    REFRESHING.store(false, Ordering::Release);
}

/// Number of modules with tables.
pub(super) fn modules() -> u32 {
    current().map_or(0, |list| list.modules.len() as u32)
}

/// Bytes that copied tables and caches take, about.
pub(super) fn own_bytes() -> u64 {
    (walker::own_bytes() + COPIED.load(Ordering::Relaxed)) as u64
}

/// A list of modules, with what walks by their tables.
struct List {
    walker: walker::Walker,
    /// Sorted by the start of their code.
    modules: Vec<Mapped>,
    changes: u64,
}

/// A module, with its tables.
#[derive(Debug)]
struct Mapped {
    module: Module,
    /// Whether it stays for the life of the process.
    lasting: bool,
    /// `.eh_frame_hdr`
    header: &'static [u8],
    /// `.eh_frame`
    frames: &'static [u8],
}

impl List {
    fn new(number: u32, lasting: bool) -> Self {
        let (modules, changes) = modules::loaded();
        if lasting {
            let _ = LASTING.set(modules.iter().map(|module| module.memory.clone()).collect());
        }
        let modules: Vec<Mapped> = modules.into_iter().map(with_tables).collect();
        Self {
            walker: walker::Walker::new(number, &modules),
            modules,
            changes,
        }
    }

    /// The module that the call before `return_address` is part of.
    fn module_of(&self, return_address: u64) -> Option<&Mapped> {
        // A return address may stand just behind the last instruction.
        let call = return_address.wrapping_sub(1);
        let after = self
            .modules
            .partition_point(|mapped| mapped.module.code.start <= call);
        let mapped = self.modules.get(after.checked_sub(1)?)?;
        mapped.module.code.contains(&call).then_some(mapped)
    }
}

impl Mapped {
    fn is_still_there(&self) -> bool {
        self.lasting || modules::is_still_there(&self.module, self.header, self.frames)
    }
}

/// The module with its tables: in place if it is there to stay, copied if not.
fn with_tables(module: Module) -> Mapped {
    let was_there_at_start = |lasting: &Vec<_>| lasting.contains(&module.memory);
    let lasting = module.is_executable || LASTING.get().is_some_and(was_there_at_start);
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
    Mapped {
        header: tables(&module.header),
        frames: tables(&module.frames),
        lasting,
        module,
    }
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
/// Memory of the modules that are never unloaded.
static LASTING: OnceLock<Vec<Range<u64>>> = OnceLock::new();
static REFRESHING: AtomicBool = AtomicBool::new(false);
static LISTS: AtomicU32 = AtomicU32::new(0);
static COPIED: AtomicUsize = AtomicUsize::new(0);

const MOST_LISTS: u32 = 64;
