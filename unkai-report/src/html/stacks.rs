//! The call stacks of all sites as numbers: a trie of places in functions, and the names that these numbers stand for.
//!
//! Stacks share their outer parts and functions share their names, so each is written once. Lists of numbers take the
//! place of lists of objects: tens of thousands of call stacks stay a few megabytes, and are read in a moment.

use std::borrow::Cow;

use foldhash::HashMap;
use serde::Serialize;
use unkai_core::Site;

use crate::names::standard_crate_of_file;
use crate::path::FunctionPath;
use crate::report::Report;
use crate::shown::{Step, shown_path};
use crate::symbols::Function;

/// Each distinct string once; 0 is the empty one.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Strings {
    list: Vec<String>,
    #[serde(skip)]
    known: HashMap<String, u32>,
}

/// Functions in the order of their names, as lists of the same length, and what of their short names cannot be derived.
#[derive(Default, Serialize)]
struct Functions {
    /// How many UTF-16 units a name has in common with the one before it, as scripts count, and what follows.
    shared: Vec<usize>,
    rest: Vec<String>,
    /// How much greater the number of the home is than that of the function before.
    home_step: Vec<i64>,
    short: Exceptions,
    brief: Exceptions,
}

/// Where functions stand: a file, and a crate in it. Lists of the same length.
#[derive(Default, Serialize)]
struct Homes {
    /// Numbers of strings, as is the next one.
    file: Vec<u32>,
    #[serde(rename = "crate")]
    krate: Vec<u32>,
    kind: Vec<Kind>,
}

/// Pairs of a function and the number of a string.
#[derive(Default, Serialize)]
struct Exceptions {
    function: Vec<u32>,
    string: Vec<u32>,
}

/// A function as it is found.
struct Found<'a> {
    name: Cow<'a, str>,
    short: Cow<'a, str>,
    brief: String,
    home: u32,
}

/// Whose a function is, for its colour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "u8")]
enum Kind {
    Program,
    Dependency,
    Library,
    Unknown,
}

/// Places in functions.
#[derive(Default, Serialize)]
struct Frames {
    function: Vec<u32>,
    /// 0 if it is not known.
    line: Vec<u32>,
}

/// The stacks, from the outermost function inwards. Node 0 is where all begin, and no place.
#[derive(Serialize)]
struct Nodes {
    /// How far before the node its parent stands.
    up: Vec<u32>,
    /// How far its frame stands before the next that no node had yet: 0 for that one.
    back: Vec<u32>,
}

/// The stacks of a report.
#[derive(Serialize)]
pub(super) struct Stacks<'a> {
    homes: Homes,
    functions: Functions,
    frames: Frames,
    nodes: Nodes,
    #[serde(skip)]
    by_short_name: HashMap<Cow<'a, str>, u32>,
}

/// Finds the numbers while stacks are added.
pub(super) struct Builder<'a> {
    homes: Homes,
    found: Vec<Found<'a>>,
    frames: Frames,
    nodes: Nodes,
    known_homes: HashMap<(u32, u32, Kind), u32>,
    known_functions: HashMap<Key, u32>,
    known_frames: HashMap<(Key, u32), u32>,
    /// The stack that was added last, with its nodes, outermost first.
    path: Vec<((Key, u32), u32)>,
    /// The first frame that no node has.
    unused: u32,
}

/// What tells two functions apart. Of a function with a name that is its place in the table of symbols.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Function(*const Function),
    Address(u64),
    Mark(&'static str),
}

impl Key {
    fn of(step: &Step<'_, '_>) -> Self {
        match step {
            Step::Frame(frame) => match frame.function {
                Some(function) => Self::Function(function),
                None => Self::Address(frame.address),
            },
            Step::Mark(words) => Self::Mark(words),
        }
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> Self {
        kind as Self
    }
}

impl Strings {
    pub(super) fn new() -> Self {
        Self {
            list: vec![String::new()],
            known: HashMap::from_iter([(String::new(), 0)]),
        }
    }

