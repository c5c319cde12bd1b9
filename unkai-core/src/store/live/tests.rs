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
                assert!(live.insert(&inside, address, &block, Some(&stock)));
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
    for capacity in [16, 100, 1000, 100_000] {
        let live = Live::new(capacity).unwrap();
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        let mut random = Random::new(u64::from(capacity));
        let mut inserted = 0;
        for _ in 0..capacity {
            inserted += u32::from(live.insert(
                &inside,
                (random.next() >> 16) & !15,
                &block(8),
                Some(&stock),
            ));
        }
        // An unlucky window may be full on all levels a little early.
        assert!(
            inserted >= capacity - capacity / 20,
            "{inserted} of {capacity}"
        );
        assert_eq!(live.entries(), u64::from(inserted));
        (0..10_000).for_each(|n| {
            live.insert(&inside, 0x10_0000_0000 + n * 16, &block(8), Some(&stock));
        });
        assert!(live.entries() <= u64::from(capacity));
    }
}

#[test]
fn threads_find_each_others_blocks() {
    const ROUNDS: u64 = 100_000;
    let live = Live::new(1 << 12).unwrap();
    let (sender, receiver) = std::sync::mpsc::sync_channel(64);
    std::thread::scope(|scope| {
        let live = &live;
        scope.spawn(move || {
            let (inside, stock) = (Entered::vouch(), Stock::empty());
            for round in 0..ROUNDS {
                let address = 0x1000 + round % 1999 * 16;
                assert!(live.insert(&inside, address, &block(round as usize), Some(&stock)));
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
    assert_eq!(live.entries(), 0);
}
