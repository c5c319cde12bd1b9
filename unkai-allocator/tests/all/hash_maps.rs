//! Maps and sets of hashbrown, on stable Rust: what they hold is charged exactly, and a limit refuses through their fallible
//! methods and harms nothing.

/// The same for each version of hashbrown whose maps take allocators of allocator-api2 0.2.
macro_rules! hash_maps {
    ($($module:ident: $hashbrown:ident),*) => {$(
        mod $module {
            use crate::support::limited;
            use unkai_allocator::{UnkaiGlobal, last_refusal};
            use $hashbrown::{DefaultHashBuilder, HashMap, HashSet};

            type Map = HashMap<u64, u64, DefaultHashBuilder, UnkaiGlobal>;

            #[test]
            fn a_hash_map_reports_its_table() {
                let handle = UnkaiGlobal::default();
                let mut map: Map = HashMap::new_in(handle.clone());
                assert_eq!(handle.report_usage(), 0);
                for n in 0..1000 {
                    map.insert(n, n * n);
                    assert_eq!(handle.usage().bytes, map.allocation_size());
                    assert_eq!(handle.usage().blocks, 1);
                }
                map.retain(|&n, _| n < 10);
                map.shrink_to_fit();
                assert_eq!(handle.usage().bytes, map.allocation_size());
                drop(map);
                assert_eq!((handle.usage().bytes, handle.usage().blocks), (0, 0));
            }

            #[test]
            fn a_hash_map_at_its_limit_keeps_its_entries_and_grows_again_when_there_is_room() {
                let (handle, scope) = limited(100_000);
                let mut map: Map = HashMap::new_in(handle);
                while map.try_reserve(1).is_ok() {
                    let n = map.len() as u64;
                    map.insert(n, n * n);
                    assert_eq!(scope.used(), map.allocation_size());
                }
                // A table of 2048 places takes some 35 KB, and the next one of 70 KB would stand beside it for a while.
                assert_eq!(map.len(), 1792);
                let refusal = last_refusal().unwrap();
                assert_eq!(refusal.used(), map.allocation_size());
                assert!(refusal.used() + refusal.requested() > 100_000);
                assert!((0..1792).all(|n| map.get(&n) == Some(&(n * n))));

                scope.set_limit(Some(110_000));
                assert!(map.try_reserve(1).is_ok());
                map.insert(1792, 0);
                assert!((0..1792).all(|n| map.get(&n) == Some(&(n * n))));
                assert_eq!(scope.used(), map.allocation_size());
                assert!(scope.peak() <= 110_000);
                drop(map);
                assert_eq!((scope.used(), scope.usage().blocks), (0, 0));
            }

            #[test]
            fn a_hash_set_is_refused_and_serves_on_after_something_else_is_freed() {
                let (handle, scope) = limited(4000);
                let other = HashSet::<u32, DefaultHashBuilder, _>::with_capacity_in(400, handle.clone());
                let taken = scope.used();
                let mut set: HashSet<u32, DefaultHashBuilder, _> = HashSet::new_in(handle);
                assert!(set.try_reserve(400).is_err());
                assert_eq!((scope.used(), set.len()), (taken, 0));
                drop(other);
                assert!(set.try_reserve(400).is_ok());
                set.extend(0..400);
                assert_eq!((scope.used(), set.len()), (taken, 400));
            }
        }
    )*};
}

hash_maps!(hashbrown_0_15: hashbrown, hashbrown_0_16: hashbrown_016, hashbrown_0_17: hashbrown_017);
