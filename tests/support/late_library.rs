//! Libraries in C that are compiled and loaded while a test runs, and call back.

use std::ffi::{CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of libraries, removed in the end.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("unkai-late-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A library whose one function calls back from a frame with room for so many bytes. `None` without a C compiler.
    pub(crate) fn compile(&self, name: &str, frame: usize, options: &[&str]) -> Option<PathBuf> {
        let source = self.0.join(format!("{name}.c"));
        let library = self.0.join(format!("lib{name}.so"));
        let code = format!(
            "int call_back(int (*f)(void)) {{ volatile char room[{frame}]; room[0] = 1; return f() + room[0]; }}\n"
        );
        std::fs::write(&source, code).unwrap();
        let compiler = std::env::var_os("UNKAI_TEST_CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(compiler)
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .args(options)
            .status();
        compiled
            .is_ok_and(|status| status.success())
            .then_some(library)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind does not matter.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A library that is loaded until this is dropped.
#[derive(Debug)]
pub(crate) struct Library {
    handle: *mut c_void,
    symbol: *mut c_void,
}

impl Library {
    pub(crate) fn load(file: &Path) -> Self {
        let path = CString::new(file.as_os_str().as_bytes()).unwrap();
        // SAFETY: a C string, and a library without constructors.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        // SAFETY: an open library and a C string.
        let symbol = unsafe { libc::dlsym(handle, c"call_back".as_ptr()) };
        assert!(!symbol.is_null());
        Self { handle, symbol }
    }

    /// Calls `f` through the library.
    pub(crate) fn call_back(&self, f: extern "C" fn() -> c_int) {
        // SAFETY: the function was compiled by `Folder` with this signature, and is loaded.
        let call_back: unsafe extern "C" fn(extern "C" fn() -> c_int) -> c_int =
            unsafe { std::mem::transmute(self.symbol) };
        // SAFETY: it does nothing but call `f`, which does not unwind.
        assert_eq!(unsafe { call_back(f) }, 2);
    }

    /// Whether an address is one of this library.
    pub(crate) fn contains(&self, address: u64) -> bool {
        module_of(address) == module_of(self.symbol as u64)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened by `load`, and nothing of it is used any more.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
    }
}

/// Where the module begins that an address belongs to.
fn module_of(address: u64) -> Option<u64> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: any address may be asked for, and there is room for the answer.
    let found = unsafe { libc::dladdr(address as *const c_void, info.as_mut_ptr()) } != 0;
    // SAFETY: the call has succeeded, so there is an answer.
    found.then(|| unsafe { info.assume_init() }.dli_fbase as u64)
}
