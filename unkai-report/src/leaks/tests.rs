use std::time::SystemTime;

use unkai_core::Site;

use super::*;
use crate::symbols::Symbols;

const MINUTE: Duration = Duration::from_secs(60);

/// A site that has allocated and still holds so many blocks of 1 KiB, each sampled with probability 1/10.
fn site(id: u32, allocated: i64, live: i64) -> Site {
    let estimate = |blocks: i64| {
        let mut estimate = Estimate::default();
        estimate.samples = blocks / 10;
        estimate.blocks = blocks as f64;
        estimate.bytes = blocks as f64 * 1024.0;
        estimate.bytes_variance = estimate.samples as f64 * 90.0 * 1024.0 * 1024.0;
        estimate
    };
    let mut site = Site::new(id, vec![u64::from(id)]);
    site.allocated = estimate(allocated);
    site.live = estimate(live);
    site.lifetimes.buckets[20] = (allocated - live) as f64;
    site
}

fn snapshot(minute: u32, sites: Vec<Site>) -> Snapshot {
    let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
    snapshot.uptime = MINUTE * minute;
    snapshot.sites = sites;
    snapshot
}

fn named(snapshot: Snapshot) -> Report {
    let symbols = Symbols::of_names([
        (2, "my_app::index"),
        (3, "my_app::leak"),
        (4, "my_app::churn"),
        (5, "my_app::spike"),
    ]);
    Report::from_parts(snapshot, symbols)
}

fn names(suspects: &[Suspect]) -> Vec<&str> {
    suspects.iter().map(|suspect| &*suspect.name).collect()
}

#[test]
fn steady_growth_is_told_from_churn_from_noise_and_from_what_stays() {
    let at = |minute: u32| {
        let m = i64::from(minute);
        let noise = if minute.is_multiple_of(2) { 300 } else { -300 };
        let sites = vec![
            site(2, 1_000_000, 1_000_000),
            site(3, 1000 * m, 1000 * m),
            site(4, 1_000_000 * m, 20_000 + noise),
            site(5, 50_000 * m, if minute == 4 { 50_000 } else { 10_000 }),
        ];
        snapshot(minute, sites)
    };
    let report = named(at(5));
    let earlier: Vec<Snapshot> = (1..5).map(at).collect();
    let suspects = suspects(&report, &earlier);
    assert_eq!(names(&suspects), ["my_app::leak"]);
    let growth = suspects[0].growth.expect("there is a history");
    assert_eq!((growth.rises, growth.steps), (4, 4));
    assert_eq!(growth.bytes, 4000.0 * 1024.0);
    assert_eq!(
        suspects[0].reason,
        "Grew by 3.91 MiB (± 372 KiB) in 4 min, in each of 4 steps: 16.7 KiB a second. None of its blocks was ever \
         freed."
    );
    assert!(basis(&report, &earlier).contains("5 snapshots, taken within 4 min"));
}

#[test]
fn of_sites_that_only_fluctuate_hardly_one_is_suspected() {
    // 2,000 sites whose live blocks are independent at each moment: the noise of 1,000 samples of one block in
    // ten, 300 blocks.
    let mut random = 1_u64;
    let mut noise = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The sum of 12 uniform numbers is close enough to a normal one.
        let bits = random >> 16;
        let uniform = |part: u64| (bits >> (part * 4) & 15) as f64 / 15.0;
        ((0..12).map(uniform).sum::<f64>() - 6.0) / 1.0645
    };
    let mut at = |minute: u32| {
        let sites = (0..2000).map(|id| {
            let live = 10_000 + (noise() * 300.0) as i64;
            site(id + 2, i64::from(minute) * 1_000_000, live)
        });
        snapshot(minute, sites.collect())
    };
    let earlier = [at(1)];
    let report = Report::without_names(at(2));
    let suspected = suspects(&report, &earlier).len();
    // 2.7 of 2,000 are expected beyond three standard errors; more than 12 has a probability below 1e-5.
    assert!(suspected <= 12, "{suspected}");
}

#[test]
fn one_snapshot_tells_a_leak_from_an_index_by_the_ages() {
    let uptime = MINUTE.as_nanos() as u64;
    let mut index = site(2, 10_000, 10_000);
    index.ages.buckets[DurationHistogram::bucket_of(uptime - 1_000_000)] = 10_000.0;
    let mut leak = site(3, 10_000, 9_900);
    // Evenly over the run, as a steady leak leaves them.
    for age in 1..=99 {
        leak.ages.buckets[DurationHistogram::bucket_of(uptime / 100 * age)] += 100.0;
    }
    let mut churn = leak.clone();
    (churn.id, churn.stack) = (4, vec![4]);
    churn.lifetimes.buckets[20] = 1_000_000.0;
    let report = named(snapshot(1, vec![index, leak, churn]));
    let suspects = suspects(&report, &[]);
    assert_eq!(names(&suspects), ["my_app::leak"]);
    let reason = &suspects[0].reason;
    assert!(
        reason.starts_with(
            "Only 1.0 % of its blocks were ever freed, and it allocates all the time: "
        )
    );
    assert!(basis(&report, &[]).starts_with("Judged by one snapshot"));
}

#[test]
fn differences_odd_numbers_and_snapshots_of_the_future_suspect_nothing() {
    let mut odd = site(3, 1000, 1000);
    odd.live.bytes = f64::NAN;
    odd.ages.buckets[3] = f64::NAN;
    let report = named(snapshot(2, vec![odd.clone(), Site::new(9, Vec::new())]));
    assert_eq!(suspects(&report, &[snapshot(1, vec![odd])]), []);
    assert_eq!(suspects(&report, &[]), []);
    let later = snapshot(3, Vec::new());
    assert_eq!(suspects(&report, &[later]), []);
    let difference = report.snapshot().since(&snapshot(1, Vec::new()));
    assert_eq!(suspects(&named(difference), &[snapshot(0, Vec::new())]), []);
}
