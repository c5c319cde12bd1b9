//! What the rows of a profile refer to by number: strings, functions, locations and mappings, each stored once.

use std::ptr;

use foldhash::HashMap;

use super::proto::{Function, Line, Location, Mapping, Profile};
use crate::report::{Frame, Report};
use crate::shown::Step;
use crate::symbols;

/// Ids count from 1 in the order in which things are met; that of a string is its index.
pub(super) struct Tables {
    strings: HashMap<String, i64>,
    functions: Vec<Function>,
    /// By identity: the report has each function once, and does not move while these tables are filled.
    known_functions: HashMap<*const symbols::Function, u64>,
    locations: Vec<Location>,
    /// One address can stand for several: where stacks are cut within inlined functions, and not all are cut there.
    known_locations: HashMap<u64, Vec<u64>>,
    known_marks: HashMap<&'static str, u64>,
    mappings: Vec<Mapping>,
}

impl Tables {
    /// All modules of `report`, in its order, which has the executable first; else empty.
    pub(super) fn new(report: &Report) -> Self {
        let mut tables = Self {
            strings: HashMap::from_iter([(String::new(), 0)]),
            functions: Vec::new(),
            known_functions: HashMap::default(),
            locations: Vec::new(),
            known_locations: HashMap::default(),
            known_marks: HashMap::default(),
            mappings: Vec::new(),
        };
        for (id, module) in (1..).zip(report.modules().list()) {
            let build_id = module.build_id_text().unwrap_or_default();
            let mapping = Mapping {
                id,
                memory_start: module.start,
                memory_limit: module.end,
                file_offset: module.file_offset,
                // pprof writes it into the source of a graph as it is.
                filename: tables.string(&module.path.replace('"', "'")),
                build_id: tables.string(&build_id),
                ..Mapping::default()
            };
            tables.mappings.push(mapping);
        }
        tables
    }

    pub(super) fn string(&mut self, string: &str) -> i64 {
        if let Some(&known) = self.strings.get(string) {
            return known;
        }
        let index = self.strings.len() as i64;
        self.strings.insert(string.to_owned(), index);
        index
    }

    /// The ids of the locations on `path`, which comes from the outermost to the innermost function; innermost first.
    pub(super) fn stack<'f, 'a: 'f>(
        &mut self,
        path: impl Iterator<Item = Step<'f, 'a>>,
    ) -> Vec<u64> {
        let mut path: Vec<Step<'_, '_>> = path.collect();
        path.reverse();
        let mut stack = Vec::new();
        let mut lines: Vec<Line> = Vec::new();
        for (index, step) in path.iter().enumerate() {
            let frame = match step {
                Step::Frame(frame) => frame,
                Step::Mark(words) => {
                    stack.push(self.mark(words));
                    continue;
                }
            };
            lines.extend(self.line(frame));
            // The outer functions at this address may be cut off.
            let more = matches!(path.get(index + 1), Some(Step::Frame(_)));
            if !(frame.inlined && more) {
                stack.push(self.location(frame.address, &lines));
                lines.clear();
            }
        }
        stack
    }

    /// A profile of these tables alone.
    pub(super) fn into_profile(self) -> Profile {
        let mut string_table = vec![String::new(); self.strings.len()];
        for (string, index) in self.strings {
            string_table[index as usize] = string;
        }
        Profile {
            mapping: self.mappings,
            location: self.locations,
            function: self.functions,
            string_table,
            ..Profile::default()
        }
    }

    fn line(&mut self, frame: &Frame<'_>) -> Option<Line> {
        let function = frame.function?;
        let function_id = match self.known_functions.get(&ptr::from_ref(function)) {
            Some(&known) => known,
            None => self.new_function(function),
        };
        let line = frame.line.map_or(0, i64::from);
        Some(Line { function_id, line })
    }

    fn new_function(&mut self, function: &symbols::Function) -> u64 {
        let name = function.short_name();
        let system_name = match function.raw_name().unwrap_or(function.name()) {
            // pprof takes a system name that is also the name for one in C++, and cuts out what is in angle brackets.
            same if same == name => "",
            other => other,
        };
        let id = self.push_function(name, system_name, function.file().unwrap_or_default());
        self.known_functions.insert(ptr::from_ref(function), id);
        id
    }

    fn push_function(&mut self, name: &str, system_name: &str, file: &str) -> u64 {
        let id = self.functions.len() as u64 + 1;
        let function = Function {
            id,
            name: self.string(name),
            system_name: self.string(system_name),
            filename: self.string(file),
        };
        self.functions.push(function);
        id
    }

    fn location(&mut self, return_address: u64, lines: &[Line]) -> u64 {
        let known = self.known_locations.entry(return_address).or_default();
        let same = |id: &&u64| self.locations[**id as usize - 1].line == lines;
        if let Some(&id) = known.iter().find(same) {
            return id;
        }
        let id = self.locations.len() as u64 + 1;
        known.push(id);
        // Within the call: the return address may belong to the next line, function or even module.
        let address = return_address.saturating_sub(1);
        let mapping = self
            .mappings
            .iter_mut()
            .find(|mapping| (mapping.memory_start..mapping.memory_limit).contains(&address));
        let mapping_id = mapping.map_or(0, |mapping| {
            // Told that a mapping has names, readers do not look for others, and the frames that were cut stay cut.
            mapping.has_functions |= !lines.is_empty();
            mapping.has_line_numbers |= lines.iter().any(|line| line.line > 0);
            mapping.has_inline_frames |= lines.len() > 1;
            mapping.has_filenames |= lines.iter().any(|line| {
                let function = &self.functions[line.function_id as usize - 1];
                function.filename != 0
            });
            mapping.id
        });
        self.locations.push(Location {
            id,
            mapping_id,
            address,
            line: lines.to_vec(),
        });
        id
    }

    /// A location for words that stand in for frames.
    fn mark(&mut self, words: &'static str) -> u64 {
        if let Some(&known) = self.known_marks.get(words) {
            return known;
        }
        let function_id = self.push_function(words, "", "");
        let id = self.locations.len() as u64 + 1;
        self.locations.push(Location {
            id,
            line: vec![Line {
                function_id,
                line: 0,
            }],
            ..Location::default()
        });
        self.known_marks.insert(words, id);
        id
    }
}
