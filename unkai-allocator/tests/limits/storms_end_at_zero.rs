//! Whatever happens at once, and whatever of it fails: once everything is given back, every scope is at zero.

use std::alloc::Layout;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use unkai_allocator::api::{AllocError, Allocator, Global};
use unkai_allocator::{Bounds, OnExhausted, ReclaimRequest, Reservation, Scope, Unkai};

use crate::support::Random;
use crate::tree::assert_all_zero;
use crate::turn::{Within, my_turn, seed};

/// The global allocator, but refuses some calls: allocations, growth, and reductions as well.
#[derive(Clone, Debug)]
struct Flaky(Arc<Mood>);

#[derive(Debug)]
struct Mood {
    calls: AtomicU64,
    /// The call with this number fails, the first being 1.
    fail_at: u64,
    /// One call in this many fails, as if by chance; 0: none.
    fail_one_in: u64,
}

impl Flaky {
    fn new(fail_at: u64, fail_one_in: u64) -> Self {
        Self(Arc::new(Mood {
            calls: AtomicU64::new(0),
            fail_at,
            fail_one_in,
        }))
    }

    fn enter(&self) -> Result<(), AllocError> {
        let mood = &*self.0;
        let call = mood.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let by_chance = mood.fail_one_in > 0
            && (Random::new(call).next() % 1009).is_multiple_of(mood.fail_one_in);
        if call == mood.fail_at || by_chance {
            return Err(AllocError);
        }
        Ok(())
    }
}

// SAFETY: forwards to an allocator that keeps the contract, or returns no block.
unsafe impl Allocator for Flaky {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.enter()?;
        Global.allocate(layout)
    }

    unsafe fn deallocate(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { Global.deallocate(ptr, layout) }
    }

    unsafe fn grow(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        self.enter()?;
        // SAFETY: the caller's promise.
        unsafe { Global.grow(ptr, old, new) }
    }

    unsafe fn shrink(
        &self,
        ptr: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        self.enter()?;
        // SAFETY: the caller's promise.
        unsafe { Global.shrink(ptr, old, new) }
    }
}

/// A block, freed when it is dropped.
struct Block {
    from: Unkai<Flaky>,
    ptr: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory belongs to whoever holds this, and the allocator may be used on any thread.
unsafe impl Send for Block {}

impl Block {
    fn take(scope: &Scope, inner: &Flaky, size: usize) -> Option<Self> {
        let from = Unkai::in_scope(inner.clone(), scope);
        let layout = Layout::from_size_align(size, 8).unwrap();
        let ptr = from.allocate(layout).ok()?.cast();
        Some(Self { from, ptr, layout })
    }

