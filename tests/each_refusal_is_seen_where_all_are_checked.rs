//! With `Config::check_every_allocation`, every request that the inner allocator refuses is counted as refused, and nothing else:
//! totals are exact whichever request it is.

mod support;

use support::checking::Checking;
use support::outer::Outer;
use support::refusals::{Heap, Runs};
use unkai::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Heap = Outer::new(UnkaiGlobalAlloc::with_config(
    Checking::new(),
    Config::new().check_every_allocation(true).seed(5),
));

#[test]
fn each_refusal_is_seen_where_all_are_checked() {
    // Before the first count: what a message takes.
    println!("each request of a run is refused in turn");
    let mut runs = Runs::new(&HEAP, true);
    for interval in [512 << 10, 32 << 10, 4000, 1, 0] {
        HEAP.inner.set_sampling_interval(interval);
        runs.play(interval + 1);
    }
    let (seen, unseen) = (runs.seen, runs.unseen);
    assert!(seen > 600 && unseen == 0, "{seen} seen, {unseen} not");
}
