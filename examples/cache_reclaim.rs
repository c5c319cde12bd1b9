//! A cache takes the memory that nobody else needs. How does a query get in?
//!
//! Pages of a file are cached in a scope of their own, where the cache is registered as a reclaimer. When the query asks for
//! more than the process has left, the cache lets go of the pages that were used longest ago, and the query is served,
//! within that one request. When the query has ended, the cache fills up again.
//!
//! ```text
//! process ─┬─ page cache    grows to the 8 MiB of the file
//! 12 MiB   └─ query         needs 8 MiB for a while
//! ```
//!
//! ```text
//! cargo run --release --example cache_reclaim
//! ```
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;

#[cfg(not(feature = "nightly"))]
use hashbrown::{DefaultHashBuilder, HashMap};
// With the feature `nightly`, std's own collections take the handle.
#[cfg(feature = "nightly")]
use std::{collections::HashMap, hash::RandomState as DefaultHashBuilder};

use unkai::api::{Global, Vec as VecIn};
use unkai::{
    ReclaimRequest, Reclaimer, Refusal, Registration, Scope, Unkai, UnkaiGlobal, last_refusal,
};

fn main() -> Result<(), Box<dyn Error>> {
    let process = Scope::root("process").limit(12 << 20).build()?;
    let cache = PageCache::below(&process)?;

    println!("{:<34}{:>10}{:>10}{:>8}", "", "process", "cache", "pages");
    read_all(&cache)?;
    let full = cache.show("the whole file is cached");
    assert_eq!(full, PAGES);

    let query = || median(&process, &cache);
    let median = thread::scope(|threads| threads.spawn(query).join().unwrap())?;
    let shrunk = cache.show("the query has ended");
    assert!(shrunk < full, "the cache has made room");
    assert_eq!(median, expected_median());

    read_all(&cache)?;
    let refilled = cache.show("the file was read once more");
    assert_eq!(refilled, full, "the cache is back at its size");

    let counts = cache.lru.lock().unwrap().counts;
    println!("\nThe median of all records is {median}, which is right.");
    println!("Pages given up for the query:  {}", counts.reclaimed);
    println!("Pages replaced by others:      {}", counts.replaced);
    println!(
        "Reads: {} from the cache, {} from the file",
        counts.hits, counts.misses
    );
    assert!(counts.reclaimed > 0);

    drop(cache);
    process.close()?; // an error if it still held a byte
    println!("Everything is given back.");
    Ok(())
}

/// The median of all records: for that they must be in memory at once.
fn median(process: &Scope, cache: &PageCache) -> Result<u64, Refusal> {
    let scope = process.child("query").build();
    let scope = scope.expect("not too deep, and it asks for no guarantee");
    let mut records = Records::new_in(Unkai::in_scope(Global, &scope));
    // The process has less than 4 MiB left. The cache makes room in here.
    records
        .try_reserve_exact(PAGES * RECORDS)
        .map_err(|_| why())?;
    cache.show("the query has its 8 MiB");

    for page in 0..PAGES {
        cache.read(page, |page| records.extend_from_slice(page))?;
    }
    cache.show("the query has read the file");
    let middle = records.len() / 2;
    Ok(*records.select_nth_unstable(middle).1)
}

fn read_all(cache: &PageCache) -> Result<(), Refusal> {
    (0..PAGES).try_for_each(|number| cache.read(number, |_| ()))
}

fn why() -> Refusal {
    last_refusal().expect("a limit refused, as the heap has enough")
}

/// Records that know which scope they are charged to.
type Records = VecIn<u64, UnkaiGlobal>;

/// A cache of the file's pages that grows while there is room in the scope above, and shrinks when others need it.
struct PageCache {
    lru: Arc<Mutex<Lru>>,
    process: Scope,
    /// Before the last pages go, the cache is no longer asked for them.
    _reclaimer: Registration,
}

impl PageCache {
    fn below(process: &Scope) -> Result<Self, Box<dyn Error>> {
        let scope = process.child("page cache").build()?;
        let memory = Unkai::in_scope(Global, &scope);
        let lru = Arc::new(Mutex::new(Lru {
            pages: HashMap::new_in(memory.clone()),
            memory,
            newest: None,
            oldest: None,
            counts: Counts::default(),
        }));
        let reclaimer = scope.on_reclaim(0, Shrink(Arc::clone(&lru)));
        Ok(Self {
            lru,
            process: process.clone(),
            _reclaimer: reclaimer,
        })
    }

    /// Shows a page to `look`. The lock is held meanwhile, and while the cache takes memory for the page.
    fn read(&self, number: usize, look: impl FnOnce(&[u64])) -> Result<(), Refusal> {
        look(self.lru.lock().unwrap().page(number)?);
        Ok(())
    }

