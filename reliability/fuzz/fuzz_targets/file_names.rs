//! Only a name that is made for a file of ours is taken for one, of its kind alone: nothing else is ever pruned. And every
//! name that is made is known again.
//!
//! The input is a moment, a process and an extension, then what somebody calls a file; and all of it the name of a file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_fuzz::choices::Choices;
use unkai_watch::Format;
use unkai_watch::internals::{FileKind, is_kept_whole};

const KINDS: [FileKind; 2] = [FileKind::Report, FileKind::Dump];

fuzz_target!(|input: &[u8]| {
    // Any name.
    for kind in KINDS {
        for (temporary, known) in [false, true].into_iter().zip(kind.names(input)) {
            if known {
                let name = std::str::from_utf8(input).expect("ours are ASCII");
                assert!(is_made(kind, temporary, name), "{kind:?} {name:?}");
                assert!(is_kept_whole(input), "{name:?}");
            }
        }
    }
    // A name of ours.
    let mut choices = Choices::of(input);
    let kind = KINDS[choices.below(2)];
    let milliseconds = choices.number(8) as u64 >> choices.below(32);
    let process = choices.number(4) as u32;
    let extensions = extensions(kind);
    let extension = extensions[choices.below(extensions.len())];
    let called = String::from_utf8_lossy(choices.rest());
    let made = kind.file_name(milliseconds, process, &called, extension);
    for other in KINDS {
        let is_it = kind == other;
        assert_eq!(other.names(made[0].as_bytes()), [is_it, false], "{made:?}");
        assert_eq!(other.names(made[1].as_bytes()), [false, is_it], "{made:?}");
    }
    assert!(made.iter().all(|name| is_kept_whole(name.as_bytes())));
});

/// Whether there is a file that is called so: its parts are read without much care, and put together again.
fn is_made(kind: FileKind, temporary: bool, name: &str) -> bool {
    let whole = name.trim_start_matches('.').trim_end_matches(".tmp");
    let mut parts = whole
        .trim_start_matches("unkai-")
        .trim_start_matches("dump-")
        .splitn(3, '-');
    let mut part = || parts.next().unwrap_or_default();
    let (stamp, process, rest) = (part(), part(), part());
    let process = process.parse().unwrap_or_default();
    let digits: Vec<u64> = stamp
        .chars()
        .filter_map(|c| c.to_digit(10))
        .map(u64::from)
        .collect();
    let number = |from: usize, to: usize| {
        digits[from..to]
            .iter()
            .fold(0, |number, digit| number * 10 + digit)
    };
    let days: u64 = (1970..number(0, 4))
        .map(|year| 365 + u64::from(is_leap(year)))
        .sum::<u64>()
        + (1..number(4, 6))
            .map(|month| length_of_month(number(0, 4), month))
            .sum::<u64>()
        + number(6, 8).saturating_sub(1);
    let seconds = ((days * 24 + number(8, 10)) * 60 + number(10, 12)) * 60 + number(12, 14);
    let milliseconds = seconds * 1000 + number(14, 17);
    extensions(kind).iter().any(|extension| {
        let called = rest
            .strip_suffix(extension)
            .and_then(|rest| rest.strip_suffix('.'));
        called.is_some_and(|called| {
            let made = kind.file_name(milliseconds, process, called, extension);
            made[usize::from(temporary)] == name
        })
    })
}

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn extensions(kind: FileKind) -> Vec<&'static str> {
    match kind {
        // Two that this build may not have.
        FileKind::Report => Format::ALL
            .iter()
            .map(|format| format.extension())
            .chain(["pb.gz", "svg"])
            .collect(),
        FileKind::Dump => vec![Format::Json.extension()],
    }
}
