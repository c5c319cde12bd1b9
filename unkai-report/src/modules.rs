//! The executable and the libraries of a process: where each was loaded, and which build of it.
//!
//! Addresses mean nothing outside of their process. With the module that an address lies in, and the module's build id,
//! any machine that has the same file can tell its name.

use std::fs::File;
use std::path::Path;
use std::{fs, io};

use object::read::ReadCache;
use object::{BinaryFormat, Object, ObjectKind};

use crate::names::printable;

/// A stretch of memory that holds code of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// First address.
    pub start: u64,
    /// The address behind the last.
    pub end: u64,
    /// Where in the file the stretch begins, in bytes.
    pub file_offset: u64,
    /// The file, as the system names it.
    pub path: String,
    /// What the linker put into the file to tell its builds apart, if it did.
    pub build_id: Option<Vec<u8>>,
}

impl Module {
    /// Code of the file at `path`, from `file_offset` on, at the addresses from `start` up to `end`.
    pub fn new(start: u64, end: u64, file_offset: u64, path: impl AsRef<str>) -> Self {
        Self {
            start,
            end,
            file_offset,
            path: printable(path.as_ref()).into_owned(),
            build_id: None,
        }
    }

    /// The build id in hexadecimal, as tools write it.
    pub fn build_id_text(&self) -> Option<String> {
        let bytes = self.build_id.as_ref()?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The modules of a process, in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules {
    list: Vec<Module>,
}

impl Modules {
    /// The modules of this process that hold code, the executable first.
    ///
    /// Reads Linux's list of mappings, and a few hundred bytes of each file: together less than a millisecond. On other
    /// systems there are none, and files that cannot be read have no build id.
    pub fn of_this_process() -> Self {
        // Names of files may be any bytes.
        let list = fs::read("/proc/self/maps").unwrap_or_default();
        let mut list = code_mappings(&String::from_utf8_lossy(&list));
        let executable = fs::read_link("/proc/self/exe").unwrap_or_default();
        let executable = printable(&executable.to_string_lossy()).into_owned();
        let mut known: Option<(String, Option<Vec<u8>>)> = None;
        for module in &mut list {
            let build_id = match &known {
                // The stretches of a file follow each other.
                Some((path, build_id)) if *path == module.path => build_id.clone(),
                // The link leads to the very file that runs, even if another has taken its place.
                _ if module.path == executable => build_id(Path::new("/proc/self/exe")),
                _ => build_id(Path::new(&module.path)),
            };
            known = Some((module.path.clone(), build_id.clone()));
            module.build_id = build_id;
        }
        let mut modules = Self { list };
        modules.put_first(&executable);
        modules
    }

    /// The modules in ascending order of addresses, but the executable first if it is known.
    pub fn list(&self) -> &[Module] {
        &self.list
    }

    /// The module that `address` lies in.
    pub fn of(&self, address: u64) -> Option<&Module> {
        let holds = |module: &&Module| (module.start..module.end).contains(&address);
        self.list.iter().find(holds)
    }

    /// The name of the first module's file: of the executable, if that is known.
    #[cfg_attr(
        not(any(feature = "json", feature = "flamegraph")),
        expect(dead_code, reason = "only these name the program")
    )]
    pub(crate) fn program_name(&self) -> Option<&str> {
        let path = &self.list.first()?.path;
        path.rsplit(['/', '\\']).next()
    }

    fn put_first(&mut self, executable: &str) {
        // A stable sort: the others stay as they are.
        self.list.sort_by_key(|module| module.path != executable);
    }
}

impl FromIterator<Module> for Modules {
    fn from_iter<I: IntoIterator<Item = Module>>(modules: I) -> Self {
        Self {
            list: modules.into_iter().collect(),
        }
    }
}

/// The build id of an ELF file; `None` if it has none, or cannot be read.
pub(crate) fn build_id(path: &Path) -> Option<Vec<u8>> {
    let is_file = |file: &File| -> io::Result<bool> { Ok(file.metadata()?.is_file()) };
    let file = File::open(path)
        .ok()
        .filter(|file| is_file(file).unwrap_or(false))?;
    // Reads no more of the file than it is asked for.
    let cache = ReadCache::new(file);
    let object = object::File::parse(&cache).ok()?;
    let is_module = object.format() == BinaryFormat::Elf
        && matches!(object.kind(), ObjectKind::Executable | ObjectKind::Dynamic);
    let id = object.build_id().ok().flatten().filter(|_| is_module)?;
    (!id.is_empty() && id.len() <= LONGEST_BUILD_ID).then(|| id.to_vec())
}

