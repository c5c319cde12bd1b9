//! Sampled blocks that are not yet freed: from address to record.
//!
//! ```text
//!  level 0          level 1 (eight times as large) …
//!  ┌─────────┐
//!  │ keys    │  addresses, in windows of eight: one cache line
//!  ├─────────┤
//!  │ records │  size, time, weight, site of the block at the same index
//!  └─────────┘
//! ```
//!
//! An address may stand anywhere in its window of a level; when the windows of all levels are full, a further level is
//! made. Where there is none left, a block overflows into one of the next windows: without that, a few windows would be full
//! long before the table is. Nothing is ever moved, so neither adding nor removing has to wait for anybody.
//!
//! Invariants:
//! * A key goes 0 → `RESERVED` → address → `RESERVED` → 0. Whoever made it `RESERVED` owns the record until the next step.
//! * An address is added before `alloc` returns it, so that whoever frees the block finds it.

use super::once::Once;
use super::prefetch;
use super::region::{Region, Zeroable};
use super::room::{Room, Stock};
use super::sites::{SiteId, Weight};
use crate::entered::Entered;
use crate::losses::Cause;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// What is known of a sampled block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LiveBlock {
    /// Requested bytes.
    pub(crate) size: usize,
    /// Requested alignment.
    pub(crate) align: usize,
    /// Bytes in front of it, if it stands at a marked address within a larger block of the inner allocator.
    pub(crate) mark: Option<u8>,
    /// When it was allocated, in ticks of the profiler's clock.
    pub(crate) born: u64,
    /// The site that counts it.
    pub(crate) site: SiteId,
    /// Blocks that it stands for.
    pub(crate) blocks: f64,
    /// How often the sampling interval stood doubled when it was sampled: 31 at most.
    pub(crate) steps: u8,
    /// Which of the counters of unmarked blocks counts it, if it is one: 15 at most.
    pub(crate) share: u8,
}

impl LiveBlock {
    /// What this block adds to its site.
    pub(crate) fn weight(&self) -> Weight {
        Weight {
            size: self.size as u64,
            blocks: self.blocks,
        }
    }

    /// How many more samples this one would be on average at the interval that was set.
    fn excess(&self) -> u64 {
        (1 << self.steps) - 1
    }
}

/// A [`LiveBlock`] in the table.
#[derive(Debug, Default)]
struct Record {
    /// Requested bytes, and in the uppermost byte the offset.
    size: AtomicU64,
    born: AtomicU64,
    /// Bits of the number of blocks that the sample stands for.
    blocks: AtomicU64,
    site: AtomicU32,
    /// Logarithm of the alignment, `MARKED`, the steps, the share, and above them a number that changes with each use of the record.
    state: AtomicU32,
}

// SAFETY: all fields are atomic integers, for which zero is valid; no `Drop`.
unsafe impl Zeroable for Record {}

/// No block is of 2⁵⁶ bytes.
const OFFSET_SHIFT: u32 = 56;
const ALIGN: u32 = 0x3f;
const MARKED: u32 = 0x40;
const STEPS_SHIFT: u32 = 7;
const STEPS: u32 = 0x1f;
const SHARE_SHIFT: u32 = 12;
const SHARE: u32 = 0xf;
const USE: u32 = 0x1_0000;

impl Record {
    /// Relaxed throughout: the key that leads here is stored with Release afterwards.
    fn store(&self, block: &LiveBlock) {
        let offset = block.mark.unwrap_or(0);
        let size = block.size as u64 | u64::from(offset) << OFFSET_SHIFT;
        self.size.store(size, Ordering::Relaxed);
        self.born.store(block.born, Ordering::Relaxed);
        self.blocks.store(block.blocks.to_bits(), Ordering::Relaxed);
        self.site.store(block.site.number(), Ordering::Relaxed);
        let next_use = (self.state.load(Ordering::Relaxed) & !(USE - 1)).wrapping_add(USE);
        let marked = if block.mark.is_some() { MARKED } else { 0 };
        let steps = (u32::from(block.steps) & STEPS) << STEPS_SHIFT;
        let share = (u32::from(block.share) & SHARE) << SHARE_SHIFT;
        let align = block.align.trailing_zeros();
        self.state
            .store(next_use | share | steps | marked | align, Ordering::Relaxed);
    }

