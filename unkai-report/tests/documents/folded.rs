//! What folded stacks promise beyond their golden files.

use unkai_report::{Report, folded};

use crate::samples;

/// The stacks with their values.
fn lines(report: &Report) -> Vec<(String, f64)> {
    let mut out = Vec::new();
    folded::write(report, &folded::Options::new(), &mut out).expect("a Vec takes it");
    let text = String::from_utf8(out).expect("names are UTF-8");
    let lines = text.lines().map(|line| {
        let (stack, value) = line.rsplit_once(' ').expect("a value follows");
        (stack.to_owned(), value.parse().expect("it is a number"))
    });
    lines.collect()
}

#[test]
fn no_name_breaks_a_line_or_adds_a_frame() {
    let lines = lines(&samples::hostile());
    assert_eq!(lines.len(), 12);
    for (stack, _) in lines {
        assert!(stack.starts_with("my_app::main;"), "{stack}");
        assert_eq!(stack.split(';').count(), 2, "{stack}");
    }
}

#[test]
fn each_line_is_at_most_one_half_off() {
    let report = samples::many_sites(2_000);
    let lines = lines(&report);
    let sum: f64 = lines.iter().map(|(_, value)| value).sum();
    let sites = report.snapshot().sites.iter();
    let exact: f64 = sites.map(|site| site.live.bytes).sum();
    assert!(
        (sum - exact).abs() <= lines.len() as f64 / 2.0,
        "{sum} {exact}"
    );
    assert!(lines.is_sorted_by_key(|(stack, _)| stack.as_str().to_owned()));
}
