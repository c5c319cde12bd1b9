//! Threads of load, each of a different character.

mod buffers;
mod hand_over;
mod maps;
mod short_lived;
mod tenants;
mod threads;
pub(crate) mod tide;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::gate::{Gate, Work};
use crate::random::Random;
pub(crate) use tenants::Tree;

/// Starts all but the tide. `seed` makes what they do repeatable, as far as the system's scheduler lets it be.
pub(crate) fn start(gate: &Arc<Gate>, seed: u64, tree: &Arc<Tree>) -> Vec<JoinHandle<()>> {
    let random = move |number: u64| Random::new(seed ^ (number << 32));
    let (given, taken) = hand_over::pair();
    let (tree_a, tree_b) = (Arc::clone(tree), Arc::clone(tree));
    vec![
        start_one(gate, "short-a", move || {
            short_lived::ShortLived::new(random(1))
        }),
        start_one(gate, "short-b", move || {
            short_lived::ShortLived::new(random(2))
        }),
        start_one(gate, "maps", move || maps::Maps::new(random(3))),
        start_one(gate, "buffers", move || buffers::Buffers::new(random(4))),
        start_one(gate, "producer", move || {
            hand_over::Producer::new(random(5), given)
        }),
        start_one(gate, "consumer", move || hand_over::Consumer::new(taken)),
        start_one(gate, "threads", move || threads::Threads::new(random(6))),
        start_one(gate, "tenant-a", move || {
            tenants::Tenant::new(random(7), tree_a, 0)
        }),
        start_one(gate, "tenant-b", move || {
            tenants::Tenant::new(random(8), tree_b, 1)
        }),
    ]
}

fn start_one<W: Work + 'static>(
    gate: &Arc<Gate>,
    name: &str,
    make: impl FnOnce() -> W + Send + 'static,
) -> JoinHandle<()> {
    gate.start(name, move || Box::new(make()))
}

/// Between steps, so that the machine is busy and not overwhelmed.
fn pause(time: Duration) {
    std::thread::sleep(time);
}