    fn load(&self) -> LiveBlock {
        let state = self.state.load(Ordering::Relaxed);
        let size = self.size.load(Ordering::Relaxed);
        LiveBlock {
            size: (size & ((1 << OFFSET_SHIFT) - 1)) as usize,
            align: 1 << (state & ALIGN),
            mark: (state & MARKED != 0).then_some((size >> OFFSET_SHIFT) as u8),
            born: self.born.load(Ordering::Relaxed),
            site: SiteId::from_number(self.site.load(Ordering::Relaxed)),
            blocks: f64::from_bits(self.blocks.load(Ordering::Relaxed)),
            steps: (state >> STEPS_SHIFT & STEPS) as u8,
            share: (state >> SHARE_SHIFT & SHARE) as u8,
        }
    }
}

#[derive(Debug)]
struct Level {
    keys: Region<AtomicU64>,
    records: Region<Record>,
}

impl Level {
    fn new(slots: usize) -> Option<Self> {
        Some(Self {
            keys: Region::new(slots)?,
            records: Region::new(slots)?,
        })
    }

    /// The keys and the records of the window of an address, or of the `nth` after it; none if that is the same again.
    #[inline]
    fn window(&self, hash: u64, nth: usize) -> (&[AtomicU64], &[Record]) {
        let mask = self.keys.len() - 1;
        if nth * WINDOW > mask {
            return (&[], &[]);
        }
        let start = (hash as u32 as usize + nth * WINDOW) & mask & !(WINDOW - 1);
        let window = start..start + WINDOW;
        (&self.keys[window.clone()], &self.records[window])
    }

