//! What the text report promises beyond its golden files.

use std::time::SystemTime;

use unkai_core::{CrowdedTable, Sampling, Site, Snapshot, Widened};
use unkai_report::{Report, text};

use crate::samples;

fn text(report: &Report, options: &text::Options) -> String {
    let mut out = Vec::new();
    text::write(report, options, &mut out).expect("a Vec takes it");
    String::from_utf8(out).expect("text is UTF-8")
}

#[test]
fn an_empty_profile_has_totals_and_no_tables() {
    let report = Report::new(Snapshot::empty(SystemTime::UNIX_EPOCH));
    let text = text(&report, &text::Options::new());
    assert!(text.contains("Sampling is off"), "{text}");
    assert!(text.contains("Totals (exact)"), "{text}");
    assert!(!text.contains("Top sites"), "{text}");
    assert!(!text.contains("Losses"), "{text}");
}

#[test]
fn a_healthy_profile_has_no_warnings_and_no_losses() {
    let text = text(&samples::search_service(), &text::Options::new());
    assert!(!text.contains("Before you trust"), "{text}");
    assert!(!text.contains("Losses"), "{text}");
}

#[test]
fn allocations_without_samples_are_explained() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sampling.mode = Sampling::Bytes { interval: 524_288 };
    snapshot.totals.allocated.bytes = 1000;
    let text = text(&Report::new(snapshot), &text::Options::new());
    assert!(text.contains("There is no sample yet"), "{text}");
}

#[test]
fn sampling_that_is_sparser_than_set_is_explained() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sampling.mode = Sampling::Blocks { one_in: 8 };
    for (by, name, setting) in [
        (CrowdedTable::Stacks, "call stacks", "max_stack_nodes"),
        (CrowdedTable::Sites, "sites", "max_sites"),
        (
            CrowdedTable::LiveSamples,
            "live samples",
            "max_live_samples",
        ),
    ] {
        snapshot.sampling.widened = Some(Widened::new(Sampling::EveryBlock, by));
        for (entries, full) in [(800, "is nearly full"), (500, "was nearly full")] {
            let own = &mut snapshot.own_memory;
            for table in [&mut own.stacks, &mut own.sites, &mut own.live_blocks] {
                (table.entries, table.capacity) = (entries, 1000);
            }
            let report = Report::without_names(snapshot.clone());
            let text = text(&report, &text::Options::new().width(1000));
            let says = |part: &str| assert!(text.contains(part), "{part}: {text}");
            says(&format!(
                "8 times sparser than set: the table of {name} {full} ({entries}"
            ));
            says(setting);
            says("This is 8 times sparser than set.");
        }
    }
}

#[test]
fn every_block_is_not_called_exact_if_it_was_not_always_so() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sampling.mode = Sampling::EveryBlock;
    let mut site = Site::new(2, vec![0x10]);
    site.allocated.samples = 1;
    site.allocated.blocks = 4.0;
    site.allocated.blocks_variance = 12.0;
    snapshot.sites.push(site);
    let text = text(&Report::without_names(snapshot), &text::Options::new());
    assert!(text.contains("but was not always"), "{text}");
}

#[test]
fn a_profile_without_live_bytes_draws_its_tree_by_allocated_bytes() {
    let (mut snapshot, symbols) = samples::search_service().into_parts();
    for site in &mut snapshot.sites {
        site.live = Default::default();
    }
    let text = text(
        &Report::from_parts(snapshot, symbols),
        &text::Options::new(),
    );
    assert!(text.contains("Call tree by allocated bytes"), "{text}");
    assert!(!text.contains("Top sites by live bytes"), "{text}");
}

#[test]
fn small_paths_are_summed_up_in_one_line() {
    let report = samples::search_service();
    let options = text::Options::new().min_share(0.3);
    let text = text(&report, &options);
    let tree = text.split("Call tree").nth(1).expect("there is a tree");
    assert!(tree.contains("smaller path"), "{tree}");
}

#[test]
fn exact_sites_show_no_interval() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.sampling.mode = Sampling::EveryBlock;
    let mut site = Site::new(2, vec![0x10]);
    site.live.bytes = 100.0;
    site.live.samples = 1;
    snapshot.sites.push(site);
    let text = text(&Report::without_names(snapshot), &text::Options::new());
    assert!(text.contains("together 100 B (exact)"), "{text}");
    // Only in the head of the one table.
    assert_eq!(text.matches('±').count(), 1, "{text}");
}

#[test]
fn a_long_chain_of_callers_is_shortened_in_its_middle() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    let mut site = Site::new(2, (1..=40).collect());
    site.live.bytes = 100.0;
    snapshot.sites.push(site);
    let text = text(&Report::without_names(snapshot), &text::Options::new());
    let tree = text.split("Call tree").nth(1).expect("there is a tree");
    assert!(tree.contains("⋮ 32 more callers"), "{tree}");
    assert!(tree.contains("0x28\n") && tree.contains("0x1\n"), "{tree}");
    assert!(!tree.contains("0x20\n"), "{tree}");
}

#[test]
fn stacks_of_any_depth_and_numbers_of_any_kind_are_written() {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    for (id, value) in (2..).zip([
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        f64::MAX,
        f64::MIN_POSITIVE,
    ]) {
        // Each pair of stacks parts at another depth.
        for depth in [1_000, 1_000 - u64::from(id)] {
            let mut site = Site::new(id, (1..=depth).rev().collect());
            site.stack.insert(0, u64::MAX);
            for estimate in [&mut site.live, &mut site.allocated, &mut site.at_peak] {
                estimate.samples = i64::MAX;
                estimate.bytes = value;
                estimate.blocks = value;
                estimate.bytes_variance = value;
            }
            site.lifetimes.buckets = [value; 48];
            site.ages.buckets[47] = value;
            snapshot.sites.push(site);
        }
    }
    for table in [
        &mut snapshot.own_memory.sites,
        &mut snapshot.own_memory.stacks,
    ] {
        table.used_bytes = u64::MAX;
        table.capacity_bytes = u64::MAX;
    }
    snapshot.totals.freed.bytes = u64::MAX;
    for width in [0, 80, usize::MAX] {
        let options = text::Options::new()
            .width(width)
            .min_share(0.0)
            .top_sites(usize::MAX);
        assert!(
            text(&Report::without_names(snapshot.clone()), &options)
                .lines()
                .count()
                > 20
        );
    }
}
