//! Names from the debug information of this process, within bounds.
//!
//! The backtrace crate keeps what it has parsed: the tables of up to four modules, and those of each compilation unit that
//! was asked for. That grows with each address in a new unit, and is what can take hundreds of MB. So after each look-up
//! the process's memory is read. Near the bound, all that is forgotten and naming goes on; past it, naming stops. Few
//! allocators hand freed memory back to the system at once, so the process hardly shrinks when all is forgotten, but what
//! is parsed next fits into what it has.

use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use foldhash::HashSet;

use crate::symbols::{SourceFunction, Symbols};
use crate::under_way::UnderWay;

/// How much memory and time naming may take in this process.
///
/// Both are looked at between two look-ups. One look-up can pass them: the first one in a module reads its table of
/// symbols, the list of its compilation units and, where debug information is compressed, all of it; the first one in a
/// compilation unit parses that unit.
///
/// ```
/// use std::time::Duration;
/// use unkai_report::{ResolveLimits, Symbols};
///
/// let limits = ResolveLimits::new().memory_bytes(64 << 20).time(Duration::from_secs(2));
/// let symbols = Symbols::resolve_within([], &limits);
/// assert!(symbols.cost().is_some_and(|cost| cost.stopped_by.is_none()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveLimits {
    memory_bytes: u64,
    time: Duration,
}

impl ResolveLimits {
    /// 256 MiB and 10 seconds.
    pub const fn new() -> Self {
        Self {
            memory_bytes: 256 << 20,
            time: Duration::from_secs(10),
        }
    }

    /// Bytes that the process may grow by while it names; `u64::MAX` lifts the limit.
    ///
    /// The growth is that of the process's anonymous memory in RAM, as Linux counts it: what other threads allocate
    /// meanwhile is part of it, and on machines with many cores it may be some MiB off. Elsewhere than on Linux
    /// memory is not bounded.
    #[must_use]
    pub const fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// How long naming may take; `Duration::MAX` lifts the limit.
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }
}

impl Default for ResolveLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What it took to name addresses in the process that allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolveCost {
    /// Distinct addresses that were to be named.
    pub addresses: u64,
    /// How many of them have a name now.
    pub named: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The most memory that the process had in addition; `None` where the system does not say.
    pub memory_bytes: Option<u64>,
    /// The limit at which naming stopped before the last address.
    pub stopped_by: Option<ResolveLimit>,
}

/// A limit that stopped naming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveLimit {
    /// [`ResolveLimits::memory_bytes`].
    MemoryBytes(u64),
    /// [`ResolveLimits::time`].
    Time(Duration),
    /// This process was forked while another thread of its parent named functions. What that thread was doing is never finished
    /// here, so no child of such a fork can name; nor can its children.
    Fork,
}

/// Names `addresses` from this process, the first ones first, and forgets what the resolver has parsed.
///
/// `addresses` are return addresses; each is there once afterwards. Beside the names, it returns how many of them were
/// looked up: the first ones.
pub(crate) fn resolve(addresses: &mut Vec<u64>, limits: &ResolveLimits) -> (Symbols, usize) {
    let Some(_under_way) = UnderWay::begin() else {
        return (nothing(addresses), 0);
    };
    let mut memory = AnonymousMemory::open();
    let mut resolver = Resolver {
        look_up: &mut functions_in_this_process,
        forget: &mut backtrace::clear_symbol_cache,
        memory: &mut || memory.as_mut()?.bytes(),
    };
    resolver.resolve(addresses, limits)
}

/// The answer where naming cannot even begin.
fn nothing(addresses: &mut Vec<u64>) -> Symbols {
    addresses.sort_unstable();
    addresses.dedup();
    let mut symbols = Symbols::new();
    symbols.set_cost(ResolveCost {
        addresses: addresses.len() as u64,
        named: 0,
        elapsed: Duration::ZERO,
        memory_bytes: None,
        stopped_by: Some(ResolveLimit::Fork),
    });
    symbols
}

/// Where names come from, how it forgets, and how much memory the process has; tests have their own.
struct Resolver<'a> {
    look_up: &'a mut dyn FnMut(u64) -> Vec<SourceFunction>,
    forget: &'a mut dyn FnMut(),
    memory: &'a mut dyn FnMut() -> Option<u64>,
}

