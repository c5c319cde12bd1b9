//! From what debug information says about a function to a name for people.
//!
//! A symbol's name is demangled, its hash left out. Binaries with line tables only (`debug = "line-tables-only"`) name
//! functions without their path (`push`, not `alloc::vec::Vec::push`); for these the path is read from the source file.

use std::borrow::Cow;

/// A readable name for `raw`: demangled, and led by the module path of `file` if it has no path of its own.
///
/// The path that comes from a file is the crate's folder and the module's file: it has no types in it.
pub(crate) fn readable_name(raw: &str, file: Option<&str>) -> String {
    let name = match rustc_demangle::try_demangle(raw) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => raw.to_owned(),
    };
    // The symbols between the compiler and the allocator have no path in any notation.
    let bare = crate::brackets::segments(&name).len() == 1 && !name.starts_with("__r");
    match file.filter(|_| bare).and_then(module_of_file) {
        Some(module) => format!("{module}::{name}"),
        None => name,
    }
}

/// `text` with every character replaced that would act on a terminal, break a line, turn the direction of the text or hide in
/// it. For whatever comes from elsewhere and is shown as a part of one line.
///
/// Names come out of binaries and documents, which may be damaged or hostile. Those of [`Symbols`](crate::Symbols) and
/// [`Modules`](crate::Modules) are printable already: whoever shows one need not think of it.
///
/// ```
/// assert_eq!(unkai_report::printable("heap\n\u{1b}[31m.json"), "heap\u{fffd}\u{fffd}[31m.json");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(acts) {
        Cow::Owned(text.replace(acts, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn acts(character: char) -> bool {
    let hides = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    character.is_control() || hides
}

/// The crate of the standard library that `file` belongs to, wherever that was compiled.
///
/// Code that its macros and generic functions bring into another crate still has the library's files as its source.
pub(crate) fn standard_crate_of_file(file: &str) -> Option<&'static str> {
    let file = after_standard_library(file)?;
    let krate = match file.split(['/', '\\']).next()? {
        "core" => "core",
        "alloc" => "alloc",
        _ => "std",
    };
    Some(krate)
}

/// The path below the folder of the standard library's crates.
fn after_standard_library(file: &str) -> Option<&str> {
    const DEPENDENCIES: &str = "/rust/deps/";
    let file = file.strip_prefix(DEPENDENCIES).or_else(|| {
        let (before, after) = file
            .split_once("library/")
            .or_else(|| file.split_once("library\\"))?;
        let distributed = before.starts_with("/rustc/")
            || before.ends_with("rustlib/src/rust/")
            || before.ends_with("rustlib\\src\\rust\\");
        distributed.then_some(after)
    })?;
    Some(file)
}

/// The module path that a Rust source file stands for: `alloc::vec` for `…/library/alloc/src/vec/mod.rs`.
fn module_of_file(file: &str) -> Option<String> {
    let file = file.strip_suffix(".rs")?;
    let parts: Vec<&str> = file.split(['/', '\\']).collect();
    let folder = |part: &&str| matches!(*part, "src" | "tests" | "examples" | "benches");
    let at = parts.iter().rposition(folder)?;
    let mut modules: Vec<String> = parts[at + 1..]
        .iter()
        .map(|part| identifier(part))
        .collect();
    let own_crate = parts[at] != "src" || modules.first().is_some_and(|first| first == "bin");
    if own_crate {
        // Each of these files, or each folder beside them, is a crate.
        modules.retain(|module| module != "bin");
    } else if let Some(krate) = at.checked_sub(1).map(|before| parts[before])
        && !matches!(krate, "" | "." | "..")
    {
        modules.insert(0, identifier(without_version(krate)));
    }
    if modules.len() > 1
        && modules
            .last()
            .is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main"))
    {
        modules.pop();
    }
    (!modules.is_empty()).then(|| modules.join("::"))
}

/// `hashbrown` for `hashbrown-0.16.1`.
fn without_version(folder: &str) -> &str {
    match folder.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => folder,
    }
}

fn identifier(part: &str) -> String {
    part.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_hides_text_is_replaced() {
        assert_eq!(printable("a::b<\"&'>"), "a::b<\"&'>");
        assert_eq!(
            printable("a\n\u{1b}[31m\u{202e}b\u{85}\u{7f}"),
            "a\u{fffd}\u{fffd}[31m\u{fffd}b\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn both_manglings_are_readable_and_lose_their_hash() {
        let legacy = "_ZN6my_app5index18Index$LT$K$C$V$GT$3add17h754b150d453f2cc6E";
        assert_eq!(
            readable_name(legacy, None),
            "my_app::index::Index<K,V>::add"
        );
        let v0 = "_RNvNtCs80cf8f2ec9b_6my_app5index3add";
        assert_eq!(readable_name(v0, None), "my_app::index::add");
        let entry = "_RNvCsdBezzDwma51_7___rustc12___rust_alloc";
        assert_eq!(readable_name(entry, None), "__rustc::__rust_alloc");
        assert_eq!(readable_name("malloc", None), "malloc");
    }

    #[test]
    fn a_name_without_path_takes_that_of_its_file() {
        for (raw, file, expected) in [
            (
                "push<u8>",
                "/rustc/5980/library/alloc/src/vec/mod.rs",
                "alloc::vec::push<u8>",
            ),
            (
                "insert<u8>",
                "/rust/deps/hashbrown-0.16.1/src/map.rs",
                "hashbrown::map::insert<u8>",
            ),
            (
                "get",
                "/r/src/mirror-1949/http-body-1.0.0/src/lib.rs",
                "http_body::get",
            ),
            ("work", "/home/me/my-app/src/main.rs", "my_app::work"),
            (
                "add",
                "/home/me/my-app/src/index/mod.rs",
                "my_app::index::add",
            ),
            ("add", "src/index.rs", "index::add"),
            ("work", "/home/me/my-app/src/bin/tool.rs", "tool::work"),
            ("claim", "/home/me/my-app/tests/whole.rs", "whole::claim"),
            (
                "work",
                "C:\\me\\my-app\\src\\index.rs",
                "my_app::index::work",
            ),
            (
                "__rust_alloc",
                "/home/me/my-app/src/main.rs",
                "__rust_alloc",
            ),
            ("start_thread", "./nptl/pthread_create.c", "start_thread"),
            ("my_app::work", "/home/me/other/src/main.rs", "my_app::work"),
            (
                "{closure#0}<T>",
                "/home/me/my-app/src/main.rs",
                "my_app::{closure#0}<T>",
            ),
        ] {
            assert_eq!(readable_name(raw, Some(file)), expected, "{raw} in {file}");
        }
    }

    #[test]
    fn files_of_the_standard_library_are_known_wherever_it_was_compiled() {
        for (file, expected) in [
            ("/rustc/5980/library/alloc/src/vec/mod.rs", Some("alloc")),
            (
                "/rustc/5980/library/std/src/../../backtrace/src/lib.rs",
                Some("std"),
            ),
            (
                "/home/me/.rustup/toolchains/x/lib/rustlib/src/rust/library/core/src/lib.rs",
                Some("core"),
            ),
            ("/rust/deps/hashbrown-0.16.1/src/raw/mod.rs", Some("std")),
            ("/home/me/library/core/src/lib.rs", None),
            ("src/main.rs", None),
        ] {
            assert_eq!(standard_crate_of_file(file), expected, "{file}");
        }
    }
}
