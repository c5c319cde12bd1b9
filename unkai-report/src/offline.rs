//! Names for a report that was made without them, from the program's files, on any machine.
//!
//! A report notes where each file with code was loaded, and the build id of that file. With the same files, or with
//! their separate debug information, [`name`] finds what
//! [`Report::without_names`](crate::Report::without_names) left out, or what a limit did. A file of another build is never
//! used: its names would be wrong.

mod files;
mod image;
mod lookup;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::modules::{Module, Modules};
use crate::names::printable;
use crate::report::Report;
use crate::units::digits;
use files::Files;

/// Where to look for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    files: Vec<PathBuf>,
    search: bool,
}

impl Options {
    /// At the modules' own paths, and where systems keep separate debug information.
    pub const fn new() -> Self {
        Self {
            files: Vec::new(),
            search: true,
        }
    }

    /// Looks in `file` first: a program, a library, or the separate debug information of one. What it belongs to, its
    /// build id tells. If it has none, it belongs to the modules that have none either and whose file has the same name.
    #[must_use]
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Whether to look elsewhere than in the given files: at the path where the module was loaded from, in
    /// `/usr/lib/debug/.build-id`, and for the file that a module's debug link names.
    #[must_use]
    pub const fn search(mut self, search: bool) -> Self {
        self.search = search;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of each module and each given file. Its [`Display`](fmt::Display) is one line for each thing to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Addresses in call stacks that had no name.
    pub addresses: u64,
    /// How many of them have one now.
    pub named: u64,
    /// How many of them lie in no module of the report.
    pub in_no_module: u64,
    /// The modules that these addresses lie in.
    pub modules: Vec<ModuleOutcome>,
    /// Given files that were not used.
    pub refused: Vec<Refused>,
}

/// What became of one module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleOutcome {
    /// The module's path, as the report has it.
    pub path: String,
    /// The module's build id in hexadecimal, if it has one. Without it, a file is taken for the right one by its name.
    pub build_id: Option<String>,
    /// Addresses in the module that had no name.
    pub addresses: u64,
    /// How many of them have one now.
    pub named: u64,
    /// The files that fit the module, those with the most debug information first.
    pub files: Vec<PathBuf>,
}

/// A file that was given, but not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Why it was not used.
    pub reason: Reason,
}

/// Why a file was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It could not be read; why is said in words.
    Unreadable(String),
    /// It is no ELF program, library or debug information.
    NotElf,
    /// The report has a module whose file has this name, but it is of another build.
    OtherBuild {
        /// Build id of the file in hexadecimal.
        found: Option<String>,
        /// Build id of the module in hexadecimal.
        expected: Option<String>,
    },
    /// No module of the report has its build id or, if it has none, its name.
    NoModule,
}

/// Names those addresses in the call stacks of `report` that have no name yet; all other names stay.
///
/// Nothing fails as a whole: [`Outcome`] says what is missing, and why.
///
/// # Cost
/// As naming in the process that allocated, but with no limit: the tables of one module at a time are in memory, for a
/// program with 230 MB of debug information up to 350 MB with what is mapped of the file. A file that is cut off while
/// it is mapped ends this process.
///
/// ```
/// use std::time::SystemTime;
/// use unkai_core::Snapshot;
/// use unkai_report::{Report, offline};
///
/// let report = Report::without_names(Snapshot::empty(SystemTime::now()));
/// let options = offline::Options::new().file("/no/such/file");
/// let (report, outcome) = offline::name(report, &options);
/// assert!(report.symbols().is_empty());
/// assert!(matches!(outcome.refused[0].reason, offline::Reason::Unreadable(_)));
/// ```
pub fn name(mut report: Report, options: &Options) -> (Report, Outcome) {
    let addresses = report.addresses().into_iter();
    let unnamed: Vec<u64> = addresses
        .filter(|(_, named)| !named)
        .map(|(address, _)| address)
        .collect();
    let mut outcome = Outcome {
        addresses: unnamed.len() as u64,
        ..Outcome::default()
    };
    let modules = report.modules().clone();
    let files = Files::open(&options.files, modules.list(), &mut outcome.refused);
    for ((path, build_id), addresses) in by_file(&modules, &unnamed, &mut outcome) {
        let mappings: Vec<&Module> = modules
            .list()
            .iter()
            .filter(|module| (&module.path, &module.build_id) == (path, build_id))
            .collect();
        let images = files.of(mappings[0], options.search);
        let named = lookup::name(&images, &mappings, &addresses);
        outcome.modules.push(ModuleOutcome {
            path: path.clone(),
            build_id: mappings[0].build_id_text(),
            addresses: addresses.len() as u64,
            named: named.len() as u64,
            files: images.iter().map(|image| image.path().to_owned()).collect(),
        });
        outcome.named += named.len() as u64;
        for (address, functions) in named {
            report.symbols_mut().insert(address, &functions);
        }
    }
    // What it took says nothing of these names, and no limit has stopped them.
    report.symbols_mut().set_cost(None);
    (report, outcome)
}

type FileKey<'a> = (&'a String, &'a Option<Vec<u8>>);

/// `addresses` by the file that they lie in, in whichever of its mappings.
fn by_file<'a>(
    modules: &'a Modules,
    addresses: &[u64],
    outcome: &mut Outcome,
) -> BTreeMap<FileKey<'a>, Vec<u64>> {
    let mut files: BTreeMap<FileKey<'a>, Vec<u64>> = BTreeMap::new();
    for &address in addresses {
        // A call that never returns may be the last instruction of its module.
        match modules.of(address.saturating_sub(1)) {
            Some(module) => files
                .entry((&module.path, &module.build_id))
                .or_default()
                .push(address),
            None => outcome.in_no_module += 1,
        }
    }
    files
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (named, addresses) = (digits(self.named), digits(self.addresses));
        writeln!(
            f,
            "{named} of {addresses} addresses without a name have one now."
        )?;
        for module in self
            .modules
            .iter()
            .filter(|module| module.named < module.addresses)
        {
            let missing = digits(module.addresses - module.named);
            write!(f, "{}: {missing} addresses have no name, ", module.path)?;
            match (&module.files[..], &module.build_id) {
                ([], Some(id)) => writeln!(f, "no file with build id {id} was found.")?,
                ([], None) => writeln!(f, "the file was not found.")?,
                (files, _) => {
                    let files: Vec<String> = files
                        .iter()
                        .map(|file| printable(&file.to_string_lossy()).into_owned())
                        .collect();
                    writeln!(f, "{} does not know them.", files.join(", "))?;
                }
            }
        }
        if self.in_no_module > 0 {
            let addresses = digits(self.in_no_module);
            writeln!(f, "{addresses} addresses lie in no module of the report.")?;
        }
        for refused in &self.refused {
            writeln!(f, "{refused}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |id: &Option<String>| match id {
            Some(id) => format!("build id {id}"),
            None => "no build id".to_owned(),
        };
        let file = self.file.to_string_lossy();
        write!(f, "{} was not used: ", printable(&file))?;
        match &self.reason {
            Reason::Unreadable(why) => write!(f, "it could not be read ({why})."),
            Reason::NotElf => write!(f, "it is no ELF program, library or debug information."),
            Reason::OtherBuild { found, expected } => {
                let (found, expected) = (id(found), id(expected));
                write!(
                    f,
                    "it is another build, with {found}; the report's has {expected}."
                )
            }
            Reason::NoModule => write!(f, "no module of the report is of this build."),
        }
    }
}

/// The last part of a path as text.
fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
