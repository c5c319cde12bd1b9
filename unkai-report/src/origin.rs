//! Who wrote a function: the program, the standard library, the allocator, unkai or the runtime.
//!
//! This is decided once for each function, from its name and source file; trimming and site names rest on it.

use crate::names::standard_crate_of_file;
use crate::path::{FunctionPath, is_standard};

/// What part of a program a function belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The program's own code or that of a crate it uses.
    Program,
    /// The standard library or its collections.
    Library,
    /// Code that may stand between any other kinds: calls of closures, access to thread-locals, unwinders.
    Glue,
    /// What starts a program or a thread, or catches its panic.
    Runtime,
    /// The library's mark for where a thread's own code begins.
    Start,
    /// Between a collection and the allocator.
    Plumbing,
    /// What all allocations of Rust code go through, symbols or the global allocator's trait: what lies inside is allocator.
    AllocatorEntry,
    /// unkai itself.
    Profiler,
}

impl Origin {
    /// The origin of the function `name`, as demangled, with the source `file`, if known.
    pub(crate) fn of(name: &str, file: Option<&str>) -> Self {
        let path = FunctionPath::parse(name);
        let last = path.last();
        if is_allocator_entry(last) {
            return Self::AllocatorEntry;
        }
        if last == "__rust_begin_short_backtrace" {
            return Self::Start;
        }
        let Some(krate) = file
            .and_then(standard_crate_of_file)
            .or_else(|| path.krate())
        else {
            return Self::of_c_function(name);
        };
        if matches!(
            krate,
            "unkai" | "unkai_core" | "unkai_global" | "unkai_allocator"
        ) {
            return Self::Profiler;
        }
        let plain = path.plain();
        let interface = path.plain_interface().unwrap_or_default();
        let trait_name = interface.rsplit("::").next().unwrap_or_default();
        let starts = |prefixes: &[&str]| {
            prefixes
                .iter()
                .any(|prefix| plain.starts_with(prefix) || interface.starts_with(prefix))
        };
        if starts(UNWINDERS) {
            return Self::Glue;
        }
        // `__rust_alloc` often leaves no frame: it ends in a jump to this.
        if trait_name == "GlobalAlloc" {
            return Self::AllocatorEntry;
        }
        if trait_name == "Allocator" || starts(PLUMBING) {
            return Self::Plumbing;
        }
        if !is_standard(krate) {
            return Self::Program;
        }
        if starts(RUNTIME) {
            return Self::Runtime;
        }
        if starts(GLUE) {
            Self::Glue
        } else {
            Self::Library
        }
    }

    /// Whether the program's authors would call the function theirs.
    pub(crate) fn is_program(self) -> bool {
        self == Self::Program
    }

    fn of_c_function(name: &str) -> Self {
        if C_RUNTIME.contains(&name) || name.starts_with("__libc_start") {
            return Self::Runtime;
        }
        let prefixes = [
            "mi_",
            "_mi_",
            "je_",
            "_rjem_",
            "tc_",
            "__libc_m",
            "__libc_calloc",
        ];
        if C_ALLOCATOR.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            return Self::Plumbing;
        }
        Self::Program
    }
}

fn is_allocator_entry(last: &str) -> bool {
    let last = last.strip_prefix("__r").unwrap_or_default();
    let method = ["ust_", "g_", "dl_"]
        .iter()
        .find_map(|prefix| last.strip_prefix(prefix));
    matches!(
        method,
        Some("alloc" | "alloc_zeroed" | "realloc" | "dealloc")
    )
}

/// Starts of paths between a collection and the allocator.
const PLUMBING: &[&str] = &[
    "alloc::alloc::",
    "alloc::raw_vec::",
    "core::alloc::",
    "std::alloc::",
    "hashbrown::raw::",
    "hashbrown::alloc::",
    "allocator_api2::stable::alloc::",
    "allocator_api2::stable::raw_vec::",
];

/// Starts of paths that run a program, a thread or a `catch_unwind`.
const RUNTIME: &[&str] = &[
    "std::rt::",
    "std::panicking::",
    "std::panic::catch_unwind",
    "core::panic::unwind_safe::",
    "std::thread::lifecycle::",
    "std::thread::Builder::spawn_unchecked",
    "std::sys::thread",
    "std::sys::pal::unix::thread",
    "std::sys::pal::windows::thread",
    "std::sys::backtrace::",
    "std::sys_common::backtrace::",
];

/// Starts of paths of library code that only passes on to a closure.
const GLUE: &[&str] = &[
    "core::ops::function::",
    "alloc::boxed::call_once",
    "std::thread::local::",
    "core::option::",
    "core::result::",
    "core::hint::",
];

/// Starts of paths by which unkai takes call stacks.
const UNWINDERS: &[&str] = &["backtrace::backtrace::", "framehop::"];

/// C functions below the first Rust function of a thread.
const C_RUNTIME: &[&str] = &[
    "_start",
    "call_init",
    "_dl_init",
    "start",
    "main",
    "_main",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "start_thread",
    "thread_start",
    "_pthread_start",
    "__rust_try",
    "__rust_maybe_catch_panic",
    "BaseThreadInitThunk",
    "RtlUserThreadStart",
    "__scrt_common_main_seh",
    "invoke_main",
    "mainCRTStartup",
];

