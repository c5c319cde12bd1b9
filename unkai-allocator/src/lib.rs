#![cfg_attr(feature = "nightly", feature(allocator_api))]
//! See how many bytes a collection holds, cap them, and learn why more were refused: a method that can fail returns an error
//! then, and one that cannot (`push`, `insert`) ends the process.
//!
//! [`Unkai<A>`] wraps any allocator and charges what is taken from it to a [`Scope`], a place in a tree of accounts with limits.
//!
//! ```
//! # #![cfg_attr(feature = "nightly", feature(allocator_api))]
//! use unkai_allocator::api::{Global, Vec};
//! use unkai_allocator::{Scope, Unkai, last_refusal};
//!
//! let process = Scope::root("process").limit(1 << 20).build()?;
//! let query = process.child("query 7").limit(100_000).build()?;
//!
//! let mut rows: Vec<u64, _> = Vec::new_in(Unkai::in_scope(Global, &query));
//! assert!(rows.try_reserve_exact(10_000).is_ok());
//! assert_eq!((query.used(), process.used()), (80_000, 80_000)); // see
//!
//! assert!(rows.try_reserve_exact(20_000).is_err()); // cap
//! assert_eq!(
//!     last_refusal().unwrap().to_string(), // explain
//!     "process/query 7 refused 80000 bytes: 80000 of 100000 bytes are in use"
//! );
//! # Ok::<(), unkai_allocator::BuildError>(())
//! ```
//!
//! No limit is exceeded, at any level, by a byte, for a moment. A refusal is right: at some moment during the request, it
//! and the bytes really in use were together above the limit that is named. The numbers are exact over all threads: nothing is
//! sampled, and no block carries a header.
//!
//! # Which handle for which collection
//! | you want | take |
//! |---|---|
//! | to see one collection alone | [`Unkai::default`], or [`Unkai::new`] over another allocator |
//! | to see several together | clones of one handle |
//! | a limit, for one or several | [`Scope::root`] with a limit, and [`Unkai::in_scope`] |
//! | limits on several levels | [`Scope::child`] and [`Unkai::in_scope`]; [`Unkai::child`] for a part without a limit of its own |
//! | bytes that no collection takes | [`Scope::try_reserve`] |
//! | to wait until there is room | [`Scope::reserve`] |
//! | a cache that shrinks when others need room | [`Scope::on_reclaim`] |
//! | a warning before the limit | [`ScopeBuilder::high`] and [`Scope::on_high`] |
//! | to know at the end that nothing is left | [`Scope::close`], [`Scope::on_leak`] |
//! | the numbers of a whole tree | [`Scope::snapshot`] |
//!
//! # Refusals
//! **At a limit, methods that cannot fail (`push`, `insert`, `with_capacity_in`, `Box::new_in`, `collect`) end the process,
//! as they do when memory is out: with a limit, use the methods that return an error.** Each asks for the memory ahead, and
//! what follows then needs none:
//!
//! | collection | returns an error |
//! |---|---|
//! | `Vec`, `VecDeque` | `try_reserve`, `try_reserve_exact`; then `push`, `extend` |
//! | `HashMap`, `HashSet` | `try_reserve`; then `insert`, `entry` |
//! | `Box` | `try_new_in` |
//! | `BTreeMap` | nothing does: cap it by a count of its entries, or keep it in a scope without a limit |
//!
//! A refused collection is as it was before, and can be used on. The error of an allocator says nothing, so the reason
//! stays behind on the thread: [`last_refusal`] tells which scope had no room, its limit, what was in use, what was asked
//! for, what reclaimers gave, and who held most. It is `None`, after [`forget_last_refusal`], where not a limit but the inner
//! allocator refused.
//!
//! A vector that grows is charged for the difference. A hash map grows by a new table of twice the size beside the old one,
//! and needs room for both: it stops growing somewhere between one third and two thirds of its limit.
//!
//! # Collections
//! `Vec` and `Box` of [`allocator-api2`], an example of each:
//!
//! ```
//! # #![cfg_attr(feature = "nightly", feature(allocator_api))]
//! use unkai_allocator::api::{Box, Global, Vec};
//! use unkai_allocator::{Scope, Unkai};
//!
//! let scope = Scope::root("pictures").limit(10_000).build()?;
//! let memory = Unkai::in_scope(Global, &scope);
//!
//! let mut pixels: Vec<u8, _> = Vec::new_in(memory.clone());
//! assert!(pixels.try_reserve_exact(6000).is_ok());
//! pixels.extend_from_slice(&[255; 6000]);
//!
//! let tile = Box::try_new_in([0_u8; 3000], memory.clone()).unwrap();
//! assert!(Box::try_new_in([0_u8; 3000], memory).is_err());
//! assert_eq!((scope.usage().bytes, scope.usage().blocks), (9000, 2));
//! # drop((pixels, tile));
//! # Ok::<(), unkai_allocator::BuildError>(())
//! ```
//!
//! Maps and sets of hashbrown 0.15, 0.16 and 0.17, with its feature `allocator-api2`:
//!
#![cfg_attr(not(feature = "nightly"), doc = "```")]
#![cfg_attr(feature = "nightly", doc = "```ignore")]
//! use hashbrown::{DefaultHashBuilder, HashMap};
//! use unkai_allocator::api::Global;
//! use unkai_allocator::{Scope, Unkai, last_refusal};
//!
//! let scope = Scope::root("sessions").limit(1 << 20).build()?;
//! let memory = Unkai::in_scope(Global, &scope);
//! let mut sessions: HashMap<u64, [u8; 64], DefaultHashBuilder, _> = HashMap::new_in(memory);
//!
//! let accepted = (0..).take_while(|&id| {
//!     let room = sessions.try_reserve(1).is_ok();
//!     if room {
//!         sessions.insert(id, [0; 64]);
//!     }
//!     room
//! });
//! assert_eq!(accepted.count(), 7168);
//! assert_eq!(scope.used(), sessions.allocation_size());
//! assert_eq!(last_refusal().unwrap().path(), "sessions");
//! # Ok::<(), unkai_allocator::BuildError>(())
//! ```
//!
//! Arenas of bumpalo 3, with its feature `allocator-api2`: what is taken from the arena is charged when the arena is the inner
//! allocator. **The arena's own chunks come from the global allocator, past every scope**, and are not given back before the
//! arena is reset or dropped. To charge those as well, or instead, keep a [`Reservation`] beside the arena, as large as the
//! limit of the arena:
//!
#![cfg_attr(not(feature = "nightly"), doc = "```")]
#![cfg_attr(feature = "nightly", doc = "```ignore")]
//! use bumpalo::Bump;
//! use unkai_allocator::api::Vec;
//! use unkai_allocator::{Scope, Unkai};
//!
//! let query = Scope::root("query").limit(1 << 20).build()?;
//!
//! // What is taken from the arena:
//! let parts = query.child("parts").limit(10_000).build()?;
//! let bump = Bump::new();
//! let mut words: Vec<u32, _> = Vec::new_in(Unkai::in_scope(&bump, &parts));
//! assert!(words.try_reserve_exact(2500).is_ok());
//! assert!(words.try_reserve_exact(2501).is_err());
//! assert_eq!(parts.used(), 10_000);
//! # drop(words);
//!
//! // What the arena takes from the heap:
//! let chunks = query.try_reserve(100_000)?;
//! let bump = Bump::new();
//! bump.set_allocation_limit(Some(chunks.bytes()));
//! while bump.try_alloc([0_u8; 1000]).is_ok() {}
//! assert!(bump.allocated_bytes() <= chunks.bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For an arena without a limit, [`Reservation::try_resize`] to `bump.allocated_bytes_including_metadata()` follows it, after
//! the fact. bumpalo's own limit leaves those few words of each chunk out.
//!
//! With the feature `nightly`, std's own `Vec`, `Box`, `VecDeque`, `BTreeMap` and others that take an allocator.
//!
//! # Which trait
//! On stable Rust, `Unkai<A>` implements `Allocator` of the crate [`allocator-api2`] 0.2, the trait that hashbrown and
//! bumpalo know as well. With the feature `nightly` it implements std's unstable trait *instead*, for std's own
//! collections. Both builds have the same names. The module [`api`] holds the trait and its companions of whichever build
//! it is, for code that must compile in both. As cargo unites the features of everything in a build, a library had better
//! leave `nightly` to the program that uses it.
//!
//! # What it costs
//! * A scope: one allocation of some 600 bytes, and one for its path, from the global allocator, when it is created: 0.2 µs. A
//!   clone of a handle takes none. In a collection a handle is one pointer wide, beside the inner allocator.
//! * An allocation and its free, together: 3.5 ns over the system's allocator and 3.1 over mimalloc, whatever the depth of the tree,
//!   and no atomic exchange (`cargo bench -p unkai-allocator --bench charge`, two shared cores). Now and then, and near a
//!   limit or at a new peak more often, a batch of bytes is moved through all levels.
//! * Threads that share a scope get a stock each as soon as they are seen to disturb one another.
//! * A refusal: it looks at all scopes below the one that refuses, to be right.
//!
//! # What it does not do
//! * It counts, and limits, what was *requested* (`Layout::size`). What the inner allocator rounds up to, or keeps for
//!   itself, is not known to it: leave the process some room above the root's limit.
//! * While the inner allocator moves a block that grows, it may hold both. Only the larger is charged.
//! * It sees what is taken through its handles and reservations: the heap of a `String` within a capped map is not among it.
//! * It ends no thread and frees nobody's memory. Who is refused decides what to do; reclaimers are your code.
//! * It says how much, not from where: that is the heap profiler's work, in `unkai-global`, of which this crate uses nothing.
//!
//! [`allocator-api2`]: https://docs.rs/allocator-api2/0.2

pub mod api;
mod unkai;

pub use crate::unkai::{Unkai, UnkaiGlobal};
pub use unkai_core::{
    Bounds, BuildError, Consumer, HighEvent, Leak, MAX_DEPTH, Omitted, OnExhausted, ReclaimRequest,
    ReclaimTried, Reclaimer, Refusal, RefusalCause, Refused, Registration, Reservation, Reserve,
    Scope, ScopeBuilder, ScopeSnapshot, TreeSnapshot, Usage, forget_last_refusal, last_refusal,
};