    fn resize(&mut self, size: usize) {
        let new = Layout::from_size_align(size, 8).unwrap();
        let result = if size < self.layout.size() {
            // SAFETY: the block is held with this layout; the sizes are compared.
            unsafe { self.from.shrink(self.ptr, self.layout, new) }
        } else {
            // SAFETY: as above.
            unsafe { self.from.grow(self.ptr, self.layout, new) }
        };
        if let Ok(block) = result {
            (self.ptr, self.layout) = (block.cast(), new);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block is held with this layout, and now given up.
        unsafe { self.from.deallocate(self.ptr, self.layout) };
    }
}

const THREADS: usize = 8;
const SLOTS: usize = 24;
const LIMIT: usize = 256 << 10;

/// What the threads of a storm share.
struct Weather {
    root: Scope,
    /// Handles that come and go.
    scopes: [Mutex<Option<Scope>>; SLOTS],
    /// What reclaimers may free.
    cache: Arc<Mutex<Vec<Block>>>,
    inner: Flaky,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    granted: AtomicUsize,
    refused: AtomicUsize,
    moved: AtomicUsize,
    reclaimed: Arc<AtomicUsize>,
    panicked: Arc<AtomicUsize>,
    warned: Arc<AtomicUsize>,
    leaks: Arc<AtomicUsize>,
}

impl Counts {
    fn count<T, E>(&self, result: Result<T, E>) -> Option<T> {
        let counter = if result.is_ok() {
            &self.granted
        } else {
            &self.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result.ok()
    }
}

#[test]
fn storms_end_at_zero() {
    let _turn = my_turn();
    for seed in (0..8).map(seed) {
        let root = Scope::root("root").limit(LIMIT).high(LIMIT / 2).build();
        let weather = Weather {
            root: root.unwrap(),
            scopes: Default::default(),
            cache: Arc::default(),
            inner: Flaky::new(1000 + seed * 77, 9),
            counts: Counts::default(),
        };
        weather.blow(seed);
        println!("seed {seed}: {:?}", weather.counts);
        weather.assert_calm();
    }
}

impl Weather {
    fn blow(&self, seed: u64) {
        let counts = &self.counts;
        let leaks = Arc::clone(&counts.leaks);
        self.root.on_leak(move |_| {
            leaks.fetch_add(1, Ordering::Relaxed);
        });
        let (cache, reclaimed) = (Arc::clone(&self.cache), Arc::clone(&counts.reclaimed));
        let _helpful = self
            .root
            .on_reclaim(2, move |request: &ReclaimRequest<'_>| {
                let Ok(mut cache) = cache.try_lock() else {
                    return 0;
                };
                let mut freed = 0;
                while freed < request.bytes()
                    && let Some(block) = cache.pop()
                {
                    freed += block.layout.size();
                }
                reclaimed.fetch_add(freed, Ordering::Relaxed);
                freed
            });
        let panicked = Arc::clone(&counts.panicked);
        let _panicking = self.root.on_reclaim(1, move |_: &ReclaimRequest<'_>| {
            if panicked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                // A panic, but without a word on the terminal.
                resume_unwind(Box::new("on purpose"));
            }
            0
        });
        let (warned, inner) = (Arc::clone(&counts.warned), self.inner.clone());
        let allocating = self.root.clone();
        let _warned = self.root.on_high(move |event| {
            warned.fetch_add(1, Ordering::Relaxed);
            let block = Block::take(&allocating, &inner, 100 + event.reserved() % 1000);
            drop(allocating.child("made by a callback").min(10).build());
            drop(block);
        });

        let within = Within::millis(1500);
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| sync_channel(16)).unzip();
        thread::scope(|scope| {
            for (number, received) in receivers.into_iter().enumerate() {
                let senders = senders.clone();
                scope.spawn(move || {
                    Sailor {
                        weather: self,
                        random: Random::new(seed * 1000 + number as u64),
                        blocks: Vec::new(),
                        reservations: Vec::new(),
                        senders,
                        received,
                    }
                    .sail(within)
                });
            }
            drop(senders);
        });
        let cached = std::mem::take(&mut *self.cache.lock().unwrap());
        drop(cached);
    }

    fn assert_calm(self) {
        let mut scopes = vec![self.root.clone()];
        for slot in self.scopes {
            let mut next = slot.into_inner().unwrap();
            while let Some(scope) = next {
                next = scope.parent();
                scopes.push(scope);
            }
        }
        for scope in &scopes {
            assert_eq!((scope.used(), scope.usage().blocks), (0, 0), "{scope:?}");
        }
        for scope in &scopes {
            assert_eq!(
                scope.set_min(0).map_err(|refusal| refusal.to_string()),
                Ok(())
            );
            scope.clone().close().unwrap();
        }
        assert_all_zero(&self.root);
        drop(scopes);
        assert_eq!(self.root.snapshot(Bounds::all()).scopes().len(), 1);
        assert_all_zero(&self.root);
        let counts = &self.counts;
        let of = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert_eq!(of(&counts.leaks), 0);
        // Otherwise it was no storm.
        assert!(of(&counts.granted) > 1000 && of(&counts.refused) > 1000);
        assert!(of(&counts.moved) > 10 && of(&counts.warned) > 1);
        assert!(of(&counts.reclaimed) > 0 && of(&counts.panicked) > 10);
    }
}

struct Sailor<'w> {
    weather: &'w Weather,
    random: Random,
    blocks: Vec<Block>,
    reservations: Vec<Reservation>,
    senders: Vec<SyncSender<Block>>,
    received: Receiver<Block>,
}