    /// The number of `string`.
    pub(super) fn add(&mut self, string: &str) -> u32 {
        if let Some(&known) = self.known.get(string) {
            return known;
        }
        let number = index(self.list.len());
        self.list.push(string.to_owned());
        self.known.insert(string.to_owned(), number);
        number
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new() -> Self {
        Self {
            homes: Homes::default(),
            found: Vec::new(),
            frames: Frames::default(),
            nodes: Nodes {
                up: vec![0],
                back: vec![0],
            },
            known_homes: HashMap::default(),
            known_functions: HashMap::default(),
            known_frames: HashMap::default(),
            path: Vec::new(),
            unused: 0,
        }
    }

    /// Adds the stacks of all sites. The nodes at which they end, in the order of the sites.
    pub(super) fn add(&mut self, report: &'a Report, strings: &mut Strings) -> Vec<u32> {
        let sites = &report.snapshot().sites;
        let mut order: Vec<usize> = (0..sites.len()).collect();
        // Stacks with the same outer part follow each other.
        let outer_first = |site: &usize| sites[*site].stack.iter().rev();
        order.sort_by(|a, b| outer_first(a).cmp(outer_first(b)));
        let mut ends = vec![0; sites.len()];
        for site in order {
            ends[site] = self.add_stack(report, &sites[site], strings);
        }
        ends
    }

    /// The node at which the stack of `site` ends.
    fn add_stack(&mut self, report: &'a Report, site: &Site, strings: &mut Strings) -> u32 {
        let frames = report.call_stack(site);
        let mut depth = 0;
        let mut node = 0;
        for step in shown_path(site, &frames) {
            let line = match &step {
                Step::Frame(frame) => frame.line.unwrap_or(0),
                Step::Mark(_) => 0,
            };
            let place = (Key::of(&step), line);
            match self.path.get(depth) {
                Some((known, known_node)) if *known == place => node = *known_node,
                _ => {
                    self.path.truncate(depth);
                    let frame = self.frame(place, &step, strings);
                    node = self.child(node, frame);
                    self.path.push((place, node));
                }
            }
            depth += 1;
        }
        self.path.truncate(depth);
        node
    }

    pub(super) fn finish(mut self, strings: &mut Strings) -> Stacks<'a> {
        let names = self.found.iter().map(|function| &*function.name);
        let mut order: Vec<(&str, usize)> = names.zip(0..).collect();
        // Neighbours in this order have much in common.
        order.sort_unstable();
        let mut places = vec![0; order.len()];
        let mut functions = Functions::default();
        let mut before = ("", 0);
        for (place, (_, number)) in (0..).zip(order) {
            let function = &self.found[number];
            places[number] = place;
            functions.push(place, function, before, strings);
            before = (&function.name, function.home);
        }
        for function in &mut self.frames.function {
            *function = places[*function as usize];
        }
        let short_names = self.found.into_iter().map(|function| function.short);
        Stacks {
            homes: self.homes,
            functions,
            frames: self.frames,
            nodes: self.nodes,
            by_short_name: short_names.zip(places).collect(),
        }
    }

    fn function(&mut self, key: Key, step: &Step<'_, 'a>, strings: &mut Strings) -> u32 {
        if let Some(&known) = self.known_functions.get(&key) {
            return known;
        }
        let named = match step {
            Step::Frame(frame) => frame.function,
            Step::Mark(_) => None,
        };
        let (name, short) = (step.name(), step.short_name());
        let (brief, krate, kind) = match named {
            Some(function) => {
                let path = FunctionPath::parse(&name);
                let (krate, kind) = owner(&path, function);
                (path.brief(), krate, kind)
            }
            None => (short.to_string(), "", Kind::Unknown),
        };
        let file = named.and_then(Function::file).unwrap_or_default();
        let home = self.home(strings.add(file), strings.add(krate), kind);
        let number = index(self.found.len());
        self.known_functions.insert(key, number);
        self.found.push(Found {
            name,
            short,
            brief,
            home,
        });
        number
    }

