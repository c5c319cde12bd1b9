//! Trees of scopes: each format as agreed, all with the same numbers, and none larger than the bounds of the snapshot.

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "prometheus")]
mod prometheus;
mod tree;

use unkai_core::{Bounds, Scope, TreeSnapshot};
use unkai_report::scopes::text;
use unkai_report::units;

use crate::golden::check;
use tree::Tree;

fn text(snapshot: &TreeSnapshot, options: &text::Options) -> String {
    let mut out = Vec::new();
    text::write(snapshot, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("text is UTF-8")
}

/// A scope with so many below it that nobody wants to see them all.
fn crowded() -> (Scope, Vec<Scope>) {
    let process = Scope::root("process")
        .build()
        .expect("nothing is guaranteed");
    let queries = (0..100_000).map(|number| {
        let name = format!("query {number}");
        process.child(&name).build().expect("nothing is guaranteed")
    });
    let queries = queries.collect();
    (process, queries)
}

#[test]
fn the_text_is_as_agreed() {
    let snapshot = Tree::search_service().snapshot();
    let out = text(&snapshot, &text::Options::new());
    check("scopes.txt", out.as_bytes());
    let out = text(&snapshot, &text::Options::new().width(80));
    check("scopes-80.txt", out.as_bytes());
    let widest = out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}");
}

#[test]
fn without_limits_there_are_no_columns_about_them() {
    let process = Scope::root("process")
        .build()
        .expect("nothing is guaranteed");
    let pages = process.try_reserve(3 << 20).expect("there is no limit");
    let out = text(&process.snapshot(Bounds::new()), &text::Options::new());
    assert_eq!(
        out,
        "unkai scopes\n  1 scope\n  Each line includes the scopes below it.\n\n      used      peak  blocks  scope\n  \
         3.00 MiB  3.00 MiB       1  process\n"
    );
    drop(pages);
}

#[test]
fn no_name_reaches_the_terminal_as_a_command() {
    let out = text(&Tree::search_service().snapshot(), &text::Options::new());
    assert!(out.contains("\\u{1b}[31m"));
    let control = |character: &char| character.is_control() && *character != '\n';
    assert_eq!(out.chars().find(control), None);
}

#[test]
fn the_text_shows_every_scope_of_the_snapshot_with_its_numbers() {
    let snapshot = Tree::search_service().snapshot();
    let out = text(&snapshot, &text::Options::new());
    let rows = out.lines().skip(5);
    let numbers = rows.filter(|row| !row.starts_with('≤') && !row.starts_with("          "));
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(numbers.len(), snapshot.scopes().len());
    for (row, scope) in numbers.iter().zip(snapshot.scopes()) {
        let used = units::bytes(scope.used as f64);
        let peak = units::bytes(scope.peak as f64);
        let cell = |from, to| row.chars().skip(from).take(to - from).collect::<String>();
        assert_eq!(cell(2, 10).trim(), used, "{row}");
        assert_eq!(cell(37, 45).trim(), peak, "{row}");
    }
}

#[test]
fn a_hundred_thousand_children_take_as_many_lines_as_the_bounds_allow() {
    let (process, _queries) = crowded();
    let snapshot = process.snapshot(Bounds::new().top(5));
    let out = text(&snapshot, &text::Options::new());
    assert_eq!(out.lines().count(), 5 + 1 + 5 + 1, "{out}");
    assert!(out.contains("└─ … and 99,995 more scopes\n"));
    let alone = process.snapshot(Bounds::new().depth(0));
    let out = text(&alone, &text::Options::new());
    assert!(out.contains("└─ … 100,000 scopes\n"));

    #[cfg(feature = "json")]
    assert!(json::document(&snapshot).len() < 6 * 600);
    #[cfg(feature = "prometheus")]
    {
        let out = prometheus::metrics(&snapshot);
        let series = out.lines().filter(|line| !line.starts_with('#'));
        // Six scopes with ten metrics each, and what is omitted.
        assert_eq!(series.count(), 6 * 10 + 2, "{out}");
        assert!(out.contains("\nunkai_scope_omitted_scopes{scope=\"process\"} 99995\n"));
    }
}

#[test]
fn writing_changes_nothing_in_the_tree() {
    let tree = Tree::search_service();
    let before = tree.snapshot();
    drop(text(&before, &text::Options::new()));
    #[cfg(feature = "json")]
    drop(json::document(&before));
    #[cfg(feature = "prometheus")]
    drop(prometheus::metrics(&before));
    assert_eq!(tree.snapshot(), before);
}

#[test]
fn the_deepest_tree_is_written() {
    let snapshot = tree::deepest();
    let out = text(&snapshot, &text::Options::new());
    assert!(out.contains("└─ level 63"), "{out}");
}
