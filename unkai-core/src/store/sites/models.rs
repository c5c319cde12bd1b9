//! The table of sites, under every interleaving that loom can reach.

use super::*;
use crate::store::trie::Interned;
use loom::sync::Arc;

fn node(trie: &Trie, address: u64) -> NodeId {
    match trie.intern(&Entered::vouch(), NodeId::ROOT, &[address], &mut 0) {
        Interned::Whole(id) => id,
        other => panic!("{other:?}"),
    }
}

fn site(sites: &Sites, trie: &Trie, node: NodeId) -> SiteId {
    let site = sites.of(&Entered::vouch(), trie, node);
    site.expect("there is room")
}

/// Two threads ask for the site of one new stack: they get one, both samples are in it, and the number that one of them took in
/// vain is the next stack's.
#[test]
fn one_stack_gets_one_site() {
    loom::model(|| {
        let shared = Arc::new((Sites::new(4).unwrap(), Trie::new(8).unwrap()));
        let (one, next) = (node(&shared.1, 5), node(&shared.1, 6));
        let weight = Weight {
            size: 10,
            blocks: 1.0,
        };
        let sample = move |sites: &Sites, trie: &Trie| {
            let site = site(sites, trie, one);
            sites.add(site, weight, 0);
            site
        };
        let other = Arc::clone(&shared);
        let thread = loom::thread::spawn(move || sample(&other.0, &other.1));
        let (sites, trie) = &*shared;
        let mine = sample(sites, trie);
        assert_eq!(mine, thread.join().unwrap());
        let later = site(sites, trie, next);
        assert_ne!(later, mine);
        sites.add(later, weight, 0);
        let figures: Vec<_> = sites.figures(0).collect();
        let read = |figures: &SiteFigures| (figures.node, figures.live.samples);
        let all: Vec<_> = figures.iter().map(read).collect();
        assert!(
            all.contains(&(one, 2)) && all.contains(&(next, 1)),
            "{all:?}"
        );
        assert_eq!(sites.used(), 4);
    });
}

/// A sample is added on one thread and withdrawn on another, while a third looks: it sees no more gone than came.
#[test]
fn nothing_is_seen_gone_that_did_not_come() {
    loom::model(|| {
        let shared = Arc::new((
            Sites::new(4).unwrap(),
            Trie::new(8).unwrap(),
            AtomicU32::new(0),
        ));
        let site = site(&shared.0, &shared.1, node(&shared.1, 5));
        let weight = Weight {
            size: 10,
            blocks: 1.0,
        };
        let adds = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                shared.0.add(site, weight, 0);
                shared.2.store(1, Ordering::Release);
            })
        };
        let removes = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let came = shared.2.load(Ordering::Acquire) == 1;
                if came {
                    shared.0.remove(site, weight, 0, 1);
                }
                came
            })
        };
        let (sites, ..) = &*shared;
        let live = sites
            .place(site.number() as usize)
            .live()
            .map(|part| part as i64);
        assert!(live.iter().all(|part| *part >= 0), "{live:?}");
        adds.join().unwrap();
        let came = removes.join().unwrap();
        let live = sites.figures(0).next().expect("it has a sample").live;
        assert_eq!(live.samples, i64::from(!came));
        assert_eq!(live.bytes, if came { 0.0 } else { 10.0 });
    });
}