impl Resolver<'_> {
    fn resolve(&mut self, addresses: &mut Vec<u64>, limits: &ResolveLimits) -> (Symbols, usize) {
        let start = Instant::now();
        let mut seen = HashSet::default();
        addresses.retain(|address| seen.insert(*address));
        // Within a batch in order, so that a module's addresses follow each other: the resolver keeps few modules.
        for batch in addresses.chunks_mut(BATCH) {
            batch.sort_unstable();
        }
        let mut symbols = Symbols::new();
        let mut growth = Growth::since((self.memory)(), limits.memory_bytes);
        let mut stopped_by = None;
        let mut since_forgotten = 0_u32;
        let mut looked_up = 0;
        for &address in &*addresses {
            if start.elapsed() >= limits.time {
                stopped_by = Some(ResolveLimit::Time(limits.time));
                break;
            }
            symbols.insert(address, &(self.look_up)(address.saturating_sub(1)));
            looked_up += 1;
            since_forgotten += 1;
            match growth.after(since_forgotten, (self.memory)()) {
                Next::GoOn => {}
                Next::Forget => {
                    (self.forget)();
                    since_forgotten = 0;
                }
                Next::Stop => {
                    stopped_by = Some(ResolveLimit::MemoryBytes(limits.memory_bytes));
                    break;
                }
            }
        }
        (self.forget)();
        symbols.set_cost(ResolveCost {
            addresses: addresses.len() as u64,
            named: symbols.addresses().count() as u64,
            elapsed: start.elapsed(),
            memory_bytes: growth.most,
            stopped_by,
        });
        (symbols, looked_up)
    }
}

/// How much the process has grown, and what that means.
struct Growth {
    start: Option<u64>,
    most: Option<u64>,
    limit: u64,
    /// Where to forget: from 3/4 of the limit on up to the limit.
    ceiling: u64,
}

enum Next {
    GoOn,
    Forget,
    Stop,
}

impl Growth {
    fn since(start: Option<u64>, limit: u64) -> Self {
        Self {
            start,
            most: start.map(|_| 0),
            limit,
            ceiling: limit / 4 * 3,
        }
    }

    /// What to do with `now` bytes after a number of look-ups since the last time that all was forgotten.
    fn after(&mut self, look_ups: u32, now: Option<u64>) -> Next {
        let (Some(now), Some(start)) = (now, self.start) else {
            return Next::GoOn;
        };
        let grown = now.saturating_sub(start);
        self.most = self.most.max(Some(grown));
        if look_ups == 1 {
            // A module was read anew, perhaps in memory that the allocator has kept: what counts is what comes on top.
            let room = grown.saturating_add(self.limit / 16).min(self.limit);
            self.ceiling = self.ceiling.max(room);
            if grown > self.limit {
                return Next::Stop;
            }
        } else if grown > self.ceiling {
            return Next::Forget;
        }
        Next::GoOn
    }
}

/// The process's memory that no file stands behind, as far as it is in RAM.
struct AnonymousMemory {
    status: File,
    /// Not text: the name of the process is in there, which is cut anywhere and may be any bytes.
    text: Vec<u8>,
}

impl AnonymousMemory {
    fn open() -> Option<Self> {
        let mut memory = Self {
            status: File::open("/proc/self/status").ok()?,
            text: Vec::with_capacity(4096),
        };
        memory.bytes().map(|_| memory)
    }

    fn bytes(&mut self) -> Option<u64> {
        self.text.clear();
        self.status.rewind().ok()?;
        self.status.read_to_end(&mut self.text).ok()?;
        anonymous_bytes(&self.text)
    }
}

/// What a process's `status` says of its memory that no file stands behind.
pub(crate) fn anonymous_bytes(status: &[u8]) -> Option<u64> {
    let value = status
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"RssAnon:"))?;
    let kib = value.trim_ascii().strip_suffix(b" kB")?;
    let kib: u64 = str::from_utf8(kib).ok()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The functions at `address` of this process, innermost first.
fn functions_in_this_process(address: u64) -> Vec<SourceFunction> {
    let mut functions = Vec::new();
    let Ok(address) = usize::try_from(address) else {
        return functions;
    };
    backtrace::resolve(address as *mut c_void, |symbol| {
        if let Some(name) = symbol.name() {
            functions.push(SourceFunction {
                name: String::from_utf8_lossy(name.as_bytes()).into_owned(),
                file: symbol.filename().map(|file| file.display().to_string()),
                line: symbol.lineno(),
            });
        }
    });
    functions
}

