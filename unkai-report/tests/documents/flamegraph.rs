//! What flame graphs promise beyond the words of their options.

use std::time::SystemTime;

use unkai_core::{Site, Snapshot};
use unkai_report::{Report, Value, flamegraph};

use crate::{golden, samples};

fn svg(report: &Report, options: &flamegraph::Options) -> String {
    let mut out = Vec::new();
    flamegraph::write(report, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("an SVG is UTF-8")
}

fn boxes(svg: &str) -> usize {
    svg.matches("<title>").count()
}

/// Without inferno's own script, which is not ours to agree on.
fn without_script(svg: &str) -> Vec<u8> {
    let (before, rest) = svg.split_once("<script").expect("there is a script");
    let (_, after) = rest.split_once("</script>").expect("it ends");
    // A line for each box: differences are to be read.
    format!("{before}{after}")
        .replace("><", ">\n<")
        .into_bytes()
}

#[test]
fn a_flame_graph_is_as_agreed() {
    let svg = svg(&samples::search_service(), &flamegraph::Options::new());
    golden::check("live-bytes.flamegraph.svg", &without_script(&svg));
}

#[test]
fn growth_and_shrinkage_are_as_agreed() {
    let svg = svg(&samples::change(), &flamegraph::Options::new());
    golden::check("change.flamegraph.svg", &without_script(&svg));
}

#[test]
fn the_whole_is_the_sum_of_the_sites() {
    let report = samples::search_service();
    for value in Value::ALL {
        let sum: f64 = report
            .snapshot()
            .sites
            .iter()
            .map(|site| value.of(site).round())
            .sum();
        let svg = svg(&report, &flamegraph::Options::new().value(value));
        let whole = format!("total_samples=\"{sum}\"");
        assert!(svg.contains(&whole), "{}: {whole}", value.name());
    }
}

#[test]
fn two_reports_show_what_the_later_one_has_and_what_is_gone() {
    let later = samples::search_service();
    let (mut snapshot, symbols) = later.clone().into_parts();
    snapshot.sites[0].live.bytes *= 2.0;
    snapshot.sites[1].live.bytes = 0.0;
    let earlier = Report::from_parts(snapshot, symbols);
    let change = |earlier: &Report, later: &Report| {
        let mut out = Vec::new();
        let options = flamegraph::Options::new();
        flamegraph::write_change(earlier, later, &options, &mut out).expect("a Vec takes it");
        String::from_utf8(out).expect("an SVG is UTF-8")
    };
    let forth = change(&earlier, &later);
    assert!(!forth.contains("are gone"), "{forth}");
    assert!(
        forth.contains("HashMap::insert (16,782,846 bytes, 22.84%; +22.84%)"),
        "{forth}"
    );
    let back = change(&later, &earlier);
    assert!(
        back.contains("16.0 MiB in call stacks that are gone"),
        "{back}"
    );
    assert!(!back.contains("HashMap::insert"), "{back}");
}

#[test]
fn a_report_without_samples_says_so() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let empty = svg(
        &Report::without_names(snapshot.clone()),
        &flamegraph::Options::new(),
    );
    assert!(empty.contains("There is no sample yet"), "{empty}");
    assert!(
        empty.contains("No sample") || empty.ends_with("</svg>\n"),
        "{empty}"
    );
    snapshot.sites.push(Site::new(2, vec![1]));
    let zero = svg(
        &Report::without_names(snapshot),
        &flamegraph::Options::new(),
    );
    assert!(zero.contains("No sample has live bytes"), "{zero}");
}

#[test]
fn smaller_boxes_than_asked_for_are_left_out() {
    let report = samples::many_sites(2_000);
    let all = boxes(&svg(&report, &flamegraph::Options::new().min_share(0.0)));
    let large = boxes(&svg(&report, &flamegraph::Options::new().min_share(0.01)));
    assert!(all > 5_000, "{all}");
    assert!((25..=25 * 100).contains(&large), "{large}");
    let odd = boxes(&svg(
        &report,
        &flamegraph::Options::new().min_share(f64::NAN),
    ));
    assert_eq!(odd, all);
}

#[test]
fn no_name_breaks_out_of_a_flame_graph() {
    let svg = svg(&samples::hostile(), &flamegraph::Options::new());
    assert!(!svg.contains("<img"), "{svg}");
    assert_eq!(svg.matches("<script").count(), 1);
    // The whole, `main`, and each of the twelve.
    assert_eq!(boxes(&svg), 1 + 1 + 12);
}
