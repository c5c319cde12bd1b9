//! Which functions hold the program's memory?
//!
//! Three functions fill collections that stay alive. The allocator captures the call stack of one allocation in 99 and
//! knows from these few who holds how much; the totals at the top of the report are exact.
//!
//! ```text
//! cargo run --release --example collections
//! ```

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::io;

use tikv_jemallocator::Jemalloc;
use unkai::UnkaiGlobalAlloc;
use unkai::report::{Report, text, units};

/// Capture one allocation in 99; leave out the 5 innermost frames and keep the 10 that follow; capture any size.
#[global_allocator]
static UNKAI: UnkaiGlobalAlloc<Jemalloc> = UnkaiGlobalAlloc::new(Jemalloc {}, 99, 5, 10, 0);

const COLLECTIONS: usize = 20_000;
const ELEMENTS: usize = 100;

fn main() -> io::Result<()> {
    let mut vectors = Vec::with_capacity(COLLECTIONS);
    let mut maps = Vec::with_capacity(COLLECTIONS);
    let mut queues = Vec::with_capacity(COLLECTIONS);
    make_vectors(&mut vectors);
    make_hash_maps(&mut maps);
    make_queues(&mut queues);

    // Taken first: to read names takes memory too, which would show up in the report.
    let snapshot = UNKAI.snapshot();
    print_addresses();
    print_stacks();
    let report = Report::new(snapshot);
    text::write(&report, &text::Options::new(), &mut io::stdout())?;

    black_box((vectors, maps, queues));
    Ok(())
}

#[inline(never)]
fn make_vectors(vectors: &mut Vec<Vec<usize>>) {
    for _ in 0..COLLECTIONS {
        let mut vector = Vec::with_capacity(ELEMENTS);
        vector.extend(0..ELEMENTS);
        vectors.push(vector);
    }
}

#[inline(never)]
fn make_hash_maps(maps: &mut Vec<HashMap<usize, usize>>) {
    for _ in 0..COLLECTIONS {
        let mut map = HashMap::with_capacity(ELEMENTS);
        map.extend((0..ELEMENTS).map(|n| (n, n)));
        maps.push(map);
    }
}

#[inline(never)]
fn make_queues(queues: &mut Vec<VecDeque<usize>>) {
    for _ in 0..COLLECTIONS {
        let mut queue = VecDeque::with_capacity(ELEMENTS);
        queue.extend(0..ELEMENTS);
        queues.push(queue);
    }
}

/// `report_addr` is cheap: it reads no names. Another program can find them later.
fn print_addresses() {
    println!("report_addr(): call stacks as return addresses\n");
    for (stack, bytes) in UNKAI.report_addr().iter().take(SHOWN) {
        let shown: Vec<String> = stack.iter().take(3).map(|a| format!("{a:#x}")).collect();
        let more = match stack.len().saturating_sub(shown.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let bytes = units::bytes(*bytes as f64);
        println!("{bytes:>10}  {}{more}", shown.join(" "));
    }
}

/// `report_symbol` reads the names from the program's debug information.
fn print_stacks() {
    println!("\nreport_symbol(): readable call stacks\n");
    for (stack, bytes) in UNKAI.report_symbol().iter().take(SHOWN) {
        println!("{} live, allocated by", units::bytes(*bytes as f64));
        for frame in stack.lines() {
            println!("    {frame}");
        }
        println!();
    }
}

/// Call stacks of each kind to print. Three are the makers'; the outer vectors are three more, if they happen to be sampled.
const SHOWN: usize = 6;