impl Sailor<'_> {
    fn sail(mut self, within: Within) {
        for step in 0..12_000 {
            if step % 64 == 0 && within.is_over() {
                break;
            }
            match self.random.below(100) {
                0..45 => self.change_blocks(),
                45..75 => self.change_reservations(),
                75..99 => self.change_scopes(),
                _ => self.look(),
            }
            drop(self.received.try_recv());
        }
        let Self {
            blocks,
            reservations,
            senders,
            received,
            ..
        } = self;
        drop((senders, blocks));
        received.into_iter().for_each(drop);
        drop(reservations);
    }

    /// One that there is at the moment.
    fn scope(&mut self) -> Scope {
        let slot = &self.weather.scopes[self.random.below(SLOTS)];
        let scope = slot.lock().unwrap().clone();
        scope.unwrap_or_else(|| self.weather.root.clone())
    }

    fn size(&mut self) -> usize {
        1 + self.random.size_up_to(16 << 10)
    }

    fn change_blocks(&mut self) {
        let scope = self.scope();
        let size = self.size();
        let weather = self.weather;
        match self.random.below(8) {
            0..4 if self.blocks.len() < 64 => {
                let block = Block::take(&scope, &weather.inner, size).ok_or(());
                self.blocks.extend(weather.counts.count(block));
            }
            0..5 => {
                if let Some(block) = self.blocks.last_mut() {
                    block.resize(size);
                }
            }
            5 => {
                let block = self.blocks.pop();
                let to = self.random.below(THREADS);
                if let Some(block) = block {
                    // When there is no room for it, it is freed here.
                    drop(self.senders[to].try_send(block));
                }
            }
            6 => {
                let block = self.blocks.pop();
                weather.cache.lock().unwrap().extend(block);
            }
            _ => drop(self.blocks.pop()),
        }
    }

    fn change_reservations(&mut self) {
        let scope = self.scope();
        let size = self.size();
        let weather = self.weather;
        let counts = &weather.counts;
        match self.random.below(10) {
            0..3 if self.reservations.len() < 32 => {
                let reservation = counts.count(scope.try_reserve(size));
                self.reservations.extend(reservation);
            }
            3 if self.random.below(8) == 0 => {
                let timeout = Duration::from_micros(200);
                let reserve = scope.reserve(size, OnExhausted::Wait { timeout });
                self.reservations.extend(counts.count(reserve.blocking()));
            }
            0..5 => {
                if let Some(last) = self.reservations.last_mut() {
                    counts.count(last.try_resize(size));
                }
            }
            5 => {
                if let Some(last) = self.reservations.last_mut() {
                    let part = last.split(size);
                    self.reservations.insert(0, part);
                }
            }
            6 | 7 => {
                if let Some(last) = self.reservations.last_mut()
                    && counts.count(last.transfer_to(&scope)).is_some()
                {
                    counts.moved.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => drop(self.reservations.pop()),
        }
    }

    fn change_scopes(&mut self) {
        let scope = self.scope();
        let size = self.size();
        let at_root = scope.is_same(&self.weather.root);
        match self.random.below(12) {
            0..5 => {
                let mut builder = scope.child("scope");
                if self.random.below(2) == 0 {
                    builder = builder.limit(size * 8);
                }
                if self.random.below(3) == 0 {
                    builder = builder.min(size / 4).high(size * 2);
                }
                let slot = self.random.below(SLOTS);
                if let Some(new) = self.weather.counts.count(builder.build()) {
                    let old = self.weather.scopes[slot].lock().unwrap().replace(new);
                    drop(old);
                }
            }
            5 | 6 => {
                let slot = self.random.below(SLOTS);
                let old = self.weather.scopes[slot].lock().unwrap().take();
                drop(old);
            }
            7 if at_root => {
                scope.set_limit(Some(LIMIT / 2 + self.random.below(LIMIT / 2)));
            }
            7 | 8 if !at_root => {
                let limit = (self.random.below(4) > 0).then_some(size * 4);
                scope.set_limit(limit);
            }
            9 => {
                let min = if self.random.below(2) == 0 {
                    0
                } else {
                    size / 2
                };
                self.weather.counts.count(scope.set_min(min));
            }
            10 if !at_root && self.random.below(8) == 0 => {
                let _ = scope.close();
            }
            10 => scope.set_high((self.random.below(2) == 0).then_some(size * 3)),
            _ if at_root => scope.set_high(Some(LIMIT / 2)),
            _ => scope.reset_peak(),
        }
    }

    fn look(&mut self) {
        let scope = self.scope();
        let snapshot = scope.snapshot(Bounds::all());
        assert_eq!(snapshot.scopes()[0].path(), scope.path());
        // Any moment's numbers will do: they must only be had while everything moves.
        let _ = (
            scope.used(),
            scope.usage(),
            scope.headroom(),
            scope.reserved(),
        );
    }
}

#[test]
fn whichever_inner_call_fails_nothing_is_left() {
    let _turn = my_turn();
    let seed = seed(5);
    for fail_at in 1..=400 {
        let root = Scope::root("root").limit(64 << 10).build().unwrap();
        let scope = root.child("scope").limit(48 << 10).build().unwrap();
        let inner = Flaky::new(fail_at, 0);
        let mut random = Random::new(seed);
        let mut blocks = Vec::new();
        for _ in 0..400 {
            let size = 1 + random.below(4 << 10);
            match random.below(4) {
                0 | 1 => blocks.extend(Block::take(&scope, &inner, size)),
                2 => blocks
                    .iter_mut()
                    .rev()
                    .take(2)
                    .for_each(|block| block.resize(size)),
                _ => drop(blocks.pop()),
            }
            let held: usize = blocks.iter().map(|block| block.layout.size()).sum();
            assert_eq!((scope.used(), scope.usage().blocks), (held, blocks.len()));
            assert_eq!(root.used(), held);
        }
        drop(blocks);
        assert!(inner.0.calls.load(Ordering::Relaxed) > 200);
        assert_eq!(
            (root.used(), root.usage().blocks),
            (0, 0),
            "fail_at {fail_at}"
        );
        scope.close().unwrap();
        root.clone().close().unwrap();
        assert_all_zero(&root);
    }
}

#[test]
fn what_dropped_scopes_still_held_is_on_the_line_above_to_the_byte() {
    let _turn = my_turn();
    let seed = seed(6);
    let root = Scope::root("root").build().unwrap();
    let reported = Arc::new(Mutex::new((0, 0)));
    let told = Arc::clone(&reported);
    root.on_leak(move |leak| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0 += leak.bytes();
        told.1 += leak.blocks();
    });
    let expected: Vec<(usize, usize)> = thread::scope(|threads| {
        let root = &root;
        let spawned: Vec<_> = (0..4)
            .map(|number| {
                threads.spawn(move || {
                    let mut random = Random::new(seed * 10 + number);
                    let (mut bytes, mut blocks) = (0, 0);
                    for _ in 0..5000 {
                        let scope = root.child("forgetful").build().unwrap();
                        let size = 1 + random.below(100);
                        scope.charge(size).unwrap().keep();
                        if random.below(2) == 0 {
                            scope.uncharge(size);
                        } else {
                            bytes += size;
                            blocks += 1;
                        }
                    }
                    (bytes, blocks)
                })
            })
            .collect();
        spawned
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let expected = expected
        .into_iter()
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("seed {seed}: {expected:?} bytes and blocks leaked on purpose");
    assert_eq!(*reported.lock().unwrap(), expected);
    let snapshot = root.snapshot(Bounds::new());
    let line = &snapshot.scopes()[0];
    assert_eq!((line.leaked_bytes, line.leaked_blocks), expected);
    assert_eq!(
        (line.used, line.blocks, line.reserved),
        (expected.0, expected.1, expected.0)
    );
}

/// Bytes move between two scopes while the guarantee of one of them changes.
#[test]
fn a_transfer_beside_a_change_of_the_guarantee_keeps_the_books() {
    let _turn = my_turn();
    let seed = seed(8);
    let root = Scope::root("root").limit(100_000).build().unwrap();
    let [one, other] = ["one", "other"].map(|name| root.child(name).build().unwrap());
    let within = Within::millis(700);
    thread::scope(|threads| {
        let (one, other) = (&one, &other);
        threads.spawn(move || {
            let mut random = Random::new(seed);
            while !within.is_over() {
                for _ in 0..100 {
                    one.set_min(random.below(2) * 500).unwrap();
                }
            }
        });
        for _ in 0..2 {
            threads.spawn(move || {
                let mut moving = one.try_reserve(100).unwrap();
                while !within.is_over() {
                    for _ in 0..100 {
                        moving.transfer_to(other).unwrap();
                        moving.transfer_to(one).unwrap();
                    }
                }
            });
        }
    });
    for scope in [&one, &other, &root] {
        assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
    }
    for scope in [one, other, root.clone()] {
        scope.close().unwrap();
    }
    assert_all_zero(&root);
}

/// Somebody always takes what the root has left, and others ask in vain for more than there is, through the very scope that
/// has the guarantee.
#[test]
fn what_is_guaranteed_is_had_whatever_others_try() {
    let _turn = my_turn();
    let seed = seed(9);
    const MIN: usize = 100_000;
    let root = Scope::root("root").limit(1_000_000).build().unwrap();
    let guaranteed = root.child("guaranteed").min(MIN).build().unwrap();
    let within = Within::millis(1500);
    let (rounds, taken) = thread::scope(|threads| {
        let (root, guaranteed) = (&root, &guaranteed);
        let mut taken = root.try_reserve(1_000_000 - MIN).unwrap();
        let hog = threads.spawn(move || {
            while !within.is_over() {
                let bytes = taken.bytes();
                // As much as there is, in ever smaller pieces.
                let mut piece = 1_000_000;
                while piece > 0 {
                    while taken.try_grow(piece).is_ok() {}
                    piece /= 4;
                }
                if taken.bytes() == bytes {
                    thread::yield_now();
                }
            }
            // Not given back before the others have come to an end.
            taken
        });
        for _ in 0..2 {
            threads.spawn(move || {
                while !within.is_over() {
                    // More than the root has left, and more than it could ever have.
                    assert!(guaranteed.try_reserve(950_000).is_err());
                    assert!(guaranteed.try_reserve(2_000_000).is_err());
                }
            });
        }
        let user = threads.spawn(move || {
            let mut random = Random::new(seed);
            let (mut held, mut used, mut rounds) = (Vec::new(), 0, 0_usize);
            while !within.is_over() {
                let bytes = 1 + random.below(20_000);
                if used + bytes <= MIN {
                    held.push(guaranteed.try_reserve(bytes).expect("it is guaranteed"));
                    used += bytes;
                    rounds += 1;
                } else {
                    let place = random.below(held.len());
                    used -= held.swap_remove(place).bytes();
                }
            }
            rounds
        });
        (user.join().unwrap(), hog.join().unwrap())
    });
    drop(taken);
    println!("seed {seed}: had {rounds} times");
    assert!(rounds > 1000);
    for scope in [guaranteed, root.clone()] {
        scope.close().unwrap();
    }
    assert_all_zero(&root);
}

/// A scope that holds nothing is dropped while another thread calls in its stock for a new peak.
#[test]
fn an_empty_scope_leaks_nothing_though_its_stock_is_called_in_as_it_goes() {
    let _turn = my_turn();
    let root = Scope::root("root").build().unwrap();
    let leaks = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&leaks);
    root.on_leak(move |leak| told.lock().unwrap().push(leak.to_string()));
    let within = Within::millis(1000);
    thread::scope(|threads| {
        let root = &root;
        for _ in 0..3 {
            threads.spawn(move || {
                while !within.is_over() {
                    let scope = root.child("short-lived").build().unwrap();
                    scope.charge(100).unwrap().keep();
                    scope.uncharge(100);
                }
            });
        }
        threads.spawn(move || {
            while !within.is_over() {
                // Each a new peak.
                root.reset_peak();
                for _ in 0..20 {
                    root.charge(1000).unwrap().keep();
                }
                (0..20).for_each(|_| root.uncharge(1000));
            }
        });
    });
    let leaks = leaks.lock().unwrap();
    assert!(
        leaks.is_empty(),
        "{} leaks, such as {}",
        leaks.len(),
        leaks[0]
    );
    root.clone().close().unwrap();
    assert_all_zero(&root);
}

/// Charges that are undone and frees meet at a scope with a guarantee, near a limit that keeps stocks closed.
#[test]
fn undone_charges_beside_frees_keep_the_books_of_a_guarantee() {
    let _turn = my_turn();
    let seed = seed(9);
    let root = Scope::root("root").limit(4000).build().unwrap();
    let scope = root.child("scope").min(500).build().unwrap();
    let within = Within::millis(1000);
    thread::scope(|threads| {
        for number in 0..4 {
            let scope = &scope;
            threads.spawn(move || {
                let mut random = Random::new(seed * 10 + number);
                while !within.is_over() {
                    for _ in 0..100 {
                        let bytes = 1 + random.below(400);
                        let Ok(charge) = scope.charge(bytes) else {
                            continue;
                        };
                        if random.below(2) == 0 {
                            drop(charge);
                        } else {
                            charge.keep();
                            scope.uncharge(bytes);
                        }
                    }
                }
            });
        }
    });
    for scope in [scope, root.clone()] {
        assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
        scope.close().unwrap();
    }
    assert_all_zero(&root);
}
