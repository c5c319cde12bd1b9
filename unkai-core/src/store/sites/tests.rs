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

/// Random samples that come, go and are put back, and peaks in between, beside sums over all samples that there are.
#[test]
fn random_samples_agree_with_sums() {
    let seed = crate::seed::seed(0x517e);
    for round in 0..50 {
        let mut random = crate::probe::sampler::Random::new(seed + round);
        let (sites, trie, inside) = table(20);
        let ids: Vec<_> = (1..=10)
            .map(|address| {
                sites
                    .of(&inside, &trie, node(&trie, &inside, address))
                    .unwrap()
            })
            .collect();
        let mut epoch = 1;
        let (mut live, mut all): (Vec<(SiteId, Weight)>, Vec<_>) = (Vec::new(), Vec::new());
        let mut at_peak = Vec::new();
        let mut gone = Vec::new();
        for _ in 0..400 {
            match random.next() % 20 {
                0..10 => {
                    let weight = Weight {
                        size: 1 + random.next() % 100_000,
                        blocks: 1.0 + (random.next() % 1000) as f64 / 64.0,
                    };
                    let id = ids[random.next() as usize % ids.len()];
                    sites.add(id, weight, epoch);
                    live.push((id, weight));
                    all.push((id, weight));
                }
                10..17 if !live.is_empty() => {
                    let index = random.next() as usize % live.len();
                    let (id, weight) = live.swap_remove(index);
                    let lifetime = random.next() >> (random.next() % 64);
                    sites.remove(id, weight, epoch, lifetime);
                    gone.push((id, weight, lifetime));
                }
                // A free that was none: only what was freed last is put back, before anything else.
                17 if !live.is_empty() => {
                    let (id, weight) = live[random.next() as usize % live.len()];
                    sites.remove(id, weight, epoch, 77);
                    sites.put_back(id, weight, 77);
                }
                18 => {
                    epoch += 1;
                    at_peak.clone_from(&live);
                }
                _ => {}
            }
        }
        for figures in figures_of(&sites, epoch) {
            let sum = |samples: &[(SiteId, Weight)]| {
                let own = samples.iter().filter(|(id, _)| *id == figures.id);
                own.fold(Estimate::default(), |sum, (_, weight)| Estimate {
                    samples: sum.samples + 1,
                    bytes: sum.bytes + weight.size as f64 * weight.blocks,
                    blocks: sum.blocks + weight.blocks,
                    bytes_variance: sum.bytes_variance
                        + (weight.size as f64).powi(2) * weight.blocks * (weight.blocks - 1.0),
                    blocks_variance: sum.blocks_variance + weight.blocks * (weight.blocks - 1.0),
                })
            };
            for (told, naive) in [
                (figures.allocated, sum(&all)),
                (figures.live, sum(&live)),
                (figures.at_peak, sum(&at_peak)),
            ] {
                assert_eq!(told.samples, naive.samples);
                let like = |one: f64, other: f64, scale: f64| {
                    assert!(
                        (one - other).abs() <= 1e-6 * scale.max(1.0),
                        "{told:?} {naive:?}"
                    );
                };
                like(told.bytes, naive.bytes, naive.bytes);
                like(told.blocks, naive.blocks, naive.blocks);
                // What is live was all there once: the rounding is that of what came.
                let came = sum(&all);
                like(
                    told.bytes_variance,
                    naive.bytes_variance,
                    came.bytes_variance,
                );
                like(
                    told.blocks_variance,
                    naive.blocks_variance,
                    came.blocks_variance,
                );
            }
            for (index, blocks) in figures.lifetimes.buckets.iter().enumerate() {
                let own = gone.iter().filter(|(id, _, lifetime)| {
                    *id == figures.id && DurationHistogram::bucket_of(*lifetime) == index
                });
                let naive: f64 = own.map(|(_, weight, _)| weight.blocks).sum();
                assert!((blocks - naive).abs() <= 1e-6 * naive.max(1.0));
            }
        }
    }
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
