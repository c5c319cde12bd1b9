//! Names for return addresses.
//!
//! [`Symbols`] maps each return address to the functions that it lies in, each function stored once. It is filled by
//! [`Symbols::resolve`] in the process that allocated, by [`Symbols::resolve_with`] from any other source of names, or
//! from a report that was read back. Nothing else in unkai names an address.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use unkai_core::aside;

use crate::names::{printable, readable_name};
use crate::origin::Origin;
use crate::path::FunctionPath;
use crate::resolve::{self, ResolveCost, ResolveLimits};

/// Functions, files and lines for a set of return addresses.
///
/// Functions are shared between addresses and strings between functions, so the memory that it takes grows with the
/// number of distinct functions, plus a few words for each address.
///
/// Two are equal if they say the same about the same addresses, whatever it took to find out.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    functions: Vec<Function>,
    addresses: HashMap<u64, Box<[Location]>>,
    by_name: HashMap<(Arc<str>, Option<Arc<str>>), u32>,
    strings: HashSet<Arc<str>>,
    cost: Option<ResolveCost>,
}

/// A function of the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    name: Arc<str>,
    short_name: Arc<str>,
    raw_name: Option<Arc<str>>,
    file: Option<Arc<str>>,
    origin: Origin,
}

/// A place in a function: what one return address is resolved to, one for each function that is inlined there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// Index in the table of functions.
    pub(crate) function: u32,
    /// The line in the function's file.
    pub(crate) line: Option<u32>,
}

/// What a source of names knows about an address; for [`Symbols::resolve_with`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFunction {
    /// The function's name, mangled or not. Without one, nothing is recorded.
    pub name: String,
    /// Path of the source file.
    pub file: Option<String>,
    /// Line in that file.
    pub line: Option<u32>,
}

impl Function {
    /// The name for people: demangled, without hash. Where debug information names a function without its path, the
    /// module path of its source file leads the name. Characters that would act on a terminal, break the line or hide
    /// others are replaced by `\u{fffd}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole path without generic parameters, a trait by its own name alone: `<my_app::Key as Hash>::hash`.
    pub fn short_name(&self) -> &str {
        &self.short_name
    }

    /// The name as the binary has it, if that differs from [`name`](Self::name), without what is replaced there. Instances
    /// of a generic function can share a name; this is then the raw name of one of them.
    pub fn raw_name(&self) -> Option<&str> {
        self.raw_name.as_deref()
    }

    /// Path of the source file, as the compiler saw it.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }
}

