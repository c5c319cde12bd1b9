//! Whatever is done to a tree of scopes on one thread, every answer and every number is that of the model.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unkai_fuzz::choices::Choices;

#[path = "../../../unkai-core/tests/scopes/model.rs"]
mod model;

use model::{Choose, Pair};

/// Each step compares the whole tree.
const MOST_STEPS: usize = 40;

impl Choose for Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        Choices::below(self, bound)
    }
}

fuzz_target!(|input: &[u8]| {
    let mut pair = Pair::new(Choices::of(input));
    for _ in 0..MOST_STEPS {
        if pair.choices.is_over() {
            break;
        }
        pair.step();
    }
    pair.end();
});
