//! The table of call stacks, under every interleaving that loom can reach.

use super::*;
use loom::sync::Arc;

fn intern(trie: &Trie, frames: &[u64], spare: &mut u32) -> NodeId {
    match trie.intern(&Entered::vouch(), NodeId::ROOT, frames, spare) {
        Interned::Whole(id) => id,
        Interned::Prefix(..) => panic!("there is room"),
    }
}

/// Two threads add the same stack at once: one number, and each sees the other's frames.
#[test]
fn one_stack_gets_one_number() {
    loom::model(|| {
        let trie = Arc::new(Trie::new(8).unwrap());
        let other = Arc::clone(&trie);
        let thread = loom::thread::spawn(move || intern(&other, &[7, 5], &mut 0));
        let mine = intern(&trie, &[7, 5], &mut 0);
        let theirs = thread.join().unwrap();
        assert_eq!(mine, theirs);
        assert_eq!(trie.stack_of(mine).0, [7, 5]);
    });
}

/// Two threads add different stacks that share a frame: the shared frame is one node, the stacks stay apart.
#[test]
fn stacks_that_share_frames_stay_apart() {
    loom::model(|| {
        let trie = Arc::new(Trie::new(8).unwrap());
        let other = Arc::clone(&trie);
        let thread = loom::thread::spawn(move || intern(&other, &[8, 5], &mut 0));
        let mine = intern(&trie, &[7, 5], &mut 0);
        let theirs = thread.join().unwrap();
        assert_eq!(trie.stack_of(mine).0, [7, 5]);
        assert_eq!(trie.stack_of(theirs).0, [8, 5]);
        let shared = |id: NodeId| trie.nodes[id.0 as usize].parent.load(Ordering::Relaxed);
        assert_eq!(shared(mine), shared(theirs));
    });
}