impl Symbols {
    /// One function for each address, with nothing but a name: for tests.
    #[cfg(test)]
    pub(crate) fn of_names<'a>(names: impl IntoIterator<Item = (u64, &'a str)>) -> Self {
        let mut symbols = Self::new();
        for (address, name) in names {
            let name = name.to_owned();
            let function = SourceFunction {
                name,
                ..SourceFunction::default()
            };
            symbols.insert(address, &[function]);
        }
        symbols
    }

    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names `return_addresses` from the debug information of this process, within the [default
    /// limits](ResolveLimits::new): [`resolve_within`](Self::resolve_within) says more.
    pub fn resolve(return_addresses: impl IntoIterator<Item = u64>) -> Self {
        Self::resolve_within(return_addresses, &ResolveLimits::new())
    }

    /// Names `return_addresses` from the debug information of this process. Each distinct address is looked up once, the
    /// first ones first; those that are left when a limit is reached have no name. [`cost`](Self::cost) says what it took.
    ///
    /// # Cost
    /// The first address in each module (the executable, a library) reads that module's tables, and the first in each
    /// compilation unit parses that unit. This takes from milliseconds to seconds and, for a large binary, hundreds of MB of
    /// memory, which `limits` bound. That memory goes back to the allocator before this function returns; a later call
    /// pays again. It allocates through the global allocator and may wait for a lock, so it must not be called from
    /// within an allocation. Where that is too much, keep addresses and name them elsewhere:
    /// [`Report::without_names`](crate::Report::without_names).
    pub fn resolve_within(
        return_addresses: impl IntoIterator<Item = u64>,
        limits: &ResolveLimits,
    ) -> Self {
        aside(|| {
            let mut addresses = return_addresses.into_iter().collect();
            resolve::resolve(&mut addresses, limits).0
        })
    }

    /// Names `return_addresses` by `look_up`, which is called once for each distinct one, in ascending order.
    ///
    /// `look_up` is given an address *inside* the call instruction, the return address − 1: the return address itself
    /// may belong to the next line or even the next function. It returns the functions there, innermost first; all but
    /// the last are inlined. An empty list means that nothing is known.
    ///
    /// ```
    /// use unkai_report::{SourceFunction, Symbols};
    ///
    /// let symbols = Symbols::resolve_with([0x1001], |address| {
    ///     assert_eq!(address, 0x1000);
    ///     let name = "_ZN6my_app4work17h754b150d453f2cc6E".to_owned();
    ///     vec![SourceFunction { name, file: Some("src/main.rs".to_owned()), line: Some(7) }]
    /// });
    /// assert_eq!(symbols.functions()[0].name(), "my_app::work");
    /// ```
    pub fn resolve_with(
        return_addresses: impl IntoIterator<Item = u64>,
        mut look_up: impl FnMut(u64) -> Vec<SourceFunction>,
    ) -> Self {
        // Ascending, so that the addresses of one module follow each other: resolvers keep few modules in memory.
        let distinct: BTreeSet<u64> = return_addresses.into_iter().collect();
        let mut symbols = Self::new();
        for return_address in distinct {
            let functions = look_up(return_address.saturating_sub(1));
            symbols.insert(return_address, &functions);
        }
        symbols
    }

    /// Records `functions`, innermost first, for `return_address`, in place of what was known about it.
    pub fn insert(&mut self, return_address: u64, functions: &[SourceFunction]) {
        let named = functions
            .iter()
            .filter(|function| !function.name.is_empty());
        let locations = named
            .map(|function| {
                let name = readable_name(&function.name, function.file.as_deref());
                let raw_name = (name != function.name).then_some(function.name.as_str());
                let id = self.intern_function(&name, raw_name, function.file.as_deref());
                Location {
                    function: id,
                    line: function.line.filter(|line| *line > 0),
                }
            })
            .collect();
        self.insert_locations(return_address, locations);
    }

    /// Takes from `other`, names of the same process, what is not known here.
    pub fn add_missing(&mut self, other: &Symbols) {
        // In a fixed order, so that functions are numbered in one.
        let mut addresses: Vec<_> = other.addresses().collect();
        addresses.sort_unstable_by_key(|(address, _)| *address);
        for (address, locations) in addresses {
            if !self.locations(address).is_empty() {
                continue;
            }
            let locations = locations.iter().filter_map(|location| {
                let function = other.function(location.function)?;
                Some(Location {
                    function: self.intern_function(
                        function.name(),
                        function.raw_name(),
                        function.file(),
                    ),
                    line: location.line,
                })
            });
            let locations = locations.collect();
            self.insert_locations(address, locations);
        }
    }

    /// The distinct functions, in the order in which they were met.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// What [`resolve`](Self::resolve) or [`resolve_within`](Self::resolve_within) took, also if that was in another
    /// process; `None` if the names come from elsewhere.
    pub fn cost(&self) -> Option<&ResolveCost> {
        self.cost.as_ref()
    }

    /// Notes what it took to find these names.
    pub(crate) fn set_cost(&mut self, cost: impl Into<Option<ResolveCost>>) {
        self.cost = cost.into();
    }

    /// Whether no address has a name.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// The places that `return_address` stands for, innermost first; empty if nothing is known about it.
    pub(crate) fn locations(&self, return_address: u64) -> &[Location] {
        self.addresses
            .get(&return_address)
            .map_or(&[], |locations| locations)
    }

    /// Each named address with its places, in no order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (u64, &[Location])> {
        self.addresses
            .iter()
            .map(|(address, locations)| (*address, &**locations))
    }

    /// The function at `index` of the table of functions.
    pub(crate) fn function(&self, index: u32) -> Option<&Function> {
        self.functions.get(index as usize)
    }

    /// The index of the function with this readable name and file, added if it is new.
    pub(crate) fn intern_function(
        &mut self,
        name: &str,
        raw_name: Option<&str>,
        file: Option<&str>,
    ) -> u32 {
        let name = self.intern(&printable(name));
        let file = file.map(|file| self.intern(&printable(file)));
        let key = (name, file);
        if let Some(&known) = self.by_name.get(&key) {
            return known;
        }
        let raw_name = raw_name.map(|raw_name| self.intern(&printable(raw_name)));
        let (name, file) = key.clone();
        let short_name = match FunctionPath::parse(&name).readable() {
            short if short.is_empty() => Arc::clone(&name),
            short => self.intern(&short),
        };
        let origin = Origin::of(&name, file.as_deref());
        let index = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        self.functions.push(Function {
            name,
            short_name,
            raw_name,
            file,
            origin,
        });
        self.by_name.insert(key, index);
        index
    }

    /// Records places whose functions come from [`intern_function`](Self::intern_function).
    pub(crate) fn insert_locations(&mut self, return_address: u64, locations: Vec<Location>) {
        if locations.is_empty() {
            self.addresses.remove(&return_address);
        } else {
            self.addresses
                .insert(return_address, locations.into_boxed_slice());
        }
    }

    fn intern(&mut self, string: &str) -> Arc<str> {
        if let Some(known) = self.strings.get(string) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(string);
        self.strings.insert(Arc::clone(&new));
        new
    }
}

