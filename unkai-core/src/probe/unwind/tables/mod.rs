//! The modules' unwind tables: every frame of every build, without a lock and without an allocation.
//!
//! The tables of all modules that are loaded at start-up are used where they are mapped: such modules stay for the life
//! of the process. Those of modules that are loaded later are copied, for a library may be unloaded. A list of modules,
//! once made, is never changed and never freed: a walk may be using it. A longer list replaces it, [`MOST_LISTS`] times
//! at most.
//!
//! | file | does |
//! |---|---|
//! | `latest` | is where walks find the list |
//! | `turn` | lets one thread at a time read the modules |
//! | `by_rules` | walks on x86-64, by rules of one word each that are kept once they were looked up |
//! | `by_framehop` | walks elsewhere |

#[cfg(any(not(target_arch = "x86_64"), unkai_framehop))]
mod by_framehop;
#[cfg(not(any(not(target_arch = "x86_64"), unkai_framehop)))]
mod by_rules;

mod latest;
mod turn;

use std::ops::Range;
use std::sync::OnceLock;

use super::modules::{self, Module};
use super::{CallStack, Registers, bounds};
use crate::entered::Entered;
use crate::sync::{AtomicU32, AtomicUsize, Ordering};
#[cfg(any(not(target_arch = "x86_64"), unkai_framehop))]
use by_framehop as walker;
#[cfg(not(any(not(target_arch = "x86_64"), unkai_framehop)))]
use by_rules as walker;

use latest::Latest;
use turn::{Turn, Turns};

/// Walks the stack by the tables. `false` if they are not ready, or the stack leads through code whose tables are not
/// known or cannot be used.
pub(super) fn walk(_inside: &Entered, registers: &Registers, stack: &mut CallStack) -> bool {
    let Some(list) = CURRENT.get() else {
        return false;
    };
    let code_of = |address| match list.module_of(address) {
        Some(mapped) if mapped.is_still_there() => Code::Known(mapped.module.code.clone()),
        _ if may_be_code(address) => Code::Unknown,
        _ => Code::None,
    };
    list.walker.walk(registers, stack, code_of)
}

/// What there is at a return address.
enum Code {
    /// Code of a known module.
    Known(Range<u64>),
    /// Code, for all that is known: of a module that was loaded since, or made by the program itself.
    Unknown,
    /// No code, so that the stack is not what it seems: assembly with wrong tables, or a hand-made stack without an end. Nobody
    /// may go on from here: the platform's unwinder looks at the instructions of what it does not know.
    None,
}

/// Whether there may be code at an address in no known module. No lock, no allocation.
#[cold]
fn may_be_code(address: u64) -> bool {
    // Instructions there are looked at, of up to so many bytes.
    let words = [address & !7, (address & !7).wrapping_add(8)];
    let can_be_read = |word| bounds::foreign_word(word).is_ok();
    modules::is_in_any(address) || words.into_iter().all(can_be_read)
}

/// The code, of a known module, that the call before `return_address` is part of. All of memory before the modules are
/// known.
pub(super) fn code_of(return_address: u64) -> Option<Range<u64>> {
    match CURRENT.get() {
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
    // One at a time, each seeing what the one before did. Nobody waits.
    let Some(turn) = REFRESHING.take() else {
        return;
    };
    walker::prepare();
    modules::prepare();
    let outdated = CURRENT
        .get()
        .is_none_or(|list| list.changes != turn.in_loader(modules::changes));
    let made = LISTS.load(Ordering::Relaxed);
    if outdated && made < MOST_LISTS {
        LISTS.store(made + 1, Ordering::Relaxed);
        CURRENT.publish(List::new(&turn, made, lasting));
    }
}

/// Number of modules with tables.
pub(super) fn modules() -> u32 {
    CURRENT.get().map_or(0, |list| list.modules.len() as u32)
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
    fn new(turn: &Turn<'_>, number: u32, lasting: bool) -> Self {
        let (mut modules, changes) =
            turn.in_loader(|| modules::loaded(|module| with_tables(module, lasting)));
        modules.sort_by_key(|mapped| mapped.module.code.start);
        if lasting {
            let memory = |mapped: &Mapped| mapped.module.memory.clone();
            let _ = LASTING.set(modules.iter().map(memory).collect());
        }
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

/// The module with its tables: in place if it is there to stay, as all are that are loaded now if `lasting`; copied if not.
/// To be called by [`modules::loaded`] alone.
fn with_tables(module: Module, lasting: bool) -> Mapped {
    let was_there_at_start = |lasting: &Vec<_>| lasting.contains(&module.memory);
    let lasting = lasting || module.is_executable || LASTING.get().is_some_and(was_there_at_start);
    let tables = |range: &Range<u64>| -> &'static [u8] {
        let length = (range.end - range.start) as usize;
        // SAFETY: the loader has mapped this range, readable, and nobody writes to it. A lasting module stays mapped for
        // the rest of the process. Any other stays during this call (`modules::loaded`); its bytes are copied, and the slice is
        // used for nothing else.
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

/// A module of its own, that need not exist.
#[cfg(all(unkai_internals, target_arch = "x86_64"))]
pub(super) struct Foreign {
    code: Range<u64>,
    walker: walker::Walker,
}

#[cfg(all(unkai_internals, target_arch = "x86_64"))]
impl Foreign {
    pub(super) fn new(
        code: Range<u64>,
        header: (u64, &'static [u8]),
        frames: (u64, &'static [u8]),
    ) -> Self {
        walker::forget();
        let mapped = |(start, bytes): (u64, &[u8])| start..start + bytes.len() as u64;
        let module = Module {
            is_executable: true,
            memory: code.start..u64::MAX,
            code: code.clone(),
            header: mapped(header),
            frames: mapped(frames),
        };
        let mapped = Mapped {
            module,
            lasting: true,
            header: header.1,
            frames: frames.1,
        };
        let walker = walker::Walker::new(MOST_LISTS - 1, &[mapped]);
        Self { code, walker }
    }

    pub(super) fn walk(&self, registers: &Registers, stack: &mut CallStack) -> bool {
        let code_of = |address: u64| {
            if self.code.contains(&address.wrapping_sub(1)) {
                Code::Known(self.code.clone())
            } else {
                Code::Unknown
            }
        };
        self.walker.walk(registers, stack, code_of)
    }
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

static CURRENT: Latest<List> = Latest::new();
/// Memory of the modules that are never unloaded.
static LASTING: OnceLock<Vec<Range<u64>>> = OnceLock::new();
static REFRESHING: Turns = Turns::new();
static LISTS: AtomicU32 = AtomicU32::new(0);
static COPIED: AtomicUsize = AtomicUsize::new(0);

const MOST_LISTS: u32 = 64;

/// How `.eh_frame_hdr` begins: its version, and how it writes where the frames are, how many, and the entries.
const USUAL_ENCODINGS: [u8; 4] = [1, 0x1b, 0x03, 0x3b];
