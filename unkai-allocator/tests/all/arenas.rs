//! bumpalo's arenas: what is taken from an arena, and the arena itself.

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use bumpalo::Bump;
use hashbrown::{DefaultHashBuilder, HashMap};
use unkai_allocator::{Refusal, Reservation, Scope, Unkai, last_refusal};

fn limited(limit: usize) -> Scope {
    Scope::root("arena").limit(limit).build().unwrap()
}

#[test]
fn what_is_taken_from_an_arena_is_charged_and_limited() {
    let scope = limited(10_000);
    let bump = Bump::new();
    let arena = Unkai::in_scope(&bump, &scope);
    let mut words: Vec<u64, _> = Vec::new_in(arena.clone());
    while words.try_reserve(1).is_ok() {
        words.push(words.len() as u64);
        assert_eq!(scope.used(), 8 * words.capacity());
    }
    assert_eq!(words.len(), 1024);
    assert!(words.iter().copied().eq(0..1024));
    assert_eq!(last_refusal().unwrap().used(), 8192);

    // Beside it, in what is left: a map and boxes.
    let mut map: HashMap<u8, u8, DefaultHashBuilder, _> = HashMap::new_in(arena.clone());
    assert!(map.try_reserve(100).is_ok());
    map.insert(1, 2);
    let boxed = Box::try_new_in([7_u8; 200], arena.clone()).unwrap();
    assert_eq!(scope.used(), 8192 + map.allocation_size() + 200);
    assert!(Box::try_new_in([0_u8; 2000], arena).is_err());

    drop(words);
    assert_eq!((map[&1], boxed[0]), (2, 7));
    drop((map, boxed));
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
    // The arena has not given a byte of it back: it does when it is reset or dropped.
    assert!(bump.allocated_bytes() >= 8192);
}

#[test]
fn an_arena_that_is_full_by_its_own_limit_leaves_no_trace_in_the_scope() {
    let scope = limited(1 << 20);
    let bump = Bump::new();
    bump.set_allocation_limit(Some(4096));
    let mut bytes: Vec<u8, _> = Vec::new_in(Unkai::in_scope(&bump, &scope));
    assert!(bytes.try_reserve_exact(100_000).is_err());
    assert_eq!((scope.used(), scope.peak()), (0, 0));
    assert!(bytes.try_reserve_exact(1000).is_ok());
    assert_eq!(scope.used(), 1000);
}

#[test]
fn what_an_arena_takes_from_the_heap_is_charged_by_a_reservation() {
    /// An arena that never takes more from the global allocator than is reserved for it.
    struct Arena {
        bump: Bump,
        reserved: Reservation,
    }

    impl Arena {
        fn new(scope: &Scope) -> Result<Self, Refusal> {
            let bump = Bump::new();
            bump.set_allocation_limit(Some(0));
            let reserved = scope.try_reserve(0)?;
            Ok(Self { bump, reserved })
        }

        /// Lets the arena take `bytes` more.
        fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
            self.reserved.try_grow(bytes)?;
            self.bump.set_allocation_limit(Some(self.reserved.bytes()));
            Ok(())
        }
    }

    let scope = limited(100_000);
    let mut arena = Arena::new(&scope).unwrap();
    assert!(arena.bump.try_alloc(0_u8).is_err(), "nothing is reserved");
    arena.grow(60_000).unwrap();
    let mut blocks = 0;
    while arena.bump.try_alloc([0_u8; 1000]).is_ok() {
        blocks += 1;
        assert!(arena.bump.allocated_bytes() <= scope.used());
    }
    assert!(blocks >= 30, "{blocks}");
    let refusal = arena.grow(60_000).unwrap_err();
    assert_eq!((refusal.used(), refusal.requested()), (60_000, 60_000));
    arena.grow(40_000).unwrap();
    assert!(arena.bump.try_alloc([0_u8; 1000]).is_ok());

    drop(arena);
    assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
}

#[test]
fn a_reservation_follows_an_arena_that_was_filled_already() {
    let scope = limited(100_000);
    let mut arena = scope.try_reserve(0).unwrap();
    let mut bump = Bump::new();
    for _ in 0..50 {
        bump.alloc([0_u8; 1000]);
        arena.try_resize(bump.allocated_bytes()).unwrap();
    }
    assert!(scope.used() >= 50_000);
    bump.reset();
    arena.try_resize(bump.allocated_bytes()).unwrap();
    assert_eq!(scope.used(), bump.allocated_bytes());
    drop((bump, arena));
    assert_eq!(scope.used(), 0);
}