impl PartialEq for Symbols {
    fn eq(&self, other: &Self) -> bool {
        // The other fields are indices of these, and the cost.
        self.functions == other.functions && self.addresses == other.addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, line: u32) -> SourceFunction {
        SourceFunction {
            name: name.to_owned(),
            file: Some("src/main.rs".to_owned()),
            line: Some(line),
        }
    }

    #[test]
    fn each_distinct_address_is_looked_up_once_one_byte_before_it() {
        let mut asked = Vec::new();
        let symbols = Symbols::resolve_with([9, 5, 9, 0, 5], |address| {
            asked.push(address);
            vec![function("my_app::work", 1)]
        });
        assert_eq!(asked, [0, 4, 8]);
        assert_eq!(symbols.functions().len(), 1);
        assert_eq!(symbols.locations(9).len(), 1);
    }

    #[test]
    fn instances_that_read_the_same_are_one_function() {
        let mut symbols = Symbols::new();
        let first = "_ZN6my_app4work17h754b150d453f2cc6E";
        let second = "_ZN6my_app4work17h854b150d453f2cc6E";
        symbols.insert(1, &[function(first, 3)]);
        symbols.insert(2, &[function(second, 4), function("my_app::main", 9)]);
        let names: Vec<&str> = symbols.functions().iter().map(Function::name).collect();
        assert_eq!(names, ["my_app::work", "my_app::main"]);
        assert_eq!(symbols.functions()[0].raw_name(), Some(first));
        assert_eq!(symbols.functions()[1].raw_name(), None);
        assert_eq!(
            symbols.locations(2)[0],
            Location {
                function: 0,
                line: Some(4)
            }
        );
    }

    #[test]
    fn names_are_taken_over_where_there_is_none() {
        let mut symbols = Symbols::new();
        symbols.insert(1, &[function("my_app::work", 3)]);
        let mut other = Symbols::new();
        other.insert(1, &[function("my_app::other", 4)]);
        other.insert(
            2,
            &[function("my_app::work", 5), function("my_app::main", 9)],
        );
        symbols.add_missing(&other);
        let names: Vec<&str> = symbols.functions().iter().map(Function::name).collect();
        assert_eq!(names, ["my_app::work", "my_app::main"]);
        let lines = |address| symbols.locations(address).iter().map(|at| at.line);
        assert!(lines(1).eq([Some(3)]));
        assert!(lines(2).eq([Some(5), Some(9)]));
    }

    #[test]
    fn an_address_without_a_name_is_not_stored() {
        let mut symbols = Symbols::new();
        symbols.insert(1, &[]);
        symbols.insert(2, &[SourceFunction::default()]);
        assert!(symbols.is_empty());
    }

    #[test]
    fn this_process_can_name_its_own_functions() {
        #[inline(never)]
        fn here() -> u64 {
            let mut found = 0;
            backtrace::trace(|frame| {
                let inner = frame.symbol_address() as usize;
                found = frame.ip() as u64;
                // The first frame within this function, whose start it has.
                inner != here as *const () as usize
            });
            found
        }
        let address = here();
        let symbols = Symbols::resolve([address, address]);
        let names: Vec<&str> = symbols.functions().iter().map(Function::name).collect();
        assert!(
            names.iter().any(|name| name.ends_with("::here")),
            "{names:?}"
        );
    }
}
