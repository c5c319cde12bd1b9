//! A shared library, from `dlopen` to `dlclose`.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;

/// A library that is loaded until this is dropped, at least.
#[derive(Debug)]
pub(crate) struct Library {
    handle: *mut c_void,
    file: CString,
}

// SAFETY: the loader's functions may be called from any thread, with any handle.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads the library that the example `name` of this package is.
    pub(crate) fn load(name: &str) -> Self {
        let program = std::env::current_exe().expect("the program knows where it is");
        let folder = program.parent().expect("a folder").join("examples");
        let file = folder.join(format!("lib{name}.so"));
        assert!(
            file.exists(),
            "{} is missing: cargo build -p unkai-scenarios --examples",
            file.display()
        );
        let file = CString::new(file.as_os_str().as_bytes()).expect("no zero in a path");
        // SAFETY: a C string; the library's constructors are std's and unkai's.
        let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{}", last_error());
        Self { handle, file }
    }

    /// One of its functions.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function. It must not be called once the library is gone.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &CStr) -> F {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) }
        // SAFETY: an open library and a C string.
        let symbol = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        assert!(!symbol.is_null(), "{}", last_error());
        // SAFETY: of the same size, and the caller vouches for the type.
        unsafe { std::mem::transmute_copy(&symbol) }
    }

    /// Unloads it; `false` if the loader has kept it, as it does while a thread is to run a destructor of its.
    pub(crate) fn unload(self) -> bool {
        let file = self.file.clone();
        drop(self);
        !is_loaded(&file)
    }

    /// The memory in which its code is, by the address of one of its functions.
    pub(crate) fn contains(&self, address: u64, name: &CStr) -> bool {
        // SAFETY: any type of pointer will do for a function that is not called.
        let function: *const c_void = unsafe { self.function(name) };
        begins_at(address) == begins_at(function as u64)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: opened by `load`, closed once.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0, "{}", last_error());
    }
}

fn is_loaded(file: &CStr) -> bool {
    // SAFETY: a C string; nothing is loaded.
    let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return false;
    }
    // SAFETY: opened just now.
    unsafe { libc::dlclose(handle) };
    true
}

/// Where the module begins that an address belongs to.
fn begins_at(address: u64) -> Option<u64> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: any address may be asked for, and there is room for the answer.
    let found = unsafe { libc::dladdr(address as *const c_void, info.as_mut_ptr()) } != 0;
    // SAFETY: the call has succeeded, so there is an answer.
    found.then(|| unsafe { info.assume_init() }.dli_fbase as u64)
}

fn last_error() -> String {
    // SAFETY: no precondition.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return "no error".to_owned();
    }
    // SAFETY: a C string that lives until the next call of the loader on this thread.
    unsafe { CStr::from_ptr(message) }
        .to_string_lossy()
        .into_owned()
}
