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
    let ends = builder.add(&report, &mut strings);
    let stacks = builder.finish(&mut strings);
    assert_eq!(ends, [2, 3, 4, 2]);
    assert_eq!(stacks.nodes.up, [0, 1, 1, 2, 3]);
    assert_eq!(stacks.nodes.back, [0, 0, 0, 0, 0]);
    assert_eq!(stacks.frames.function, [3, 1, 2, 0]);
    assert_eq!(stacks.functions.shared, [0, 0, 5, 5]);
    assert_eq!(stacks.functions.rest, ["0x9", "app::a", "b", "main"]);
}

#[test]
fn short_names_are_written_where_the_script_could_not_derive_them() {
    let symbols = Symbols::of_names([
        (1, "app::Map<K,V>::insert::<u8>"),
        (2, "<app::It as core::iter::Iterator>::next"),
        (3, "app::ünï"),
        (4, "app::ünö"),
    ]);
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sites.push(Site::new(2, vec![1, 2, 3, 4]));
    let report = Report::from_parts(snapshot, symbols);
    let (mut builder, mut strings) = (Builder::new(), Strings::new());
    builder.add(&report, &mut strings);
    let functions = builder.finish(&mut strings).functions;
    assert_eq!(functions.short.function, [0]);
    assert_eq!(
        without_generics("app::Map<K,V>::insert::<u8>"),
        "app::Map::insert"
    );
    let short = functions.short.string[0] as usize;
    assert_eq!(strings.list[short], "<app::It as Iterator>::next");
    assert_eq!(last_two("app::Map::insert"), "Map::insert");
    assert_eq!(last_two("main"), "main");
    // Letters of two bytes are one unit for a script, and are not torn apart.
    assert_eq!(functions.shared, [0, 0, 5, 7]);
    assert_eq!(functions.rest[3], "ö");
}

#[test]
fn a_frame_that_was_met_before_is_found_behind_the_next_new_one() {
    let symbols = Symbols::of_names([(1, "app::a"), (2, "app::b"), (3, "app::main")]);
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sites.push(Site::new(2, vec![1, 3]));
    snapshot.sites.push(Site::new(3, vec![3, 1]));
    let report = Report::from_parts(snapshot, symbols);
    let (mut builder, mut strings) = (Builder::new(), Strings::new());
    builder.add(&report, &mut strings);
    let stacks = builder.finish(&mut strings);
    assert_eq!(stacks.nodes.up, [0, 1, 1, 3, 1]);
    assert_eq!(stacks.nodes.back, [0, 0, 0, 1, 2]);
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
