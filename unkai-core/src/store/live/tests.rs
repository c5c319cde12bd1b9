//! The table of live samples, against simple models, at the edges, and under several threads.

use super::*;
use std::collections::HashMap;

use crate::probe::sampler::Random;

fn block(size: usize) -> LiveBlock {
    LiveBlock {
        size,
        align: 1 << (size % 13),
        mark: size.is_multiple_of(3).then_some(size as u8),
        born: size as u64 * 3,
        site: SiteId::from_number(size as u32 % 100),
        blocks: size as f64 + 0.5,
        steps: (size % 17) as u8,
        share: (size % 16) as u8,
    }
}

#[test]
fn random_operations_agree_with_a_map() {
    for (seed, addresses) in [(1, 300), (2, 5_000), (3, 60_000)] {
        let live = Live::new(1 << 17).unwrap();
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        let mut random = Random::new(seed);
        let mut model = HashMap::new();
        for step in 0..300_000 {
            let address = 0x7000_0000 + (random.next() % addresses) * 16;
            if random.next().is_multiple_of(2) && !model.contains_key(&address) {
                let block = block(step);
                assert_eq!(live.insert(&inside, address, &block, Some(&stock)), Ok(()));
                assert_eq!(live.find(address), Some(block));
                model.insert(address, block);
            } else {
                assert_eq!(
                    live.remove(address, Some(&stock)),
                    model.remove(&address),
                    "seed {seed}"
                );
            }
            if step % 1000 == 0 {
                assert_eq!(live.entries(), model.len() as u64);
            }
        }
        let mut seen = HashMap::new();
        live.each(|address, block| assert!(seen.insert(address, block).is_none()));
        assert_eq!(seen, model);
    }
}

#[test]
fn a_table_holds_its_capacity_and_no_more() {
    for capacity in [16, 100, 1 << 10, 100_000, 1 << 17] {
        let live = Live::new(capacity).unwrap();
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        let mut random = Random::new(u64::from(capacity));
        let mut inserted = 0;
        for _ in 0..capacity {
            let address = (random.next() >> 16) & !15;
            let result = live.insert(&inside, address, &block(8), Some(&stock));
            inserted += u32::from(result.is_ok());
        }
        assert_eq!(inserted, capacity);
        assert_eq!(live.entries(), u64::from(inserted));
        (0..10_000).for_each(|n| {
            // What there is no room for is left out.
            let _ = live.insert(&inside, 0x10_0000_0000 + n * 16, &block(8), Some(&stock));
        });
        assert!(live.entries() <= u64::from(capacity));
    }
}

/// Addresses as an allocator gives them: blocks of one size beside one another in each of its pages, which come in any order.
#[test]
fn a_table_of_the_usual_size_holds_blocks_of_an_allocator() {
    const CAPACITY: u32 = 1 << 18;
    const PAGE: u64 = 64 << 10;
    for seed in 1..=5 {
        let live = Live::new(CAPACITY).unwrap();
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        let mut random = Random::new(seed);
        let mut pages = std::collections::HashSet::new();
        let mut left = CAPACITY;
        while left > 0 {
            let page = 0x2_0000_0000 + random.next() % (1 << 14) * PAGE;
            if !pages.insert(page) {
                continue;
            }
            let size = 16 << (random.next() % 6);
            for at in (0..PAGE).step_by(size).take(left as usize) {
                left -= 1;
                let added = live.insert(&inside, page + at, &block(8), Some(&stock));
                assert_eq!(added, Ok(()), "seed {seed}, with room for {left}");
            }
        }
        assert_eq!(live.entries(), u64::from(CAPACITY));
        for page in pages {
            (0..PAGE).step_by(16).for_each(|at| {
                live.remove(page + at, Some(&stock));
            });
        }
        assert_eq!(
            (live.entries(), live.overflowed.load(Ordering::Relaxed)),
            (0, 0)
        );
    }
}

#[test]
fn threads_find_each_others_blocks() {
    hand_over_blocks(&Live::new(1 << 12).unwrap());
}

/// The same beside others that fill every other window, so that many overflow.
#[test]
fn threads_find_each_others_blocks_in_a_crowd() {
    const CAPACITY: u32 = 1 << 12;
    let live = Live::new(CAPACITY).unwrap();
    let (inside, stock) = (Entered::vouch(), Stock::empty());
    let addresses = (0x10_0000..).step_by(16);
    let of_every_other = addresses.filter(|&address| hash(address) & WINDOW as u64 == 0);
    let crowd = of_every_other.take(CAPACITY as usize - 80);
    for address in crowd.clone() {
        let added = live.insert(&inside, address, &block(1), Some(&stock));
        assert_eq!(added, Ok(()));
    }
    assert!(
        live.overflowed.load(Ordering::Relaxed) > 0,
        "none overflows"
    );
    hand_over_blocks(&live);
    for address in crowd {
        assert_eq!(live.remove(address, Some(&stock)), Some(block(1)));
    }
    assert_eq!(
        (live.entries(), live.overflowed.load(Ordering::Relaxed)),
        (0, 0)
    );
}

/// One thread adds blocks, another takes them out, a third looks at all.
fn hand_over_blocks(live: &Live) {
    const ROUNDS: u64 = 100_000;
    let before = live.entries();
    let (sender, receiver) = std::sync::mpsc::sync_channel(64);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let (inside, stock) = (Entered::vouch(), Stock::empty());
            for round in 0..ROUNDS {
                let address = 0x1000 + round % 1999 * 16;
                let block = block(round as usize);
                assert_eq!(live.insert(&inside, address, &block, Some(&stock)), Ok(()));
                sender.send((address, round as usize)).unwrap();
            }
        });
        scope.spawn(move || {
            let stock = Stock::empty();
            for (address, size) in receiver {
                assert_eq!(live.remove(address, Some(&stock)), Some(block(size)));
            }
        });
        scope.spawn(move || {
            for _ in 0..200 {
                live.each(|_, seen| assert_eq!(seen, block(seen.size), "a torn record"));
            }
        });
    });
    assert_eq!(live.entries(), before);
}
