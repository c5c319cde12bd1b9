//! The parts of a function's demangled name.
//!
//! Compilers write a function's name in several ways: `alloc::vec::Vec<T,A>::push`, `<alloc::vec::Vec<u8>>::push`,
//! `<alloc::string::String as core::clone::Clone>::clone`, `alloc::slice::<impl [T]>::to_vec`. [`FunctionPath`] takes
//! them apart, tells the crate they come from and writes them in a form that fits a terminal. All of it works on text
//! alone, for any text: a name may come out of a damaged file.

use crate::brackets::{
    plain_segments, segments, split_outside_brackets, type_name, without_generics, without_sigils,
};

/// A function's name, taken apart.
///
/// | name | `home` | `owner` | `interface` | `rest` |
/// |---|---|---|---|---|
/// | `a::b::T<K>::f` | `a`, `b`, `T<K>`, `f` | | | |
/// | `<a::T>::f` | | `a::T` | | `f` |
/// | `<a::T as b::I>::f` | | `a::T` | `b::I` | `f` |
/// | `a::<impl b::I for c::T>::f` | `a` | `c::T` | `b::I` | `f` |
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FunctionPath<'a> {
    home: Vec<&'a str>,
    owner: Option<&'a str>,
    interface: Option<&'a str>,
    rest: Vec<&'a str>,
}

impl<'a> FunctionPath<'a> {
    /// Takes `name` apart. Costs a few allocations and one pass over the name.
    pub(crate) fn parse(name: &'a str) -> Self {
        let mut home = segments(name);
        let bracketed = |segment: &str| segment.starts_with('<') && segment.ends_with('>');
        let qualifier = home.iter().enumerate().position(|(index, segment)| {
            bracketed(segment) && (index == 0 || segment.starts_with("<impl "))
        });
        let Some(at) = qualifier else {
            return Self {
                home,
                owner: None,
                interface: None,
                rest: Vec::new(),
            };
        };
        let rest = home.split_off(at + 1);
        let inner = home
            .pop()
            .map_or("", |segment| &segment[1..segment.len() - 1]);
        let (owner, interface) = match inner.strip_prefix("impl ") {
            Some(inner) => match split_outside_brackets(inner, " for ") {
                Some((interface, owner)) => (owner, Some(interface)),
                None => (inner, None),
            },
            None => match split_outside_brackets(inner, " as ") {
                Some((owner, interface)) => (owner, Some(interface)),
                None => (inner, None),
            },
        };
        Self {
            home,
            owner: Some(owner),
            interface,
            rest,
        }
    }