    fn home(&mut self, file: u32, krate: u32, kind: Kind) -> u32 {
        let homes = &mut self.homes;
        let home = self.known_homes.entry((file, krate, kind));
        *home.or_insert_with(|| {
            homes.file.push(file);
            homes.krate.push(krate);
            homes.kind.push(kind);
            index(homes.kind.len() - 1)
        })
    }

    fn frame(&mut self, place: (Key, u32), step: &Step<'_, 'a>, strings: &mut Strings) -> u32 {
        if let Some(&known) = self.known_frames.get(&place) {
            return known;
        }
        let (key, line) = place;
        let number = index(self.frames.line.len());
        let function = self.function(key, step, strings);
        self.frames.function.push(function);
        self.frames.line.push(line);
        self.known_frames.insert(place, number);
        number
    }

    /// A new node for `frame` below `parent`.
    fn child(&mut self, parent: u32, frame: u32) -> u32 {
        let node = index(self.nodes.up.len());
        self.nodes.up.push(node - parent);
        self.nodes.back.push(self.unused - frame);
        self.unused = self.unused.max(frame + 1);
        node
    }
}

impl Stacks<'_> {
    /// The function with this short name.
    pub(super) fn function(&self, short_name: &str) -> Option<u32> {
        self.by_short_name.get(short_name).copied()
    }
}

impl Functions {
    fn push(
        &mut self,
        place: u32,
        function: &Found<'_>,
        (before, home_before): (&str, u32),
        strings: &mut Strings,
    ) {
        let common = before.bytes().zip(function.name.bytes());
        let mut shared = common.take_while(|(a, b)| a == b).count();
        while !function.name.is_char_boundary(shared) {
            shared -= 1;
        }
        self.shared.push(before[..shared].encode_utf16().count());
        self.rest.push(function.name[shared..].to_owned());
        let step = i64::from(function.home) - i64::from(home_before);
        self.home_step.push(step);
        if function.short != without_generics(&function.name) {
            self.short.push(place, strings.add(&function.short));
        }
        if function.brief != last_two(&function.short) {
            self.brief.push(place, strings.add(&function.brief));
        }
    }
}

impl Exceptions {
    fn push(&mut self, function: u32, string: u32) {
        self.function.push(function);
        self.string.push(string);
    }
}

/// What the script takes for the short name of a function if it is not told.
fn without_generics(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut depth = 0_usize;
    for character in name.chars() {
        match character {
            '<' => {
                if depth == 0 && short.ends_with("::") {
                    short.truncate(short.len() - 2);
                }
                depth += 1;
            }
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => short.push(character),
            _ => {}
        }
    }
    short
}

/// What the script takes for the brief name of a function if it is not told.
fn last_two(short: &str) -> &str {
    let behind = |end: usize| short[..end].rfind("::");
    match behind(short.len()).and_then(behind) {
        Some(at) => &short[at + 2..],
        None => short,
    }
}

/// The crate of a function, and whose crate that is.
fn owner<'a>(path: &FunctionPath<'a>, function: &Function) -> (&'a str, Kind) {
    let of_file = function.file().and_then(standard_crate_of_file);
    let krate = of_file.or_else(|| path.krate()).unwrap_or_default();
    let fetched = |file: &str| FETCHED.iter().any(|folder| file.contains(folder));
    let kind = match function.file() {
        _ if !function.origin().is_program() => Kind::Library,
        // Functions of C have no path.
        _ if krate.is_empty() => Kind::Unknown,
        Some(file) if fetched(file) => Kind::Dependency,
        _ => Kind::Program,
    };
    (krate, kind)
}

/// No list of a report is that long: four billion entries do not fit in memory.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Folders in which Cargo keeps what it has fetched.
const FETCHED: [&str; 4] = [
    "/registry/src/",
    "\\registry\\src\\",
    "/git/checkouts/",
    "\\git\\checkouts\\",
];

#[cfg(test)]
mod tests;
