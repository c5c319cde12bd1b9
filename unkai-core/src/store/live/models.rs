//! The table of live samples, under every interleaving that loom can reach.

use super::*;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU64 as Handover;

fn block(size: usize) -> LiveBlock {
    LiveBlock {
        size,
        align: 8,
        mark: Some(248),
        born: size as u64,
        site: SiteId::from_number(size as u32),
        blocks: size as f64,
        steps: 0,
        share: 0,
    }
}

/// A block is added on one thread, handed over, and freed on another, while another address of the same window comes
/// and goes: whoever frees a sampled block finds its record.
#[test]
fn a_block_that_was_handed_over_is_found() {
    loom::model(|| {
        let live = Arc::new(Live::new(2).unwrap());
        let handover = Arc::new(Handover::new(0));
        let (producer_live, producer_handover) = (Arc::clone(&live), Arc::clone(&handover));
        let producer = loom::thread::spawn(move || {
            let (inside, stock) = (Entered::vouch(), Stock::empty());
            if producer_live
                .insert(&inside, 0x100, &block(3), Some(&stock))
                .is_ok()
            {
                producer_handover.store(0x100, Ordering::Release);
            }
        });
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        let own = live.insert(&inside, 0x200, &block(5), Some(&stock)).is_ok();
        let address = handover.load(Ordering::Acquire);
        if address != 0 {
            assert_eq!(live.remove(address, Some(&stock)), Some(block(3)));
        }
        if own {
            assert_eq!(live.remove(0x200, Some(&stock)), Some(block(5)));
        }
        producer.join().unwrap();
    });
}

/// As above, where neither level has room in the block's own window, and another thread frees what stands there: the block is
/// found where it stands, in its window or the next, and what counts those that overflowed ends at none.
#[test]
fn a_block_that_overflowed_is_found() {
    // On the second level all of the same window; the first has one.
    let mut addresses = (1..)
        .map(|n| n * 8)
        .filter(|&address| hash(address) & 3 == 0);
    let [first, second, third] = std::array::from_fn(|_| addresses.next().unwrap());
    loom::model(move || {
        let live = Arc::new(Live::new(3).unwrap());
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        for address in [first, second] {
            assert_eq!(
                live.insert(&inside, address, &block(3), Some(&stock)),
                Ok(())
            );
        }
        let handover = Arc::new(Handover::new(0));
        let (producer_live, producer_handover) = (Arc::clone(&live), Arc::clone(&handover));
        let producer = loom::thread::spawn(move || {
            let (inside, stock) = (Entered::vouch(), Stock::empty());
            let added = producer_live.insert(&inside, third, &block(5), Some(&stock));
            assert_eq!(added, Ok(()));
            producer_handover.store(third, Ordering::Release);
        });
        assert_eq!(live.remove(second, Some(&stock)), Some(block(3)));
        let handed_over = handover.load(Ordering::Acquire) == third;
        if handed_over {
            assert_eq!(live.remove(third, Some(&stock)), Some(block(5)));
        }
        producer.join().unwrap();
        if !handed_over {
            assert_eq!(live.remove(third, Some(&stock)), Some(block(5)));
        }
        assert_eq!(live.overflowed.load(Ordering::Relaxed), 0);
    });
}

/// A snapshot reads beside a slot that is freed and used again: it sees the one block or the other, never a mixture.
#[test]
fn a_snapshot_never_sees_a_mixed_record() {
    loom::model(|| {
        let live = Arc::new(Live::new(1).unwrap());
        let (inside, stock) = (Entered::vouch(), Stock::empty());
        assert_eq!(live.insert(&inside, 0x100, &block(3), Some(&stock)), Ok(()));
        let other = Arc::clone(&live);
        let changer = loom::thread::spawn(move || {
            let (inside, stock) = (Entered::vouch(), Stock::empty());
            assert_eq!(other.remove(0x100, Some(&stock)), Some(block(3)));
            assert_eq!(
                other.insert(&inside, 0x100, &block(5), Some(&stock)),
                Ok(())
            );
        });
        live.each(|address, seen| {
            assert_eq!(address, 0x100);
            assert!(seen == block(3) || seen == block(5), "{seen:?}");
        });
        changer.join().unwrap();
    });
}