    /// The crate that the function's code was written in; `None` for names without a path, like those of C functions.
    ///
    /// A method of a trait belongs to the type's crate if that is not the standard library's, because
    /// `<my::Type as core::clone::Clone>::clone` is written in `my`; except for the methods that the standard library
    /// writes for every type.
    pub(crate) fn krate(&self) -> Option<&'a str> {
        if let Some(first) = self.home.first() {
            let alone = self.home.len() == 1 && self.owner.is_none();
            return (!alone).then(|| without_generics(first));
        }
        let owner = self.owner.and_then(|owner| root(owner, 0));
        let Some(interface) = self.interface else {
            // Only the standard library can write inherent methods of `str`, `[T]` and other primitive types.
            return owner.or(Some("core"));
        };
        let interface = root(interface, 0).unwrap_or("core");
        if is_standard(interface) && self.is_written_by_std_for_every_type() {
            return Some(interface);
        }
        match owner {
            Some(owner) if !is_standard(owner) => Some(owner),
            Some(owner) if is_standard(interface) => Some(owner),
            _ => Some(interface),
        }
    }

    /// The path without generic parameters: of the owning type and the method where the name has an owner.
    pub(crate) fn plain(&self) -> String {
        let mut parts = match self.owner {
            Some(owner) => plain_segments(owner),
            None => Vec::new(),
        };
        if parts.is_empty() {
            parts = self
                .home
                .iter()
                .map(|segment| without_generics(segment))
                .collect();
        }
        parts.extend(self.rest.iter().map(|segment| without_generics(segment)));
        parts.retain(|segment| !segment.is_empty());
        parts.join("::")
    }

    /// The path of the trait without generic parameters, if the function is a trait's method.
    pub(crate) fn plain_interface(&self) -> Option<String> {
        self.interface
            .map(|interface| plain_segments(interface).join("::"))
    }

    /// The last part of the name, without generic parameters: the function's own name.
    pub(crate) fn last(&self) -> &'a str {
        let named = |segment: &&&'a str| !segment.starts_with('<') && !segment.starts_with('{');
        let segment = self.rest.iter().rev().find(named).or_else(|| {
            self.home
                .iter()
                .rev()
                .find(named)
                .filter(|_| self.owner.is_none())
        });
        segment.map_or("", |segment| without_generics(segment))
    }

    /// The name for people who know the crate: whole path, no generic parameters, the trait's name alone.
    pub(crate) fn readable(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        match (self.owner, self.interface) {
            (Some(owner), Some(interface)) => {
                parts.extend(
                    self.home
                        .iter()
                        .map(|segment| without_generics(segment).to_owned()),
                );
                let owner = match root(owner, 0) {
                    Some(krate) if !is_standard(krate) => plain_segments(owner).join("::"),
                    _ => type_name(owner),
                };
                parts.push(format!("<{owner} as {}>", type_name(interface)));
            }
            (Some(owner), None) => match root(owner, 0) {
                Some(_) => parts.push(plain_segments(owner).join("::")),
                None => parts.push(type_name(owner)),
            },
            (None, _) => {
                parts.extend(
                    self.home
                        .iter()
                        .map(|segment| without_generics(segment).to_owned()),
                );
            }
        }
        parts.extend(
            self.rest
                .iter()
                .map(|segment| without_generics(segment).to_owned()),
        );
        parts.retain(|part| !part.is_empty());
        parts
            .iter()
            .map(|part| tidy(part))
            .collect::<Vec<_>>()
            .join("::")
    }

    /// The name for people who know the library: type and method, `Vec::push`.
    pub(crate) fn brief(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        let owner = match (self.owner, self.interface) {
            // A type parameter or a type of the program says less than the trait.
            (Some(owner), Some(interface)) => {
                let foreign = root(owner, 0).is_some_and(|krate| !is_standard(krate));
                let parameter = root(owner, 0).is_none()
                    && owner.starts_with(char::is_uppercase)
                    && !owner.contains(' ');
                Some(type_name(if foreign || parameter {
                    interface
                } else {
                    owner
                }))
            }
            (Some(owner), None) => Some(type_name(owner)),
            (None, _) => None,
        };
        match &owner {
            Some(owner) => parts.push(owner),
            None => parts.extend(self.home.iter().map(|segment| without_generics(segment))),
        }
        parts.extend(self.rest.iter().map(|segment| without_generics(segment)));
        parts.retain(|part| !part.is_empty());
        let closures = parts
            .iter()
            .rev()
            .take_while(|part| part.starts_with('{'))
            .count();
        let keep = parts.len().min(2 + closures);
        let shown = parts.split_off(parts.len() - keep);
        shown.into_iter().map(tidy).collect::<Vec<_>>().join("::")
    }

    /// Methods with a body in the standard library that are instantiated under the name of the program's type.
    fn is_written_by_std_for_every_type(&self) -> bool {
        let interface = self.interface.map(type_name).unwrap_or_default();
        let method = self.last();
        match interface.as_str() {
            "ToString" | "SpecToString" | "Into" | "TryInto" | "ToOwned" | "Any" => true,
            "FnOnce" | "FnMut" | "Fn" => true,
            "Iterator" => !matches!(method, "next" | "size_hint"),
            "DoubleEndedIterator" => method != "next_back",
            "Read" => method != "read",
            "Write" => !matches!(method, "write" | "flush" | "write_str"),
            "BufRead" => !matches!(method, "fill_buf" | "consume"),
            _ => false,
        }
    }
}

/// Whether `krate` is the standard library or a part of its collections.
pub(crate) fn is_standard(krate: &str) -> bool {
    matches!(
        krate,
        "std" | "core" | "alloc" | "hashbrown" | "proc_macro" | "allocator_api2"
    )
}

