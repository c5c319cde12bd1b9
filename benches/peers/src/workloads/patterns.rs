//! Regular expressions are compiled, as programs do when they start.

use std::hint::black_box;
use std::time::Instant;

use regex::Regex;

use super::Run;

const PATTERNS: [&str; 12] = [
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$",
    r"(?i)\b(error|warning|fatal|panic)\b",
    r"^(?P<key>[a-z_][a-z0-9_]*)\s*=\s*(?P<value>.*)$",
    r"[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}",
    r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$",
    r"(?m)^\s*(fn|struct|enum|trait|impl)\s+([A-Za-z_]+)",
    r"\$\{([^}]+)\}",
    r"^/(users|groups|items)/([0-9]+)(/edit|/delete)?$",
    r#""([^"\\]|\\.)*""#,
    r"(?x) ^ ([0-9a-f]{8}) - ([0-9a-f]{4}) - ([0-9a-f]{12}) $",
    r"\b\w{3,12}ing\b",
    r"(foo|bar|baz|quux|corge){2,5}",
];

pub(super) fn prepare() -> Run {
    Box::new(|times| {
        let start = Instant::now();
        for _ in 0..times {
            for pattern in PATTERNS {
                let compiled = Regex::new(pattern).expect("the patterns are valid");
                drop(black_box(compiled));
            }
        }
        start.elapsed()
    })
}
