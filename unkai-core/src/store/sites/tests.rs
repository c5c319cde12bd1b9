//! The table of sites, against simple models, at the edges, and under several threads.

use super::*;

fn table(capacity: u32) -> (Sites, Trie, Entered) {
    (
        Sites::new(capacity).unwrap(),
        Trie::new(1000).unwrap(),
        Entered::vouch(),
    )
}

fn figures_of(sites: &Sites, epoch: u32) -> Vec<SiteFigures> {
    sites.figures(epoch).collect()
}

fn node(trie: &Trie, inside: &Entered, address: u64) -> NodeId {
    node_with(trie, inside, address, &mut 0)
}

fn node_with(trie: &Trie, inside: &Entered, address: u64, spare: &mut u32) -> NodeId {
    match trie.intern(inside, NodeId::ROOT, &[address], spare) {
        super::super::trie::Interned::Whole(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_added_can_be_taken_back_to_exactly_nothing() {
    let (sites, trie, inside) = table(10);
    let site = sites.of(&inside, &trie, node(&trie, &inside, 5)).unwrap();
    let weights: Vec<Weight> = (1..500)
        .map(|n| Weight {
            size: n * 7,
            blocks: 524_288.5 / (n * 7) as f64,
        })
        .collect();
    weights
        .iter()
        .for_each(|&weight| sites.add(site, weight, 0));
    weights
        .iter()
        .rev()
        .for_each(|&weight| sites.remove(site, weight, 0, 1000));
    let figures = figures_of(&sites, 0);
    let live = figures[0].live;
    assert_eq!((live.samples, live.bytes, live.blocks), (0, 0.0, 0.0));
    assert!(live.bytes_variance <= figures[0].allocated.bytes_variance * 1e-9);
    assert_eq!(figures[0].allocated.samples, 499);
    let blocks = figures[0].allocated.blocks;
    assert!((figures[0].lifetimes.total() - blocks).abs() < 1e-6 * blocks);
}

#[test]
fn one_sample_gives_the_published_variance() {
    let (sites, trie, inside) = table(10);
    let site = sites.of(&inside, &trie, node(&trie, &inside, 5)).unwrap();
    sites.add(
        site,
        Weight {
            size: 100,
            blocks: 4.0,
        },
        0,
    );
    let estimate = figures_of(&sites, 0)[0].allocated;
    assert_eq!((estimate.bytes, estimate.blocks), (400.0, 4.0));
    // p = 1/4: (1 − p) / p² = 12.
    assert_eq!(
        (estimate.bytes_variance, estimate.blocks_variance),
        (120_000.0, 12.0)
    );
}

#[test]
fn the_peak_keeps_what_was_live_when_the_epoch_began() {
    let (sites, trie, inside) = table(10);
    let site = sites.of(&inside, &trie, node(&trie, &inside, 5)).unwrap();
    let weight = Weight {
        size: 100,
        blocks: 1.0,
    };
    sites.add(site, weight, 0);
    sites.add(site, weight, 0);
    // Epoch 1 begins here, with 200 bytes live.
    assert_eq!(figures_of(&sites, 1)[0].at_peak.bytes, 200.0);
    sites.remove(site, weight, 1, 5);
    sites.remove(site, weight, 1, 5);
    sites.add(site, weight, 1);
    let figures = &figures_of(&sites, 1)[0];
    assert_eq!((figures.live.bytes, figures.at_peak.bytes), (100.0, 200.0));
}

#[test]
fn a_full_table_says_so_and_keeps_the_known() {
    let (sites, trie, inside) = table(4);
    let known = node(&trie, &inside, 1);
    let site = sites.of(&inside, &trie, known).unwrap();
    sites.of(&inside, &trie, node(&trie, &inside, 2)).unwrap();
    assert_eq!(sites.of(&inside, &trie, node(&trie, &inside, 3)), None);
    assert_eq!(sites.of(&inside, &trie, known), Some(site));
}

#[test]
fn threads_agree_on_the_site_of_a_stack() {
    let (sites, trie, _) = table(2000);
    let ids: Vec<Vec<u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (inside, mut spare) = (Entered::vouch(), 0);
                    (1..900)
                        .map(|address| {
                            let node = node_with(&trie, &inside, address, &mut spare);
                            sites.of(&inside, &trie, node).unwrap().number()
                        })
                        .collect()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|other| *other == ids[0]));
}

#[test]
fn the_largest_site_is_the_one_with_the_most_live_bytes() {
    let (sites, trie, inside) = table(10);
    assert_eq!(sites.largest_live_bytes(), 0.0);
    let weight = |size| Weight { size, blocks: 1.0 };
    for (address, size) in [(10, 100), (20, 300), (30, 400)] {
        let site = sites.of(&inside, &trie, node(&trie, &inside, address));
        sites.add(site.unwrap(), weight(size), 1);
        if size == 400 {
            sites.remove(site.unwrap(), weight(size), 1, 0);
        }
    }
    assert_eq!(sites.largest_live_bytes(), 300.0);
}