/// The mappings of `/proc/self/maps` that hold code of a file.
pub(crate) fn code_mappings(list: &str) -> Vec<Module> {
    list.lines().filter_map(code_mapping).collect()
}

/// `55e0-55f0 r-xp 00010000 08:01 1234    /usr/bin/program`
fn code_mapping(line: &str) -> Option<Module> {
    let mut rest = line;
    let mut field = || {
        let (field, behind) = rest.split_once(' ')?;
        rest = behind.trim_start();
        Some(field)
    };
    let (range, rights, offset) = (field()?, field()?, field()?);
    let (_device, _inode) = (field()?, field()?);
    let path = rest;
    if !rights.contains('x') || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    Some(Module::new(
        number(start)?,
        number(end)?,
        number(offset)?,
        path,
    ))
}

/// Linkers make 8 to 32 bytes.
const LONGEST_BUILD_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_without_code_or_without_a_file_are_left_out() {
        let list = "\
            7f00-7f10 r--p 00000000 08:01 11  /usr/lib/libc.so.6\n\
            7f10-7f80 r-xp 00001000 08:01 11  /usr/lib/libc.so.6\n\
            8000-8010 r-xp 00000000 00:00 0 \n\
            9000-9010 r-xp 00000000 00:00 0   [vdso]\n\
            a000-a010 r-xp 00002000 08:01 12  /opt/my program (deleted)\n\
            nonsense\n";
        let modules = code_mappings(list);
        let expected = [
            Module::new(0x7f10, 0x7f80, 0x1000, "/usr/lib/libc.so.6"),
            Module::new(0xa000, 0xa010, 0x2000, "/opt/my program (deleted)"),
        ];
        assert_eq!(modules, expected);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_knows_its_executable_and_where_this_function_is() {
        let modules = Modules::of_this_process();
        let here = this_process_knows_its_executable_and_where_this_function_is as *const () as u64;
        let module = modules.of(here).expect("code lies in a module");
        let executable = std::env::current_exe().expect("Linux says");
        assert_eq!(Path::new(&module.path), executable);
        assert_eq!(modules.list()[0].path, module.path);
        assert_eq!(modules.of(0), None);
        assert_eq!(module.build_id, build_id(&executable));
    }

    /// One name that is not UTF-8, of any file that is mapped, hid all modules.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_whose_name_is_no_text_knows_its_modules() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::process::CommandExt;
        use std::process::Command;

        const CHILD: &str = "UNKAI_TEST_CHILD";
        let own = std::env::current_exe().expect("Linux says");
        if std::env::var_os(CHILD).is_some() {
            let modules = Modules::of_this_process();
            let here = a_program_whose_name_is_no_text_knows_its_modules as *const () as u64;
            let module = modules.of(here).expect("code lies in a module");
            assert_eq!(modules.list()[0].path, module.path);
            assert!(
                module.path.ends_with("/a\u{fffd}program"),
                "{}",
                module.path
            );
            assert_eq!(module.build_id, build_id(&own));
            return;
        }
        let folder = tempfile::tempdir().expect("there is room");
        let copy = folder.path().join(OsStr::from_bytes(b"a\xe4program"));
        fs::copy(&own, &copy).expect("there is room");
        let test = "modules::tests::a_program_whose_name_is_no_text_knows_its_modules";
        let mut child = Command::new(&copy);
        // The test's own harness wants text for the name by which it was called.
        child.arg0("child").args(["--exact", test]).env(CHILD, "1");
        let output = child.output().expect("it can be run");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 passed"), "{said}");
    }

    #[test]
    fn what_is_no_module_has_no_build_id() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules.rs");
        for path in [
            &source,
            Path::new("/"),
            Path::new("/dev/zero"),
            Path::new("/no/such/file"),
        ] {
            assert_eq!(build_id(path), None);
        }
    }
}
