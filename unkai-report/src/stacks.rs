//! Readable call stacks with their live bytes, in the form that `report_symbol` has always had.

use std::fmt::Write;

use unkai_core::{Site, Snapshot, aside};

use crate::report::{Frame, INNER_MISSING, OUTER_MISSING, call_stack, stand_in};
use crate::symbols::Symbols;
use crate::trim::trim;

/// The call stacks of `snapshot` that have live bytes, as text, with the estimate of these bytes; the largest first.
///
/// A stack has one line for each frame, innermost first: `path/file.rs:123 @ crate::module::function`. What is not known
/// is `??`. Frames of the allocator and of the runtime are left out, those of the standard library stay. The estimate is
/// rounded; a stack where that gives 0 is left out. It is negative only in a difference of two snapshots.
///
/// # Cost
/// Names are resolved in this process: see [`Symbols::resolve`].
pub fn readable_stacks(snapshot: &Snapshot) -> Vec<(String, isize)> {
    aside(|| {
        let addresses = with_live_bytes(snapshot).flat_map(|(site, _)| site.stack.iter().copied());
        let symbols = Symbols::resolve(addresses);
        readable_stacks_with(snapshot, &symbols)
    })
}

fn readable_stacks_with(snapshot: &Snapshot, symbols: &Symbols) -> Vec<(String, isize)> {
    let mut stacks: Vec<(String, isize)> = with_live_bytes(snapshot)
        .map(|(site, live_bytes)| (readable(site, symbols), live_bytes))
        .collect();
    stacks.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    stacks
}

fn with_live_bytes(snapshot: &Snapshot) -> impl Iterator<Item = (&Site, isize)> {
    let rounded = snapshot
        .sites
        .iter()
        .map(|site| (site, site.live.bytes.round() as isize));
    rounded.filter(|(_, live_bytes)| *live_bytes != 0)
}

fn readable(site: &Site, symbols: &Symbols) -> String {
    let frames = call_stack(site, symbols);
    let kept = &frames[trim(&frames)];
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    if kept.is_empty() {
        line(stand_in(site));
    }
    if site.prefix_only {
        line(INNER_MISSING);
    }
    for frame in kept {
        line(&readable_frame(frame));
    }
    if site.truncated {
        line(OUTER_MISSING);
    }
    text
}

fn readable_frame(frame: &Frame<'_>) -> String {
    let mut text = frame.place().unwrap_or_else(|| "??".to_owned());
    write!(text, " @ {}", frame.name()).expect("a String takes everything");
    text
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::symbols::SourceFunction;

    fn named(entries: &[(u64, &str, Option<&str>, u32)]) -> Symbols {
        let mut symbols = Symbols::new();
        for (address, name, file, line) in entries {
            let (name, file) = ((*name).to_owned(), file.map(str::to_owned));
            symbols.insert(
                *address,
                &[SourceFunction {
                    name,
                    file,
                    line: Some(*line),
                }],
            );
        }
        symbols
    }

    #[test]
    fn stacks_have_a_line_for_each_frame_and_the_largest_comes_first() {
        let symbols = named(&[
            (1, "__rust_alloc", None, 0),
            (2, "alloc::vec::Vec<T,A>::push", None, 0),
            (3, "my_app::main", Some("src/main.rs"), 12),
        ]);
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (id, stack, bytes) in [
            (2, vec![1, 2, 3], 10.4),
            (3, vec![9, 3], 99.6),
            (4, vec![3], 0.3),
            (0, vec![], -7.0),
        ] {
            let mut site = Site::new(id, stack);
            site.live.bytes = bytes;
            snapshot.sites.push(site);
        }
        let stacks = readable_stacks_with(&snapshot, &symbols);
        let expected = [
            ("?? @ 0x9\nsrc/main.rs:12 @ my_app::main\n", 100),
            (
                "?? @ alloc::vec::Vec<T,A>::push\nsrc/main.rs:12 @ my_app::main\n",
                10,
            ),
            ("(stack could not be taken)\n", -7),
        ];
        let expected: Vec<_> = expected
            .map(|(text, bytes)| (text.to_owned(), bytes))
            .into();
        assert_eq!(stacks, expected);
    }

    #[test]
    fn cut_ends_of_a_stack_are_marked_where_they_are() {
        let mut site = Site::new(5, vec![0x10]);
        site.truncated = true;
        site.prefix_only = true;
        let text = readable(&site, &Symbols::new());
        assert_eq!(
            text,
            "… (stack table full)\n?? @ 0x10\n(outer frames missing)\n"
        );
    }

    #[test]
    fn a_snapshot_of_this_process_is_named_without_help() {
        let mut site = Site::new(2, Vec::new());
        backtrace::trace(|frame| {
            site.stack.push(frame.ip() as u64);
            true
        });
        site.live.bytes = 64.0;
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        snapshot.sites.push(site);
        let stacks = readable_stacks(&snapshot);
        assert_eq!(stacks.len(), 1);
        assert!(stacks[0].0.contains(" @ "), "{}", stacks[0].0);
        assert!(
            stacks[0]
                .0
                .contains("a_snapshot_of_this_process_is_named_without_help")
        );
        assert!(!stacks[0].0.contains("start_thread"), "{}", stacks[0].0);
    }
}
