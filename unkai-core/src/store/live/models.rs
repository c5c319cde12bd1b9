//! The table of live samples, under every interleaving that loom can reach.

use super::*;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64 as Handover;

fn block(size: usize) -> LiveBlock {
    LiveBlock {
        size,
        align: 8,
        marked: true,
        born: size as u64,
        site: SiteId::from_number(size as u32),
        blocks: size as f64,
    }
}

/// A block is added on one thread, handed over, and freed on another, while a third address of the same filter comes
/// and goes: whoever frees a sampled block finds the filter above zero, and its record.
#[test]
fn the_filter_never_hides_a_block_that_was_handed_over() {
    loom::model(|| {
        let live = Arc::new(Live::new(2).unwrap());
        let handover = Arc::new(Handover::new(0));
        let (producer_live, producer_handover) = (Arc::clone(&live), Arc::clone(&handover));
        let producer = loom::thread::spawn(move || {
            let inside = Entered::vouch();
            if producer_live.insert(&inside, 0x100, &block(3)) {
                producer_handover.store(0x100, Ordering::Release);
            }
        });
        let inside = Entered::vouch();
        let own = live.insert(&inside, 0x200, &block(5));
        let address = handover.load(Ordering::Acquire);
        if address != 0 {
            assert!(live.may_contain(address));
            assert_eq!(live.remove(&inside, address), Some(block(3)));
        }
        if own {
            assert!(live.may_contain(0x200));
            assert_eq!(live.remove(&inside, 0x200), Some(block(5)));
        }
        producer.join().unwrap();
    });
}

/// A snapshot reads beside a slot that is freed and used again: it sees the one block or the other, never a mixture.
#[test]
fn a_snapshot_never_sees_a_mixed_record() {
    loom::model(|| {
        let live = Arc::new(Live::new(1).unwrap());
        let inside = Entered::vouch();
        assert!(live.insert(&inside, 0x100, &block(3)));
        let other = Arc::clone(&live);
        let changer = loom::thread::spawn(move || {
            let inside = Entered::vouch();
            assert_eq!(other.remove(&inside, 0x100), Some(block(3)));
            assert!(other.insert(&inside, 0x100, &block(5)));
        });
        live.each(|address, seen| {
            assert_eq!(address, 0x100);
            assert!(seen == block(3) || seen == block(5), "{seen:?}");
        });
        changer.join().unwrap();
    });
}