    #[inline]
    fn insert(&self, address: u64, hash: u64, nth: usize, block: &LiveBlock) -> bool {
        let (keys, records) = self.window(hash, nth);
        for (key, record) in keys.iter().zip(records) {
            // Acquire: pairs with the Release that freed the slot, so that the record is ours alone.
            let free = key.load(Ordering::Relaxed) == FREE
                && key
                    .compare_exchange(FREE, RESERVED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok();
            if free {
                // Release: the reservation before the record, for `each`.
                fence(Ordering::Release);
                record.store(block);
                // Release: the record before the key.
                key.store(address, Ordering::Release);
                return true;
            }
        }
        false
    }

    #[inline]
    fn remove(&self, address: u64, hash: u64, nth: usize) -> Option<LiveBlock> {
        let (keys, records) = self.window(hash, nth);
        for (key, record) in keys.iter().zip(records) {
            // Acquire: pairs with the Release in `insert`. Exchange: of two that free one block (which is the program's
            // mistake) only one gets the record.
            let found = key.load(Ordering::Relaxed) == address
                && key
                    .compare_exchange(address, RESERVED, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok();
            if found {
                let block = record.load();
                // Release: our reading of the record before another's writing.
                key.store(FREE, Ordering::Release);
                return Some(block);
            }
        }
        None
    }

    /// The record of a block that its owner asks for: nobody removes it meanwhile.
    #[inline]
    fn find(&self, address: u64, hash: u64, nth: usize) -> Option<LiveBlock> {
        let (keys, records) = self.window(hash, nth);
        let mut slots = keys.iter().zip(records);
        // Acquire: pairs with the Release in `insert`.
        let (_, record) = slots.find(|(key, _)| key.load(Ordering::Acquire) == address)?;
        Some(record.load())
    }

    /// Calls `seen` with each block that stands in the table for the whole of its reading.
    fn each(&self, seen: &mut impl FnMut(u64, LiveBlock)) {
        for (key, record) in self.keys.iter().zip(self.records.iter()) {
            // Acquire: pairs with the Release in `insert`.
            let address = key.load(Ordering::Acquire);
            if address <= RESERVED {
                continue;
            }
            let state = record.state.load(Ordering::Relaxed);
            let block = record.load();
            // Acquire: the loads above before the second look; and who sees a key that was put there anew sees the new state.
            fence(Ordering::Acquire);
            let unchanged = key.load(Ordering::Acquire) == address
                && record.state.load(Ordering::Relaxed) == state;
            if unchanged {
                seen(address, block);
            }
        }
    }
}

/// The table of live samples.
#[derive(Debug)]
pub(crate) struct Live {
    levels: [Once<Level>; LEVELS],
    /// Levels in use.
    active: AtomicU32,
    room: Room,
    /// Sum over the blocks in the table that were sampled at a doubled interval; see `excess`.
    excess: AtomicU64,
    /// Blocks in another window than their own, and those that are about to be.
    overflowed: AtomicU64,
}

impl Live {
    /// A table of at most `capacity` blocks.
    pub(crate) fn new(capacity: u32) -> Option<Self> {
        let live = Self {
            levels: std::array::from_fn(|_| Once::new()),
            active: AtomicU32::new(0),
            room: Room::of(u64::from(capacity)),
            excess: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
        };
        live.grow(0).ok().map(|()| live)
    }

    /// Asks for the memory in which a block at `address` will be recorded, so that it is near when it is needed: on all
    /// levels at once, for each is a miss of its own in a large table.
    #[inline]
    pub(crate) fn prefetch(&self, address: u64) {
        let hash = hash(address);
        for (index, level) in self.levels().enumerate() {
            let (keys, records) = level.window(hash, 0);
            prefetch(&keys[0]);
            // Most blocks are on the newest level.
            if index == 0 {
                prefetch(&records[0]);
            }
        }
    }

    /// Adds a block. If there is no room or no memory for it, says which. The caller has made sure that its address is not in the table. `stock`
    /// is the calling thread's, if it has one.
    pub(crate) fn insert(
        &self,
        _inside: &Entered,
        address: u64,
        block: &LiveBlock,
        stock: Option<&Stock>,
    ) -> Result<(), Cause> {
        if !self.room.take(stock) {
            return Err(Cause::LiveTableFull);
        }
        let hash = hash(address);
        loop {
            // Relaxed: a level itself is handed over by its `Once`.
            let active = self.active.load(Ordering::Relaxed);
            let mut levels = self.levels();
            if levels.any(|level| level.insert(address, hash, 0, block)) {
                break;
            }
            if let Err(cause) = self.grow(active) {
                if self.overflow(address, hash, block) {
                    break;
                }
                self.room.give(stock);
                return Err(cause);
            }
        }
        if block.steps > 0 {
            self.excess.fetch_add(block.excess(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Adds a block to another window than its own, which is full on all levels while there is no further one, or no memory for
    /// it. `false` if the others are full, too.
    #[cold]
    fn overflow(&self, address: u64, hash: u64, block: &LiveBlock) -> bool {
        // Before it stands there, and so before anybody can ask for it. Relaxed: see `overflowed`.
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        let added = (1..=OVERFLOWS).any(|nth| {
            self.levels()
                .any(|level| level.insert(address, hash, nth, block))
        });
        if !added {
            self.overflowed.fetch_sub(1, Ordering::Relaxed);
        }
        added
    }

    /// What `look` finds on any level in the windows into which blocks overflow. Mostly there are none, and nobody looks.
    #[inline]
    fn overflowed<T>(&self, look: impl Fn(&Level, usize) -> Option<T>) -> Option<T> {
        // Relaxed: who asks for a block was handed it after it was counted, and it counts for as long as it stands there.
        if self.overflowed.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.look_further(look)
    }

    #[cold]
    fn look_further<T>(&self, look: impl Fn(&Level, usize) -> Option<T>) -> Option<T> {
        (1..=OVERFLOWS).find_map(|nth| self.levels().find_map(|level| look(level, nth)))
    }

    /// The record of a block, for whoever owns the block.
    pub(crate) fn find(&self, address: u64) -> Option<LiveBlock> {
        let hash = hash(address);
        self.levels()
            .find_map(|level| level.find(address, hash, 0))
            .or_else(|| self.overflowed(|level, nth| level.find(address, hash, nth)))
    }

    /// Takes a block out of the table. `stock` is the calling thread's, if it has one.
    pub(crate) fn remove(&self, address: u64, stock: Option<&Stock>) -> Option<LiveBlock> {
        let hash = hash(address);
        let mut levels = self.levels();
        let block = match levels.find_map(|level| level.remove(address, hash, 0)) {
            Some(block) => block,
            None => {
                let block = self.overflowed(|level, nth| level.remove(address, hash, nth))?;
                self.overflowed.fetch_sub(1, Ordering::Relaxed);
                block
            }
        };
        if block.steps > 0 {
            self.excess.fetch_sub(block.excess(), Ordering::Relaxed);
        }
        self.room.give(stock);
        Some(block)
    }

    /// Calls `seen` with each block. Blocks that are added or removed meanwhile may or may not be seen.
    pub(crate) fn each(&self, mut seen: impl FnMut(u64, LiveBlock)) {
        self.levels().for_each(|level| level.each(&mut seen));
    }

    /// Blocks in the table. Takes a time proportional to its size.
    pub(crate) fn entries(&self) -> u64 {
        let taken = |key: &&AtomicU64| key.load(Ordering::Relaxed) > RESERVED;
        let count = |level: &Level| level.keys.iter().filter(taken).count() as u64;
        self.levels().map(count).sum()
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.room.capacity
    }

    /// Room that is taken: blocks in the table, and what threads hold in stock.
    pub(crate) fn taken(&self) -> u64 {
        self.room.taken()
    }

    /// How many more blocks there would be on average, had all been sampled at the interval that was set.
    pub(crate) fn excess(&self) -> u64 {
        self.excess.load(Ordering::Relaxed)
    }

    /// Bytes of the levels in use, and of all levels.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let bytes = |slots: usize| (slots * (size_of::<AtomicU64>() + size_of::<Record>())) as u64;
        let used = self.levels().map(|level| bytes(level.keys.len())).sum();
        let all = self.all_slots().map(bytes).sum();
        (used, all)
    }

    /// The levels in use, the newest and largest first: there most blocks are, and there is most room.
    fn levels(&self) -> impl Iterator<Item = &Level> {
        let active = self.active.load(Ordering::Relaxed) as usize;
        self.levels[..active].iter().rev().filter_map(Once::get)
    }

    /// Makes the level after the first `active` ones, unless there is none left, or no memory.
    fn grow(&self, active: u32) -> Result<(), Cause> {
        let index = active as usize;
        let slots = self.slots(index).ok_or(Cause::LiveTableFull)?;
        if self.levels[index].get().is_none() {
            let level = Level::new(slots).ok_or(Cause::OwnMemoryRefused)?;
            // If another thread was first, its level is used and this one unmapped.
            let kept = self.levels[index].set(level);
            kept.ok_or(Cause::OwnMemoryRefused)?;
        }
        // Relaxed: whoever misses the new level for a moment cannot be looking for a block in it.
        self.active.fetch_max(active + 1, Ordering::Relaxed);
        Ok(())
    }

    /// Slots of each level there may be.
    fn all_slots(&self) -> impl Iterator<Item = usize> {
        (0..LEVELS).map_while(|level| self.slots(level))
    }

    /// Slots of a level: eight times those of the one before, up to twice the capacity in all.
    fn slots(&self, level: usize) -> Option<usize> {
        let last = (self.room.capacity as usize)
            .next_power_of_two()
            .max(WINDOW);
        let first = FIRST_LEVEL.min(last);
        // The last level comes twice at most: what uneven windows have no room for overflows.
        let before = if level == 0 {
            0
        } else {
            first << (3 * (level - 1))
        };
        (level < LEVELS && before < last * 8).then(|| (first << (3 * level)).min(last))
    }
}

fn hash(address: u64) -> u64 {
    let mixed = (address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

const FREE: u64 = 0;
const RESERVED: u64 = 1;

#[cfg(not(loom))]
const WINDOW: usize = 8;
#[cfg(loom)]
const WINDOW: usize = 1;

/// Windows after its own into which a block may overflow: what one has too much, the four together have not.
#[cfg(not(loom))]
const OVERFLOWS: usize = 3;
#[cfg(loom)]
const OVERFLOWS: usize = 1;

/// Slots of the first level: 20 KiB in all.
#[cfg(not(loom))]
const FIRST_LEVEL: usize = 512;
#[cfg(loom)]
const FIRST_LEVEL: usize = 1;

#[cfg(not(loom))]
const LEVELS: usize = 8;
#[cfg(loom)]
const LEVELS: usize = 2;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod models;