/// C functions that allocate.
const C_ALLOCATOR: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn all_are(origin: Origin, names: &[&str]) {
        for name in names {
            assert_eq!(Origin::of(name, None), origin, "{name}");
        }
    }

    #[test]
    fn the_way_into_the_allocator_is_recognised_in_both_manglings() {
        all_are(
            Origin::AllocatorEntry,
            &[
                "__rust_alloc",
                "__rustc::__rust_alloc",
                "__rustc::__rust_realloc",
            ],
        );
        all_are(
            Origin::AllocatorEntry,
            &[
                "__rust_alloc_zeroed",
                "__rg_alloc",
                "my_app::_::__rg_realloc",
                "__rdl_alloc",
                "<my_app::A as core::alloc::global::GlobalAlloc>::alloc",
            ],
        );
        all_are(
            Origin::Plumbing,
            &[
                "alloc::alloc::alloc",
                "alloc::alloc::exchange_malloc",
                "alloc::alloc::Global::alloc_impl",
                "<alloc::alloc::Global>::alloc_impl_runtime",
                "<alloc::alloc::Global as core::alloc::Allocator>::allocate",
                "core::alloc::global::GlobalAlloc::alloc_zeroed",
                "alloc::raw_vec::RawVec<T,A>::grow_one",
                "<alloc::raw_vec::RawVecInner<_>>::reserve::do_reserve_and_handle::<A>",
                "alloc::raw_vec::grow_one<usize, alloc::alloc::Global>",
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                "<hashbrown::raw::RawTableInner>::resize_inner::<alloc::alloc::Global>",
                "hashbrown::raw::alloc::inner::do_alloc::<alloc::alloc::Global>",
                "hashbrown::alloc::inner::do_alloc",
                "allocator_api2::stable::alloc::global::Global::alloc_impl",
                "<my_app::Arena as allocator_api2::stable::alloc::Allocator>::allocate",
                "malloc",
                "posix_memalign",
                "mi_malloc_aligned",
                "_rjem_mallocx",
            ],
        );
        all_are(
            Origin::Profiler,
            &[
                "unkai_core::tracker::Tracker::on_sample",
                "<unkai_global::alloc::Unkai<A>>::record",
                "<unkai_global::UnkaiGlobalAlloc<A> as core::fmt::Debug>::fmt",
                "unkai::something",
            ],
        );
    }

    #[test]
    fn collections_are_library_and_not_plumbing() {
        all_are(
            Origin::Library,
            &[
                "alloc::vec::Vec<T,A>::push",
                "<alloc::vec::Vec<usize>>::push",
                "<alloc::string::String as core::clone::Clone>::clone",
                "<T as alloc::string::ToString>::to_string",
                "<my_app::Foo as alloc::string::ToString>::to_string",
                "alloc::slice::<impl [T]>::to_vec",
                "alloc::boxed::Box<T>::new",
                "alloc::boxed::box_new_uninit",
                "hashbrown::map::HashMap<K,V,S,A>::insert",
                "std::collections::hash::map::HashMap<K,V,S,A>::insert",
                "core::iter::traits::iterator::Iterator::collect",
                "alloc::fmt::format::format_inner",
                "<str>::to_uppercase",
            ],
        );
    }

    #[test]
    fn the_programs_own_code_is_recognised_under_any_trait() {
        all_are(
            Origin::Program,
            &[
                "my_app::work",
                "my_app::main::{{closure}}",
                "<my_app::Foo as core::clone::Clone>::clone",
                "<my_app::It as core::iter::traits::iterator::Iterator>::next",
                "my_app::<impl core::convert::From<my_app::Foo> for alloc::string::String>::from",
                "unkai_like::work",
                "alloc_more::raw_vec::grow",
                "tokio::runtime::task::raw::poll",
                "sqlite3_step",
            ],
        );
    }

    #[test]
    fn the_source_file_decides_where_the_name_is_ambiguous() {
        let name = "<my_app::It as my_app::Walk>::each";
        let library = "/rustc/5980/library/core/src/iter/traits/iterator.rs";
        assert_eq!(Origin::of(name, Some(library)), Origin::Library);
        assert_eq!(Origin::of(name, Some("src/main.rs")), Origin::Program);
    }

    #[test]
    fn the_start_of_programs_and_threads_is_runtime() {
        all_are(
            Origin::Runtime,
            &[
                "_start",
                "main",
                "__libc_start_call_main",
                "__libc_start_main_impl",
                "std::rt::lang_start",
                "std::rt::lang_start::<()>::{closure#0}",
                "std::panicking::catch_unwind::do_call::<fn(), ()>",
                "std::panicking::try",
                "std::panic::catch_unwind",
                "<core::panic::unwind_safe::AssertUnwindSafe<F> as core::ops::function::FnOnce<()>>::call_once",
                "std::thread::lifecycle::spawn_unchecked::{{closure}}::{{closure}}",
                "std::thread::Builder::spawn_unchecked_::{{closure}}",
                "<std::sys::thread::unix::Thread>::new::thread_start",
                "std::sys::pal::unix::thread::Thread::new::thread_start",
                "__rust_try",
                "start_thread",
                "clone3",
            ],
        );
        all_are(
            Origin::Start,
            &[
                "std::sys::backtrace::__rust_begin_short_backtrace",
                "std::sys::backtrace::__rust_begin_short_backtrace::<fn(), ()>",
                "test::__rust_begin_short_backtrace",
            ],
        );
        all_are(
            Origin::Glue,
            &[
                "core::ops::function::FnOnce::call_once",
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "<my_app::main::{closure#0} as core::ops::function::FnOnce<()>>::call_once",
                "<alloc::boxed::Box<dyn core::ops::function::FnOnce<()>> as core::ops::function::FnOnce<()>>::call_once",
                "std::thread::local::LocalKey<T>::with",
            ],
        );
    }
}
