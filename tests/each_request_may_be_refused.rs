//! The inner allocator refuses each request of a run in turn, and some by chance: blocks keep their contents and go back as they
//! were taken, the request works when it is made again, and totals are off by the small requests that nobody looked at and by
//! nothing else.

mod support;

use support::checking::Checking;
use support::outer::Outer;
use support::refusals::{Heap, Runs};
use unkai::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: Heap = Outer::new(UnkaiGlobalAlloc::with_config(
    Checking::new(),
    Config::new().seed(5),
));

#[test]
fn each_request_may_be_refused() {
    // Before the first count: what a message takes.
    println!("each request of a run is refused in turn");
    let mut runs = Runs::new(&HEAP, false);
    for interval in [512 << 10, 32 << 10, 4000, 1, 0] {
        HEAP.inner.set_sampling_interval(interval);
        runs.play(interval + 1);
    }
    let (seen, unseen) = (runs.seen, runs.unseen);
    assert!(seen > 300 && unseen > 300, "{seen} seen, {unseen} not");
}