/// The crate in which the path `text` starts; `None` for primitive types and type parameters.
fn root(text: &str, depth: usize) -> Option<&str> {
    let text = without_sigils(text);
    if text.starts_with('<') && depth < MAX_NESTING {
        let path = FunctionPath::parse(text);
        return path.owner.and_then(|owner| root(owner, depth + 1));
    }
    if text.starts_with(['[', '(', '<']) {
        return None;
    }
    let (first, _) = split_outside_brackets(text, "::")?;
    Some(without_generics(first))
}

/// One notation for closures.
fn tidy(part: &str) -> &str {
    if part == "{{closure}}" {
        "{closure}"
    } else {
        part
    }
}

/// Types nested deeper than this in each other's methods have no known crate.
const MAX_NESTING: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(name: &str) -> Option<String> {
        FunctionPath::parse(name).krate().map(str::to_owned)
    }

    #[test]
    fn the_crate_of_real_names_is_found() {
        for (name, expected) in [
            // As demangled from legacy symbols.
            ("my_app::index::Index<K,V>::add", "my_app"),
            ("my_app::main::{{closure}}", "my_app"),
            ("alloc::raw_vec::RawVec<T,A>::grow_one", "alloc"),
            ("alloc::vec::Vec<T,A>::push", "alloc"),
            ("alloc::slice::<impl [T]>::to_vec", "alloc"),
            (
                "alloc::str::<impl alloc::slice::Join<&str> for [S]>::join",
                "alloc",
            ),
            (
                "<alloc::string::String as core::clone::Clone>::clone",
                "alloc",
            ),
            ("<T as alloc::string::ToString>::to_string", "alloc"),
            (
                "<T as alloc::slice::<impl [T]>::to_vec_in::ConvertVec>::to_vec",
                "alloc",
            ),
            ("<my_app::Foo as core::clone::Clone>::clone", "my_app"),
            (
                "<my_app::It as core::iter::traits::iterator::Iterator>::next",
                "my_app",
            ),
            (
                "my_app::<impl core::convert::From<my_app::Foo> for alloc::string::String>::from",
                "my_app",
            ),
            ("hashbrown::map::HashMap<K,V,S,A>::insert", "hashbrown"),
            (
                "std::thread::lifecycle::spawn_unchecked::{{closure}}::{{closure}}",
                "std",
            ),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core",
            ),
            // As demangled from v0 symbols.
            (
                "<my_app::index::Index<alloc::string::String, u32>>::add",
                "my_app",
            ),
            ("<alloc::vec::Vec<usize>>::push", "alloc"),
            (
                "<alloc::raw_vec::RawVecInner<_>>::reserve::do_reserve_and_handle::<A>",
                "alloc",
            ),
            ("<[u8]>::to_vec_in::<alloc::alloc::Global>", "core"),
            ("<str>::to_uppercase", "core"),
            (
                "<u8 as <[_]>::to_vec_in::ConvertVec>::to_vec::<alloc::alloc::Global>",
                "core",
            ),
            (
                "<my_app::Foo as alloc::string::ToString>::to_string",
                "alloc",
            ),
            (
                "<my_app::Foo as core::convert::Into<alloc::string::String>>::into",
                "core",
            ),
            (
                "<my_app::It as core::iter::traits::iterator::Iterator>::collect::<u8>",
                "core",
            ),
            (
                "<my_app::main::{closure#0} as core::ops::function::FnOnce<()>>::call_once",
                "core",
            ),
            (
                "<alloc::vec::Vec<my_app::Foo> as core::clone::Clone>::clone",
                "alloc",
            ),
            (
                "<alloc::vec::Vec<u8> as serde::ser::Serialize>::serialize::<my_app::S>",
                "serde",
            ),
            (
                "<&my_app::Foo as core::iter::traits::collect::IntoIterator>::into_iter",
                "my_app",
            ),
            (
                "<fn() as core::ops::function::FnOnce<()>>::call_once",
                "core",
            ),
            (
                "<std::thread::lifecycle::spawn_unchecked<my_app::main::{closure#1}, \
                 ()>::{closure#1} as core::ops::function::FnOnce<()>>::call_once::{shim:vtable#0}",
                "core",
            ),
            (
                "<&dyn core::ops::function::Fn<(), Output = i32> + core::marker::Sync as \
                 core::ops::function::FnOnce<()>>::call_once",
                "core",
            ),
            ("<std::sys::thread::unix::Thread>::new::thread_start", "std"),
            (
                "<<std::sys::backtrace::Lock>::print::Shown as core::fmt::Display>::fmt",
                "std",
            ),
        ] {
            assert_eq!(krate(name).as_deref(), Some(expected), "{name}");
        }
        for name in ["malloc", "_start", "__libc_start_main_impl", "clone3", ""] {
            assert_eq!(krate(name), None, "{name}");
        }
    }

    #[test]
    fn readable_names_keep_the_path_and_drop_the_parameters() {
        for (name, expected) in [
            (
                "my_app::index::Index<K,V>::add",
                "my_app::index::Index::add",
            ),
            (
                "<my_app::index::Index<alloc::string::String, u8>>::add",
                "my_app::index::Index::add",
            ),
            (
                "my_app::run::<my_app::Foo>::{closure#0}",
                "my_app::run::{closure#0}",
            ),
            ("my_app::run::{{closure}}", "my_app::run::{closure}"),
            (
                "<my_app::Foo<T> as core::clone::Clone>::clone",
                "<my_app::Foo as Clone>::clone",
            ),
            (
                "my_app::<impl core::convert::From<my_app::Foo> for alloc::string::String>::from",
                "my_app::<String as From>::from",
            ),
            ("my_app::call::<fn(u8) -> u8>::inner", "my_app::call::inner"),
            ("malloc", "malloc"),
            ("<[u8]>::to_vec", "slice::to_vec"),
        ] {
            assert_eq!(FunctionPath::parse(name).readable(), expected, "{name}");
        }
    }

    #[test]
    fn brief_names_are_type_and_method() {
        for (name, expected) in [
            ("alloc::vec::Vec<T,A>::push", "Vec::push"),
            ("<alloc::vec::Vec<usize>>::push", "Vec::push"),
            ("alloc::vec::push<usize, alloc::alloc::Global>", "vec::push"),
            (
                "<alloc::string::String as core::clone::Clone>::clone",
                "String::clone",
            ),
            (
                "<T as alloc::string::ToString>::to_string",
                "ToString::to_string",
            ),
            (
                "<my_app::Foo as alloc::string::ToString>::to_string",
                "ToString::to_string",
            ),
            ("alloc::slice::<impl [T]>::to_vec", "slice::to_vec"),
            ("<[u8]>::to_vec", "slice::to_vec"),
            ("<str as alloc::borrow::ToOwned>::to_owned", "str::to_owned"),
            (
                "alloc::str::<impl alloc::borrow::ToOwned for str>::to_owned",
                "str::to_owned",
            ),
            (
                "std::collections::hash::map::HashMap<K,V,S,A>::insert",
                "HashMap::insert",
            ),
            (
                "core::iter::traits::iterator::Iterator::collect",
                "Iterator::collect",
            ),
            (
                "<my_app::It as core::iter::traits::iterator::Iterator>::collect::<u8>",
                "Iterator::collect",
            ),
            ("alloc::fmt::format::{{closure}}", "fmt::format::{closure}"),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "FnOnce::call_once",
            ),
        ] {
            assert_eq!(FunctionPath::parse(name).brief(), expected, "{name}");
        }
    }

    #[test]
    fn odd_text_is_taken_apart_without_panic() {
        let deep = format!("{}a{}::f", "<".repeat(10_000), ">".repeat(10_000));
        for name in [
            "",
            "<",
            ">",
            "<>",
            "<impl >",
            "::",
            "a::",
            "<a as >::b",
            "é::<ü>::ß",
            "}}",
            &deep,
        ] {
            let path = FunctionPath::parse(name);
            let _ = (
                path.krate(),
                path.plain(),
                path.plain_interface(),
                path.last(),
            );
            let _ = (path.readable(), path.brief());
        }
    }
}
