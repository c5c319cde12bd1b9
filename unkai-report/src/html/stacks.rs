//! The call stacks of all sites as numbers: a trie of places in functions, and the names that these numbers stand for.
//!
//! Stacks share their outer parts and functions share their names, so each is written once. Lists of numbers take the
//! place of lists of objects: tens of thousands of call stacks stay a few megabytes, and are read in a moment.

use std::borrow::Cow;
use std::collections::HashMap;

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

/// Functions, as lists of the same length.
#[derive(Default, Serialize)]
struct Functions {
    /// Numbers of strings, as are the next four.
    name: Vec<u32>,
    short: Vec<u32>,
    brief: Vec<u32>,
    file: Vec<u32>,
    #[serde(rename = "crate")]
    krate: Vec<u32>,
    kind: Vec<Kind>,
}

/// Whose a function is, for its colour.
#[derive(Clone, Copy, Serialize)]
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
    frame: Vec<u32>,
}

/// The stacks of a report.
#[derive(Serialize)]
pub(super) struct Stacks {
    functions: Functions,
    frames: Frames,
    nodes: Nodes,
}

/// Finds the numbers while stacks are added.
pub(super) struct Builder<'a> {
    stacks: Stacks,
    functions: HashMap<Key<'a>, u32>,
    frames: HashMap<(u32, u32), u32>,
    children: HashMap<(u32, u32), u32>,
}

/// What tells two functions apart. Of a function with a name that is its place in the table of symbols.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Function(*const Function),
    Name(Cow<'a, str>),
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
            known: HashMap::from([(String::new(), 0)]),
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
            stacks: Stacks {
                functions: Functions::default(),
                frames: Frames::default(),
                nodes: Nodes {
                    up: vec![0],
                    frame: vec![0],
                },
            },
            functions: HashMap::new(),
            frames: HashMap::new(),
            children: HashMap::new(),
        }
    }

    /// The node at which the stack of `site` ends.
    pub(super) fn add(&mut self, report: &'a Report, site: &Site, strings: &mut Strings) -> u32 {
        let frames = report.call_stack(site);
        let mut node = 0;
        for step in shown_path(site, &frames) {
            let function = self.function(&step, strings);
            let line = match &step {
                Step::Frame(frame) => frame.line.unwrap_or(0),
                Step::Mark(_) => 0,
            };
            let frame = self.frame(function, line);
            node = self.child(node, frame);
        }
        node
    }

    pub(super) fn finish(self) -> Stacks {
        self.stacks
    }

    fn function(&mut self, step: &Step<'_, 'a>, strings: &mut Strings) -> u32 {
        let named = match step {
            Step::Frame(frame) => frame.function,
            Step::Mark(_) => None,
        };
        let key = match named {
            Some(function) => Key::Function(function),
            None => Key::Name(step.name()),
        };
        let functions = &mut self.stacks.functions;
        *self.functions.entry(key).or_insert_with(|| {
            let (name, short) = (step.name(), step.short_name());
            functions.name.push(strings.add(&name));
            functions.short.push(strings.add(&short));
            let file = named.and_then(Function::file).unwrap_or_default();
            functions.file.push(strings.add(file));
            let (brief, krate, kind) = match named {
                Some(function) => {
                    let path = FunctionPath::parse(&name);
                    let (krate, kind) = owner(&path, function);
                    (path.brief(), krate, kind)
                }
                None => (short.into_owned(), "", Kind::Unknown),
            };
            functions.brief.push(strings.add(&brief));
            functions.krate.push(strings.add(krate));
            functions.kind.push(kind);
            index(functions.kind.len() - 1)
        })
    }

    fn frame(&mut self, function: u32, line: u32) -> u32 {
        let frames = &mut self.stacks.frames;
        *self.frames.entry((function, line)).or_insert_with(|| {
            frames.function.push(function);
            frames.line.push(line);
            index(frames.line.len() - 1)
        })
    }

    fn child(&mut self, parent: u32, frame: u32) -> u32 {
        let nodes = &mut self.stacks.nodes;
        *self.children.entry((parent, frame)).or_insert_with(|| {
            let node = index(nodes.up.len());
            nodes.up.push(node - parent);
            nodes.frame.push(frame);
            node
        })
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
mod tests {
    use std::time::SystemTime;

    use unkai_core::Snapshot;

    use super::*;
    use crate::symbols::{SourceFunction, Symbols};

    #[test]
    fn shared_outer_parts_and_names_are_written_once() {
        let symbols = Symbols::of_names([(1, "app::a"), (2, "app::b"), (3, "app::main")]);
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (id, stack) in [[1, 3], [2, 3], [9, 3], [1, 3]].into_iter().enumerate() {
            snapshot
                .sites
                .push(Site::new(id as u32 + 2, stack.to_vec()));
        }
        let report = Report::from_parts(snapshot, symbols);
        let (mut builder, mut strings) = (Builder::new(), Strings::new());
        let sites = &report.snapshot().sites;
        let ends: Vec<u32> = sites
            .iter()
            .map(|site| builder.add(&report, site, &mut strings))
            .collect();
        let stacks = builder.finish();
        assert_eq!(ends, [2, 3, 4, 2]);
        assert_eq!(stacks.nodes.up, [0, 1, 1, 2, 3]);
        assert_eq!(stacks.nodes.frame, [0, 0, 1, 2, 3]);
        let names: Vec<&str> = stacks
            .functions
            .name
            .iter()
            .map(|name| strings.list[*name as usize].as_str())
            .collect();
        assert_eq!(names, ["app::main", "app::a", "app::b", "0x9"]);
    }

    #[test]
    fn a_function_belongs_to_the_program_a_dependency_or_the_standard_library() {
        let cases = [
            ("app::main", "src/main.rs", "app", Kind::Program),
            (
                "hyper::body::read",
                "/home/me/.cargo/registry/src/index-1949/hyper-1.4.0/src/body.rs",
                "hyper",
                Kind::Dependency,
            ),
            (
                "<app::It as core::iter::Iterator>::collect",
                "/rustc/5980/library/core/src/iter/traits/iterator.rs",
                "core",
                Kind::Library,
            ),
            ("alloc::vec::Vec<T,A>::push", "", "alloc", Kind::Library),
            ("sqlite3_step", "", "", Kind::Unknown),
        ];
        for (name, file, krate, kind) in cases {
            let mut symbols = Symbols::new();
            let function = SourceFunction {
                name: name.to_owned(),
                file: Some(file.to_owned()).filter(|file| !file.is_empty()),
                line: None,
            };
            symbols.insert(1, &[function]);
            let path = FunctionPath::parse(name);
            let (found, found_kind) = owner(&path, &symbols.functions()[0]);
            assert_eq!((found, found_kind as u8), (krate, kind as u8), "{name}");
        }
    }
}
