//! The ways of taking stacks, beside one another.

use super::{CallStack, Registers, chain, frame_pointers, portable, tables};
use crate::config::MAX_FRAMES;
use crate::entered::Entered;

/// The stack of the calling function, by each way that this build has.
#[derive(Debug)]
struct ThreeWays {
    by_chain: Option<Vec<u64>>,
    by_tables: Option<Vec<u64>>,
    portable: Vec<u64>,
}

#[inline(never)]
fn three_ways() -> ThreeWays {
    let entered = Entered::vouch();
    let registers = Registers::capture();
    let empty = || CallStack::new(0, MAX_FRAMES);

    let mut stack = empty();
    let found = tables::walk(&entered, &registers, &mut stack);
    assert!(!stack.truncated());
    let by_tables = found.then(|| stack.frames().to_vec());

    let mut stack = empty();
    let kept = std::env::var_os("UNKAI_TEST_FRAME_POINTERS").is_some() && found;
    let by_chain = kept.then(|| {
        assert!(frame_pointers::walk(&registers, &mut stack));
        stack.frames().to_vec()
    });

    let mut stack = empty();
    portable::walk(&entered, &registers, &mut stack);
    ThreeWays {
        by_chain,
        by_tables,
        portable: stack.frames().to_vec(),
    }
}

const TABLES_ARE_PORTED: bool = cfg!(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(unkai_portable)
));

/// Has the tables read. One thread at a time does that, and nobody waits for it: a test that runs beside may be about it.
fn read_tables() {
    tables::refresh();
    while TABLES_ARE_PORTED && tables::modules() == 0 {
        std::thread::yield_now();
        tables::refresh();
    }
}

#[test]
fn three_ways_lead_through_the_same_frames() {
    read_tables();
    let mut places = std::collections::HashSet::new();
    for links in [10, 30, 100] {
        for seed in 0..64 {
            let mut taken = None;
            chain::call(seed, links, &mut || taken = Some(three_ways()));
            let ways = taken.expect("the chain calls it");
            assert!(ways.portable.len() > links as usize, "{ways:x?}");
            assert_eq!(ways.by_tables.is_some(), TABLES_ARE_PORTED);
            if let Some(by_tables) = &ways.by_tables {
                assert_eq!(*by_tables, ways.portable, "seed {seed}");
            }
            if let Some(by_chain) = &ways.by_chain {
                // The C library's start-up code keeps no frame pointers.
                assert!(
                    ways.portable.starts_with(by_chain) && by_chain.len() > links as usize,
                    "seed {seed}: {ways:x?}"
                );
            }
            places.extend(ways.portable);
        }
    }
    // Were functions merged or inlined, this would prove little.
    assert!(
        places.len() >= 128,
        "{} different return addresses",
        places.len()
    );
}

/// Registers that are garbage end a walk; they never crash it, and never make it longer than it may be.
#[test]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn garbage_in_registers_ends_a_walk() {
    let mut random = crate::probe::sampler::Random::new(0x6a7b);
    let real = Registers::capture();
    let inside = crate::entered::Entered::vouch();
    read_tables();
    for _ in 0..20_000 {
        let mut garbage = |right: u64| match random.next() % 8 {
            0 => right,
            1 => right.wrapping_add(random.next() % 4096),
            2 => right.wrapping_sub(random.next() % 4096),
            3 => right & !0xfff,
            4 => random.next() % 64,
            5 => u64::MAX - random.next() % 64,
            6 => 0xffff_8000_0000_0000 | random.next(),
            _ => random.next(),
        };
        let registers = Registers {
            instruction: garbage(real.instruction),
            stack: garbage(real.stack),
            frame: garbage(real.frame),
            #[cfg(target_arch = "aarch64")]
            link: garbage(real.link),
        };
        let mut stack = CallStack::new(0, 20);
        frame_pointers::walk(&registers, &mut stack);
        assert!(stack.frames().len() <= 20);
        stack.restart();
        tables::walk(&inside, &registers, &mut stack);
        assert!(stack.frames().len() <= 20);
    }
}
