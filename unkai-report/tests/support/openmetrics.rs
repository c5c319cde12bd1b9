//! A strict reader of what OpenMetrics calls its text format, as far as unkai writes it: gauges and counters.

use std::collections::HashSet;

/// One line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// The series of a whole document. Panics, with the line, at whatever is not right.
pub(crate) fn read(document: &str) -> Vec<Series> {
    let body = document.strip_suffix("# EOF\n").expect("an end");
    let mut lines = body.split_terminator('\n').peekable();
    assert!(
        body.is_empty() || body.ends_with('\n'),
        "the last line ends"
    );
    let (mut all, mut families, mut identities) = (Vec::new(), HashSet::new(), HashSet::new());
    while let Some(line) = lines.next() {
        let (family, help) = metadata(line, "HELP");
        assert!(!help.is_empty(), "{line}");
        assert!(families.insert(family.to_owned()), "{family} comes twice");
        let line = lines.next().expect("a type follows the help");
        let (of, kind) = metadata(line, "TYPE");
        assert_eq!(of, family, "{line}");
        if let Some(line) = lines.next_if(|line| line.starts_with("# UNIT ")) {
            let (of, unit) = metadata(line, "UNIT");
            assert_eq!(of, family, "{line}");
            assert!(family.ends_with(&format!("_{unit}")), "{line}");
        }
        let name = match kind {
            "gauge" => family.to_owned(),
            "counter" => format!("{family}_total"),
            _ => panic!("{line}"),
        };
        let before = all.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let series = self::series(line);
            assert_eq!(series.name, name, "{line}");
            assert!(kind == "gauge" || series.value >= 0.0, "{line}");
            let identity = (series.name.clone(), series.labels.clone());
            assert!(identities.insert(identity), "comes twice: {line}");
            all.push(series);
        }
        assert!(all.len() > before, "{family} has no series");
    }
    all
}

/// `# HELP name text`
fn metadata<'l>(line: &'l str, kind: &str) -> (&'l str, &'l str) {
    let rest = line
        .strip_prefix("# ")
        .and_then(|line| line.strip_prefix(kind));
    let rest = rest.and_then(|rest| rest.strip_prefix(' ')).expect(line);
    let (name, text) = rest.split_once(' ').expect(line);
    assert!(is_name(name), "{line}");
    (name, text)
}

/// `name{label="value"} 7`
fn series(line: &str) -> Series {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, quoted) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, behind) = label_value(quoted, line);
            labels.push((label.to_owned(), value));
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None => break rest = behind.strip_prefix('}').expect(line),
            }
        }
    }
    let value = rest.strip_prefix(' ').expect(line);
    let plain = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    assert!(value.chars().all(plain), "{line}");
    Series {
        name: name.to_owned(),
        labels,
        value: value.parse().expect(line),
    }
}

/// The value up to the closing quote, and what follows that.
fn label_value<'l>(quoted: &'l str, line: &str) -> (String, &'l str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => panic!("an unknown escape: {line}"),
            },
            _ => value.push(character),
        }
    }
    panic!("no closing quote: {line}")
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(inner) && name.starts_with(|c: char| !c.is_ascii_digit())
}
