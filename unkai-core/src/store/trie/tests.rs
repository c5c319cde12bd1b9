//! The table of call stacks, against simple models, at the edges, and under several threads.

use super::*;
use std::collections::HashMap;

fn whole(interned: Interned) -> NodeId {
    match interned {
        Interned::Whole(id) => id,
        Interned::Prefix(id, cause) => panic!("only a prefix was kept: {id:?}, {cause:?}"),
    }
}

#[test]
fn a_stack_walks_back_from_its_number() {
    let trie = Trie::new(100).unwrap();
    let inside = Entered::vouch();
    let mut spare = 0;
    let id = whole(trie.intern(&inside, NodeId::TRUNCATED, &[3, 2, 1], &mut spare));
    assert_eq!(trie.stack_of(id), (vec![3, 2, 1], NodeId::TRUNCATED));
    assert_eq!(
        whole(trie.intern(&inside, NodeId::TRUNCATED, &[3, 2, 1], &mut spare)),
        id
    );
    assert_ne!(
        whole(trie.intern(&inside, NodeId::ROOT, &[3, 2, 1], &mut spare)),
        id
    );
    assert_eq!(trie.stack_of(NodeId::ROOT), (vec![], NodeId::ROOT));
}

#[test]
fn random_stacks_agree_with_a_map() {
    let trie = Trie::new(1 << 18).unwrap();
    let inside = Entered::vouch();
    let mut random = crate::probe::sampler::Random::new(0x5eed);
    let (mut spare, mut model) = (0, HashMap::new());
    for _ in 0..40_000 {
        let depth = random.next() % 12;
        let stack: Vec<u64> = (0..depth).map(|_| 1 + random.next() % 7).collect();
        let id = whole(trie.intern(&inside, NodeId::ROOT, &stack, &mut spare));
        assert_eq!(*model.entry(stack.clone()).or_insert(id), id);
        assert_eq!(trie.stack_of(id), (stack, NodeId::ROOT));
    }
    let distinct: std::collections::HashSet<_> = model.values().collect();
    assert_eq!(distinct.len(), model.len());
}

#[test]
fn a_full_trie_keeps_the_outer_part() {
    let trie = Trie::new(16).unwrap();
    let inside = Entered::vouch();
    let stack: Vec<u64> = (1..=40).collect();
    let Interned::Prefix(id, Cause::StacksFull) =
        trie.intern(&inside, NodeId::ROOT, &stack, &mut 0)
    else {
        panic!("40 frames cannot fit into 16 nodes");
    };
    let (prefix, _) = trie.stack_of(id);
    assert_eq!(prefix, stack[26..]);
    assert_eq!(trie.used(), 16);
}

#[test]
fn all_nodes_can_be_used() {
    for capacity in [16, 1000, 5000, 70_000] {
        let trie = Trie::new(capacity).unwrap();
        let inside = Entered::vouch();
        let mut spare = 0;
        let mut address = 0;
        while matches!(
            trie.intern(&inside, NodeId::ROOT, &[address + 1], &mut spare),
            Interned::Whole(_)
        ) {
            address += 1;
        }
        // A last few may find the windows of all levels full.
        assert!(
            address + 2 > u64::from(capacity) * 95 / 100,
            "{address} of {capacity}"
        );
    }
}

#[test]
fn threads_that_add_the_same_stacks_get_the_same_numbers() {
    let trie = Trie::new(100_000).unwrap();
    let results: Vec<Vec<NodeId>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (inside, mut spare) = (Entered::vouch(), 0);
                    (0..20_000u64)
                        .map(|number| {
                            let stack = [number % 97 + 1, number % 89 + 1, number + 1];
                            whole(trie.intern(&inside, NodeId::ROOT, &stack, &mut spare))
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
    assert!(results.iter().all(|ids| *ids == results[0]));
}
