//! The seeds of randomised tests.

/// `UNKAI_SEED`, or `usual`. It is printed, so that a failure can be had again.
#[expect(clippy::disallowed_macros, reason = "tests print")]
pub(crate) fn seed(usual: u64) -> u64 {
    let set = std::env::var("UNKAI_SEED").ok();
    let seed = set.and_then(|seed| seed.parse().ok()).unwrap_or(usual);
    println!("UNKAI_SEED={seed}");
    seed
}