/// Addresses that are looked up in ascending order. A program with more modules than the resolver keeps reads each of them
/// once for each batch at worst.
const BATCH: usize = 1024;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Resolves `addresses` where each look-up takes `each` bytes, of which `kept` stay after forgetting. Gives the names,
    /// how often all was forgotten, and the most bytes.
    fn resolve(addresses: u64, each: u64, kept: u64, limit: u64) -> (Symbols, u32, u64) {
        let (memory, most, forgotten) = (Cell::new(1000), Cell::new(0), Cell::new(0));
        // What the allocator has kept is used first.
        let used = Cell::new(0);
        let mut resolver = Resolver {
            look_up: &mut |address| {
                used.set(used.get() + each);
                memory.set(memory.get().max(1000 + used.get()));
                most.set(memory.get() - 1000);
                let name = format!("my_app::f{address}");
                vec![SourceFunction {
                    name,
                    ..SourceFunction::default()
                }]
            },
            forget: &mut || {
                forgotten.set(forgotten.get() + 1);
                used.set(0);
                memory.set(memory.get().min(1000 + kept));
            },
            memory: &mut || Some(memory.get()),
        };
        let limits = ResolveLimits::new().memory_bytes(limit);
        let mut addresses = (1..=addresses).collect();
        let (symbols, looked_up) = resolver.resolve(&mut addresses, &limits);
        assert_eq!(looked_up as u64, cost(&symbols).named);
        (symbols, forgotten.get(), most.get())
    }

    fn cost(symbols: &Symbols) -> ResolveCost {
        *symbols.cost().expect("resolving has a cost")
    }

    #[test]
    fn naming_goes_on_after_it_has_forgotten() {
        let (symbols, forgotten, most) = resolve(100, 10, 0, 120);
        assert_eq!(cost(&symbols).named, 100);
        assert_eq!(cost(&symbols).stopped_by, None);
        assert_eq!(forgotten, 10 + 1, "past 90 bytes, and at the end");
        assert_eq!((most, cost(&symbols).memory_bytes), (100, Some(100)));
    }

    #[test]
    fn memory_that_the_allocator_keeps_is_used_again() {
        for kept in [50, 90, 100] {
            let (symbols, forgotten, most) = resolve(100, 10, kept, 120);
            assert_eq!(cost(&symbols).named, 100, "{kept}");
            assert!(forgotten <= 11 && most <= 120 + 10, "{kept}: {most}");
        }
    }

    #[test]
    fn naming_stops_when_the_allocator_keeps_more_than_the_limit() {
        let (symbols, forgotten, most) = resolve(100, 70, 500, 120);
        assert_eq!(
            cost(&symbols).named,
            3,
            "two, and one that passes the limit"
        );
        assert_eq!(forgotten, 1 + 1);
        assert_eq!(most, 140);
    }

    #[test]
    fn naming_stops_if_a_single_look_up_passes_the_limit() {
        let (symbols, _, most) = resolve(100, 10, 0, 5);
        assert_eq!((cost(&symbols).addresses, cost(&symbols).named), (100, 1));
        let stopped_by = Some(ResolveLimit::MemoryBytes(5));
        assert_eq!((cost(&symbols).stopped_by, most), (stopped_by, 10));
    }

    #[test]
    fn without_time_nothing_is_looked_up() {
        let mut resolver = Resolver {
            look_up: &mut |_| unreachable!("there is no time"),
            forget: &mut || {},
            memory: &mut || None,
        };
        let limits = ResolveLimits::new().time(Duration::ZERO);
        let (symbols, looked_up) = resolver.resolve(&mut vec![1, 2, 1], &limits);
        let cost = cost(&symbols);
        assert_eq!(looked_up, 0);
        assert_eq!(
            (cost.addresses, cost.named, cost.memory_bytes),
            (2, 0, None)
        );
        assert_eq!(cost.stopped_by, Some(ResolveLimit::Time(Duration::ZERO)));
    }

    #[test]
    fn the_first_addresses_come_first_in_batches_that_are_sorted() {
        let mut asked = Vec::new();
        let mut resolver = Resolver {
            look_up: &mut |address| {
                asked.push(address);
                Vec::new()
            },
            forget: &mut || {},
            memory: &mut || None,
        };
        let batch = BATCH as u64;
        let addresses = (1..=batch).rev().map(|number| 10_000 + number);
        let mut addresses = addresses.chain([7, 9, 7, 5]).collect();
        let (_, looked_up) = resolver.resolve(&mut addresses, &ResolveLimits::new());
        assert_eq!(looked_up, BATCH + 3);
        assert!(asked[..BATCH].is_sorted());
        assert_eq!(asked[BATCH..], [4, 6, 8]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_this_process_is_known_and_grows_with_it() {
        let mut memory = AnonymousMemory::open().expect("Linux says");
        let before = memory.bytes().expect("Linux says");
        let block = vec![1_u8; 64 << 20];
        let after = memory.bytes().expect("Linux says");
        assert!(after >= before + (48 << 20), "{before} {after}");
        drop(block);
    }

    /// Without its memory known, naming would go on past any limit.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_process_whose_name_is_no_text_is_known() {
        let name = std::fs::read("/proc/self/comm").expect("Linux has it");
        // As where a name that is longer than 15 bytes is cut within a character.
        std::fs::write("/proc/self/comm", b"gr\xc3").expect("it is ours");
        let memory = AnonymousMemory::open().and_then(|mut memory| memory.bytes());
        std::fs::write("/proc/self/comm", name.trim_ascii()).expect("it is ours");
        assert!(memory.is_some_and(|bytes| bytes > 0), "{memory:?}");
    }

    #[test]
    fn a_status_of_another_form_says_nothing() {
        let status = b"Name:\tRssAnon:\nVmRSS:\t  9 kB\nRssAnon:\t     1234 kB\n";
        assert_eq!(anonymous_bytes(status), Some(1234 << 10));
        for status in [
            &b""[..],
            b"RssAnon:",
            b"RssAnon:\t1234\n",
            b"RssAnon:\t-1 kB\n",
            b"RssAnon:\t18446744073709551615 kB\n",
            b"RssAnon:\t\xff kB\n",
        ] {
            assert_eq!(anonymous_bytes(status), None);
        }
    }
}