    /// Prints a line about the present state. Returns the number of pages.
    fn show(&self, when: &str) -> usize {
        let lru = self.lru.lock().unwrap();
        let (process, cache) = (mib(self.process.used()), mib(lru.memory.scope().used()));
        println!("{when:<34}{process:>10}{cache:>10}{:>8}", lru.pages.len());
        lru.pages.len()
    }
}

/// What is called when the process has no room.
struct Shrink(Arc<Mutex<Lru>>);

impl Reclaimer for Shrink {
    fn reclaim(&self, request: &ReclaimRequest<'_>) -> usize {
        // Never `lock`: who asks for memory may be the cache itself, with the lock in its hands.
        let Ok(mut lru) = self.0.try_lock() else {
            return 0;
        };
        let mut freed = 0;
        while freed < request.bytes() && lru.drop_oldest() {
            freed += RECORDS * size_of::<u64>();
            lru.counts.reclaimed += 1;
        }
        freed
    }
}

/// The pages, in a list from the one that was used last to the one that was used longest ago. To take one out needs no
/// memory.
struct Lru {
    pages: HashMap<usize, Page, DefaultHashBuilder, UnkaiGlobal>,
    memory: UnkaiGlobal,
    newest: Option<usize>,
    oldest: Option<usize>,
    counts: Counts,
}

struct Page {
    records: Records,
    newer: Option<usize>,
    older: Option<usize>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    hits: usize,
    misses: usize,
    reclaimed: usize,
    replaced: usize,
}

impl Lru {
    fn page(&mut self, number: usize) -> Result<&[u64], Refusal> {
        if self.pages.contains_key(&number) {
            self.counts.hits += 1;
            self.unlink(number);
        } else {
            self.counts.misses += 1;
            self.load(number)?;
        }
        self.link_as_newest(number);
        Ok(&self.pages[&number].records)
    }

    /// Reads a page from the file. Where there is no room for it, it takes that of the oldest.
    fn load(&mut self, number: usize) -> Result<(), Refusal> {
        let mut records = Records::new_in(self.memory.clone());
        while self.pages.try_reserve(1).is_err() || records.try_reserve_exact(RECORDS).is_err() {
            let refusal = why();
            if !self.drop_oldest() {
                return Err(refusal);
            }
            self.counts.replaced += 1;
        }
        records.extend((0..RECORDS).map(|place| record_in_file(number, place)));
        let page = Page {
            records,
            newer: None,
            older: None,
        };
        self.pages.insert(number, page);
        Ok(())
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.oldest else {
            return false;
        };
        self.unlink(oldest);
        self.pages.remove(&oldest).is_some()
    }

    fn unlink(&mut self, number: usize) {
        let Page { newer, older, .. } = self.pages[&number];
        match newer {
            Some(newer) => self.linked(newer).older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.linked(older).newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_as_newest(&mut self, number: usize) {
        let older = self.newest.replace(number);
        match older {
            Some(older) => self.linked(older).newer = Some(number),
            None => self.oldest = Some(number),
        }
        let page = self.linked(number);
        (page.newer, page.older) = (None, older);
    }

    fn linked(&mut self, number: usize) -> &mut Page {
        let page = self.pages.get_mut(&number);
        page.expect("only pages that are there are in the list")
    }
}

/// The file: 8 MiB, in pages of 16 KiB.
const PAGES: usize = 512;
const RECORDS: usize = 2048;

/// Stands for a read from a disk: the same record each time.
fn record_in_file(page: usize, place: usize) -> u64 {
    let number = (page * RECORDS + place) as u64;
    // An odd factor: all records are different, and in no order.
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

fn expected_median() -> u64 {
    let pages = 0..PAGES;
    let mut records: Vec<u64> = pages
        .flat_map(|page| (0..RECORDS).map(move |place| record_in_file(page, place)))
        .collect();
    records.sort();
    records[records.len() / 2]
}

fn mib(bytes: usize) -> String {
    format!("{:.2} MiB", bytes as f64 / 1_048_576.0)
}

// Output:
//
//                                      process     cache   pages
// the whole file is cached            8.07 MiB  8.07 MiB     512
// the query has its 8 MiB            10.98 MiB  2.98 MiB     186
// the query has read the file        11.99 MiB  3.99 MiB     251
// the query has ended                 3.99 MiB  3.99 MiB     251
// the file was read once more         8.07 MiB  8.07 MiB     512
//
// The median of all records is 8796103593926, which is right.
// Pages given up for the query:  326
// Pages replaced by others:      447
// Reads: 251 from the cache, 1285 from the file
// Everything is given back.
