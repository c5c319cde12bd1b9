//! Reports made by hand, for all tests of whole documents.

#![allow(dead_code, reason = "each test has its choice of samples")]

use std::time::{Duration, UNIX_EPOCH};

use unkai_core::{
    Cause, CrowdedTable, DurationHistogram, Estimate, LimitStatus, Sampling, Site, Snapshot,
    TableUse, UnwinderKind, Widened,
};
use unkai_report::{Module, Modules, Report, SourceFunction, Symbols};

/// Mean bytes between samples of the reports made here.
const INTERVAL: f64 = 524_288.0;

/// How long the programs of the reports made here have run.
const UPTIME: Duration = Duration::from_secs(7_384);

/// A search service: an index that stays, queries that come and go, a cache that grows.
pub(crate) fn search_service() -> Report {
    let mut program = Program::default();
    let start = [
        "_start",
        "main",
        "std::rt::lang_start",
        "std::sys::backtrace::__rust_begin_short_backtrace",
    ];
    let main = [&start[..], &["search::main@src/main.rs:21"]].concat();
    let thread = [
        "clone3",
        "start_thread",
        "std::thread::lifecycle::spawn_unchecked::{{closure}}",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "search::server::worker::{{closure}}@src/server.rs:40",
        "search::server::handle@src/server.rs:77",
    ];
    let load = [
        &main[..],
        &[
            "search::index::load@src/index.rs:18",
            "core::iter::traits::iterator::Iterator::for_each",
        ],
    ]
    .concat();
    let query = [
        &thread[..],
        &["search::query::Query<S>::run@src/query.rs:33"],
    ]
    .concat();

    program.site(
        &[
            &load[..],
            &[
                "search::index::add_word@src/index.rs:120",
                "<alloc::string::String as core::clone::Clone>::clone",
            ],
        ]
        .concat(),
        Blocks {
            size: 24.0,
            allocated: 1_600_000.0,
            live: 1_500_000.0,
            lived: 12,
            age: 45,
        },
    );
    program.site(
        &[
            &load[..],
            &[
                "search::index::add_word@src/index.rs:124",
                "std::collections::hash::map::HashMap<K,V,S,A>::insert",
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
            ],
        ]
        .concat(),
        Blocks {
            size: 4_194_304.0,
            allocated: 12.0,
            live: 4.0,
            lived: 30,
            age: 45,
        },
    );
    program.site(
        &[
            &query[..],
            &[
                "search::query::tokenize@src/query.rs:90",
                "core::iter::traits::iterator::Iterator::collect",
                "<alloc::vec::Vec<T> as core::iter::traits::collect::FromIterator<T>>::from_iter",
            ],
        ]
        .concat(),
        Blocks {
            size: 512.0,
            allocated: 9_000_000.0,
            live: 120.0,
            lived: 16,
            age: 17,
        },
    );
    program.site(
        &[
            &query[..],
            &[
                "search::rank::score@src/rank.rs:55",
                "alloc::vec::from_elem",
            ],
        ]
        .concat(),
        Blocks {
            size: 65_536.0,
            allocated: 70_000.0,
            live: 6.0,
            lived: 21,
            age: 20,
        },
    );
    program.site(
        &[
            &query[..],
            &[
                "search::cache::Cache<K,V>::put@src/cache.rs:64",
                "alloc::slice::<impl [T]>::to_vec",
                "<T as alloc::slice::hack::ConvertVec>::to_vec",
            ],
        ]
        .concat(),
        Blocks {
            size: 2_048.0,
            allocated: 40_000.0,
            live: 9_500.0,
            lived: 35,
            age: 38,
        },
    );
    program.site(
        &[&thread[..], &["hyper::proto::h1::conn::Conn<I,B,T>::read_head@/home/ci/.cargo/registry/src/mirror-1949cf8c6b5b557f/hyper-1.4.0/src/proto/h1/conn.rs:210", "bytes::bytes_mut::BytesMut::reserve_inner@/home/ci/.cargo/registry/src/mirror-1949cf8c6b5b557f/bytes-1.6.0/src/bytes_mut.rs:671", "alloc::vec::Vec<T,A>::with_capacity"]].concat(),
        Blocks { size: 8_192.0, allocated: 160_000.0, live: 64.0, lived: 27, age: 27 },
    );
    let mut report = program.report();
    {
        let snapshot = &mut report.0;
        snapshot.totals.allocated.bytes = 10_688_413_696;
        snapshot.totals.allocated.blocks = 10_871_204;
        snapshot.totals.freed.bytes = 10_612_197_888;
        snapshot.totals.freed.blocks = 9_360_683;
        snapshot.totals.peak_live_bytes = 98_566_144;
        snapshot.totals.peak_error_bytes = 524_288;
        snapshot.resident_bytes = Some(141_557_760);
    }
    Report::from_parts(report.0, report.1).with_modules(modules())
}

fn modules() -> Modules {
    let (start, end) = (0x5555_0000_0000, 0x5555_0010_0000);
    let mut program = Module::new(start, end, 0x4000, "/usr/local/bin/search");
    program.build_id = Some(vec![0x5e, 0xa4, 0xc4, 0x00, 0x01, 0x02, 0x03, 0xff]);
    let (start, end) = (0x7f00_0000_0000, 0x7f00_0020_0000);
    let library = Module::new(start, end, 0, "/usr/lib/libc.so.6");
    Modules::from_iter([program, library])
}

/// Everything that can go wrong has gone wrong.
pub(crate) fn troubled() -> Report {
    let mut program = Program::default();
    let blocks = Blocks {
        size: 1000.0,
        allocated: 5000.0,
        live: 3000.0,
        lived: 20,
        age: 30,
    };
    program.site(&[], blocks);
    program.site(&[], blocks);
    program.site(
        &[
            "search::main@src/main.rs:21",
            "search::index::load@src/index.rs:18",
        ],
        blocks,
    );
    program.site(
        &[
            "search::deep@src/deep.rs:9",
            "search::deep@src/deep.rs:9",
            "alloc::vec::Vec<T,A>::push",
        ],
        blocks,
    );
    program.site(&["?", "?"], blocks);
    let (mut snapshot, symbols) = program.report();
    for (id, site) in (0..).zip(&mut snapshot.sites) {
        site.id = id;
    }
    snapshot.sites[2].prefix_only = true;
    snapshot.sites[3].truncated = true;
    snapshot.sampling.widened = Some(Widened::new(
        snapshot.sampling.mode,
        CrowdedTable::LiveSamples,
    ));
    snapshot.sampling.mode = Sampling::Bytes {
        interval: 4 * INTERVAL as u64,
    };
    snapshot.own_memory.live_blocks.entries = 101_000;
    snapshot.own_memory.live_blocks.used_bytes = 101_000 * 64;
    snapshot.sampling.paused = true;
    snapshot.sampling.threshold_bytes = 64;
    snapshot.unwinding.skipped_frames = 5;
    snapshot.totals.allocated.bytes = 30_000_000;
    snapshot.totals.allocated.blocks = 30_000;
    snapshot.totals.freed.bytes = 12_000_000;
    snapshot.totals.freed.blocks = 12_000;
    snapshot.totals.peak_live_bytes = 18_000_000;
    snapshot.totals.refused_requests = 2;
    snapshot.limit = Some(LimitStatus {
        limit_bytes: 16_000_000,
        live_bytes: 18_000_000,
        refuses: true,
        refused_requests: 1,
    });
    for (count, cause) in (1..).zip(Cause::ALL) {
        snapshot.losses.set(cause, count * 111);
    }
    Report::from_parts(snapshot, symbols)
}

/// What changed in the search service within a minute: the cache grew, a query ended.
pub(crate) fn change() -> Report {
    let (later, symbols) = search_service().into_parts();
    let mut earlier = later.clone();
    earlier.uptime -= Duration::from_secs(60);
    earlier.totals.allocated.bytes -= 40_000_000;
    earlier.totals.freed.bytes -= 36_000_000;
    earlier.totals.allocated.blocks -= 20_000;
    earlier.totals.freed.blocks -= 18_000;
    earlier.sites[4].live = estimate(2_048.0, 7_000.0);
    earlier.sites[4].allocated = estimate(2_048.0, 37_500.0);
    earlier.sites[3].live = estimate(65_536.0, 30.0);
    earlier.sites[3].allocated = estimate(65_536.0, 69_000.0);
    Report::from_parts(later.since(&earlier), symbols)
}

/// Names that would break out of a report if it let them.
pub(crate) fn hostile() -> Report {
    let generics = format!(
        "my_app::Map<{}>::insert",
        "alloc::vec::Vec<u8>, ".repeat(500)
    );
    let long = format!("my_app::{}", "x".repeat(10_000));
    let names = [
        "my_app::<img src=x onerror=alert(1)>::f",
        "my_app::</script><script>alert(1)</script>",
        "my_app::\"double\" & 'single' `back`\\",
        "my_app::line\nbreak\r\u{2028}and\ttab",
        "my_app::\u{1b}[31mred\u{202e}turned",
        "my_app::semi;colon {label=\"x\"} # 7",
        "my_app::ünïcødé→🦀",
        "-- ]]> --> <!-- %s ${x} {{y}}",
        " ",
        &generics,
        &long,
        "?",
    ];
    let blocks = Blocks {
        size: 4096.0,
        allocated: 5000.0,
        live: 1000.0,
        lived: 20,
        age: 30,
    };
    let mut program = Program::default();
    for name in names {
        program.site(&["my_app::main@src/<b>&\"main\".rs:1", name], blocks);
    }
    let (mut snapshot, symbols) = program.report();
    snapshot.totals.allocated.bytes = 12 * 5000 * 4096;
    snapshot.totals.allocated.blocks = 12 * 5000;
    snapshot.totals.freed.bytes = 12 * 4000 * 4096;
    snapshot.totals.freed.blocks = 12 * 4000;
    snapshot.totals.peak_live_bytes = 12 * 1250 * 4096;
    let path = "/opt/<b>my & \"own\"\n.so";
    let module = Module::new(0x5555_0000_0000, 0x5555_0010_0000, 0, path);
    Report::from_parts(snapshot, symbols).with_modules(Modules::from_iter([module]))
}

/// A program with this many call stacks, about 25 frames deep, that share their outer parts as real ones do.
pub(crate) fn many_sites(sites: usize) -> Report {
    let mut symbols = Symbols::new();
    let mut address_of = |level: usize, number: usize| {
        let address = 0x5555_0000_0000 + (level * 100_000 + number) as u64 * 16;
        let function = SourceFunction {
            name: format!(
                "big::part{}::layer{level}::Worker<T>::step{number}",
                number % 50
            ),
            file: Some(format!("src/part{}/layer{level}.rs", number % 50)),
            line: Some(10 + (number % 900) as u32),
        };
        symbols.insert(address, &[function]);
        address
    };
    let mut snapshot = search_service().into_parts().0;
    snapshot.sites = (0..sites)
        .map(|id| {
            // The innermost frames are the site's own, the others are shared by more and more sites.
            let stack = (0..25).rev().map(|level| {
                let shared_by = [1, 3, 10, 40, 150, 600, 2_500][(24 - level) / 4];
                address_of(level, id / shared_by)
            });
            let mut site = Site::new(id as u32 + 2, stack.collect());
            let (size, allocated) = (
                16.0 * (1 + id % 500) as f64,
                40.0 + (id * 7919 % 2000) as f64,
            );
            let live = (allocated * (id % 10) as f64 / 10.0).floor();
            site.allocated = estimate(size, allocated * 40.0);
            site.live = estimate(size, live * 40.0);
            site.at_peak = estimate(size, live * 50.0);
            site.lifetimes = spread(12 + id % 25, site.allocated.blocks - site.live.blocks);
            site.ages = spread(20 + id % 20, site.live.blocks);
            site
        })
        .collect();
    let sum = |value: fn(&Site) -> f64| snapshot.sites.iter().map(value).sum::<f64>() as u64;
    let (allocated, live) = (
        sum(|site| site.allocated.bytes),
        sum(|site| site.live.bytes),
    );
    let (blocks, live_blocks) = (
        sum(|site| site.allocated.blocks),
        sum(|site| site.live.blocks),
    );
    let peak = sum(|site| site.at_peak.bytes);
    snapshot.totals.allocated.bytes = allocated;
    snapshot.totals.allocated.blocks = blocks;
    snapshot.totals.freed.bytes = allocated - live;
    snapshot.totals.freed.blocks = blocks - live_blocks;
    snapshot.totals.peak_live_bytes = peak;
    Report::from_parts(snapshot, symbols).with_modules(modules())
}

/// Blocks of one size that one site allocated.
#[derive(Clone, Copy)]
struct Blocks {
    size: f64,
    allocated: f64,
    live: f64,
    /// Logarithm of the usual lifetime in nanoseconds.
    lived: usize,
    /// Logarithm of the usual age in nanoseconds.
    age: usize,
}

#[derive(Default)]
struct Program {
    symbols: Symbols,
    addresses: Vec<String>,
    sites: Vec<Site>,
}

impl Program {
    /// Adds a site with this stack, outermost frame first, each `name@file:line`; `?` has no name.
    fn site(&mut self, stack: &[&str], blocks: Blocks) {
        let allocator = [
            "alloc::raw_vec::RawVecInner<A>::finish_grow",
            "__rustc::__rust_alloc",
        ];
        let allocator = if stack.is_empty() {
            &[][..]
        } else {
            &allocator[..]
        };
        let stack = stack
            .iter()
            .chain(allocator)
            .rev()
            .map(|frame| self.address(frame))
            .collect();
        let mut site = Site::new(self.sites.len() as u32 + 2, stack);
        site.allocated = estimate(blocks.size, blocks.allocated);
        site.live = estimate(blocks.size, blocks.live);
        site.at_peak = estimate(blocks.size, blocks.live * 1.25);
        site.lifetimes = spread(blocks.lived, blocks.allocated - blocks.live);
        site.ages = spread(blocks.age, blocks.live);
        self.sites.push(site);
    }

    fn address(&mut self, frame: &str) -> u64 {
        let known = self
            .addresses
            .iter()
            .position(|known| known == frame && frame != "?");
        let index = known.unwrap_or_else(|| {
            self.addresses.push(frame.to_owned());
            self.addresses.len() - 1
        });
        let address = 0x5555_0000_1000 + index as u64 * 0x20;
        let (name, place) = frame.split_once('@').unwrap_or((frame, ""));
        let (file, line) = place.rsplit_once(':').unwrap_or_default();
        let function = SourceFunction {
            name: name.to_owned(),
            file: Some(file.to_owned()).filter(|file| !file.is_empty()),
            line: line.parse().ok(),
        };
        if name != "?" {
            self.symbols.insert(address, &[function]);
        }
        address
    }

    fn report(self) -> (Snapshot, Symbols) {
        let mut snapshot = Snapshot::empty(UNIX_EPOCH + Duration::from_secs(1_763_806_831));
        snapshot.uptime = UPTIME;
        snapshot.sites = self.sites;
        snapshot.sampling.mode = Sampling::Bytes {
            interval: INTERVAL as u64,
        };
        snapshot.unwinding.kind = UnwinderKind::Tables;
        snapshot.unwinding.frame_pointers = Some(false);
        snapshot.unwinding.max_frames = 128;
        snapshot.unwinding.modules = 5;
        let table = |entries: u64, capacity: u64, entry_bytes: u64| {
            let mut table = TableUse::default();
            table.entries = entries;
            table.capacity = capacity;
            table.used_bytes = entries * entry_bytes;
            table.capacity_bytes = capacity * entry_bytes;
            table
        };
        snapshot.own_memory.threads = table(9, 4096, 128);
        snapshot.own_memory.stacks = table(212, 262_144, 24);
        snapshot.own_memory.sites = table(8, 65_536, 1024);
        snapshot.own_memory.live_blocks = table(182, 131_072, 64);
        snapshot.own_memory.unwinder_bytes = 3_145_728;
        (snapshot, self.symbols)
    }
}

/// What sampling would say about `blocks` blocks of `size` bytes on average.
fn estimate(size: f64, blocks: f64) -> Estimate {
    let probability = 1.0 - (-size / INTERVAL).exp();
    let samples = (blocks * probability).round();
    let variance_each = (1.0 - probability) / (probability * probability);
    Estimate {
        samples: samples as i64,
        bytes: samples * size / probability,
        blocks: samples / probability,
        bytes_variance: samples * size * size * variance_each,
        blocks_variance: samples * variance_each,
    }
}

/// Most of `blocks` in one bucket, the others around it; none is older than the program.
fn spread(bucket: usize, blocks: f64) -> DurationHistogram {
    let mut histogram = DurationHistogram::default();
    let oldest = DurationHistogram::bucket_of(UPTIME.as_nanos() as u64);
    for (offset, part) in [0.05, 0.15, 0.5, 0.2, 0.1].into_iter().enumerate() {
        histogram.buckets[(bucket - 2 + offset).min(oldest)] += blocks * part;
    }
    histogram
}

/// A web shop under load: a runtime, many crates, a cache that grows, and call stacks as deep as real ones.
pub(crate) fn web_shop() -> Report {
    let registry =
        |place: &str| format!("/home/ci/.cargo/registry/src/mirror-1949cf8c6b5b557f/{place}");
    let runtime = [
        "clone3".to_owned(),
        "start_thread".to_owned(),
        "std::thread::lifecycle::spawn_unchecked::{{closure}}".to_owned(),
        "std::sys::backtrace::__rust_begin_short_backtrace".to_owned(),
        "tokio::runtime::blocking::pool::Inner::run@".to_owned()
            + &registry("tokio-1.40.0/src/runtime/blocking/pool.rs:513"),
        "tokio::runtime::scheduler::multi_thread::worker::run@".to_owned()
            + &registry("tokio-1.40.0/src/runtime/scheduler/multi_thread/worker.rs:489"),
        "tokio::runtime::scheduler::multi_thread::worker::Context::run_task@".to_owned()
            + &registry("tokio-1.40.0/src/runtime/scheduler/multi_thread/worker.rs:580"),
        "tokio::runtime::task::raw::poll@".to_owned()
            + &registry("tokio-1.40.0/src/runtime/task/raw.rs:271"),
    ];
    let runtime: Vec<&str> = runtime.iter().map(String::as_str).collect();
    let connection = [
        "hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_catch@".to_owned()
            + &registry("hyper-1.4.0/src/proto/h1/dispatch.rs:133"),
        "axum::routing::route::RouteFuture<E>::poll@".to_owned()
            + &registry("axum-0.7.7/src/routing/route.rs:156"),
        "tower::util::oneshot::Oneshot<S,Req>::poll@".to_owned()
            + &registry("tower-0.5.1/src/util/oneshot.rs:97"),
    ];
    let connection: Vec<&str> = connection.iter().map(String::as_str).collect();
    let decode =
        "serde_json::de::from_slice@".to_owned() + &registry("serde_json-1.0.128/src/de.rs:2651");
    let visit = "<shop::catalog::Product as serde::de::Deserialize>::deserialize@src/catalog.rs:19";
    let rows = "sqlx_core::query_as::QueryAs<DB,O,A>::fetch_all@".to_owned()
        + &registry("sqlx-core-0.8.2/src/query_as.rs:118");
    let stream = "sqlx_postgres::connection::stream::PgStream::recv@".to_owned()
        + &registry("sqlx-postgres-0.8.2/src/connection/stream.rs:97");
    let resize = "image::imageops::sample::resize@".to_owned()
        + &registry("image-0.25.2/src/imageops/sample.rs:967");
    let regex = "regex_automata::dfa::onepass::Builder::build@".to_owned()
        + &registry("regex-automata-0.4.7/src/dfa/onepass.rs:495");
    let regex_new = "regex::builders::string::RegexBuilder::build@".to_owned()
        + &registry("regex-1.10.6/src/builders.rs:73");
    let moka = "moka::sync::cache::Cache<K,V,S>::insert@".to_owned()
        + &registry("moka-0.12.8/src/sync/cache.rs:1351");
    let moka_table = "moka::cht::map::bucket::BucketArray<K,V>::with_length@".to_owned()
        + &registry("moka-0.12.8/src/cht/map/bucket.rs:66");
    let tls = "rustls::vecbuf::ChunkVecBuffer::append@".to_owned()
        + &registry("rustls-0.23.13/src/vecbuf.rs:98");
    let span = "tracing_subscriber::registry::sharded::Registry::new_span@".to_owned()
        + &registry("tracing-subscriber-0.3.18/src/registry/sharded.rs:233");
    let (push, with_capacity, clone) = (
        "alloc::vec::Vec<T,A>::push",
        "alloc::vec::Vec<T,A>::with_capacity",
        "<alloc::string::String as core::clone::Clone>::clone",
    );
    let (insert, collect) = (
        "std::collections::hash::map::HashMap<K,V,S,A>::insert",
        "core::iter::traits::iterator::Iterator::collect",
    );
    let (btree, boxed, arc) = (
        "alloc::collections::btree::map::BTreeMap<K,V,A>::insert",
        "alloc::boxed::Box<T>::new",
        "alloc::sync::Arc<T>::new",
    );

    let main = [
        "_start",
        "main",
        "std::rt::lang_start",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "shop::main@src/main.rs:31",
    ];
    let startup =
        |tail: &[&'static str]| [&main[..], &["shop::startup@src/main.rs:58"], tail].concat();
    let mut program = Program::default();
    let mut site =
        |stack: Vec<&str>, size: f64, allocated: f64, live: f64, lived: usize, age: usize| {
            program.site(
                &stack,
                Blocks {
                    size,
                    allocated,
                    live,
                    lived,
                    age,
                },
            );
        };
    let mut load = startup(&[
        "shop::catalog::Catalog::load@src/catalog.rs:77",
        "core::iter::traits::iterator::Iterator::for_each",
        "shop::catalog::Catalog::add@src/catalog.rs:112",
    ]);
    site(
        [&load[..], &[clone]].concat(),
        38.0,
        4_200_000.0,
        4_100_000.0,
        14,
        44,
    );
    site(
        [
            &load[..],
            &["shop::catalog::Index::words@src/catalog.rs:163", collect],
        ]
        .concat(),
        96.0,
        1_400_000.0,
        900_000.0,
        16,
        44,
    );
    site(
        [
            &load[..],
            &[
                "shop::catalog::Index::words@src/catalog.rs:170",
                insert,
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
            ],
        ]
        .concat(),
        12_582_912.0,
        14.0,
        5.0,
        31,
        44,
    );
    site(
        [
            &load[..],
            &["shop::price::Tiers::from_row@src/price.rs:41", btree],
        ]
        .concat(),
        192.0,
        300_000.0,
        280_000.0,
        20,
        44,
    );
    load.pop();
    site(
        [
            &load[..],
            &[
                &decode,
                visit,
                "shop::catalog::Attributes::read@src/catalog.rs:240",
                push,
            ],
        ]
        .concat(),
        320.0,
        700_000.0,
        110_000.0,
        18,
        44,
    );
    site(
        startup(&["shop::rules::compile@src/rules.rs:12"])
            .into_iter()
            .chain([&*regex_new, &*regex, with_capacity])
            .collect(),
        65_536.0,
        900.0,
        850.0,
        24,
        44,
    );
    site(
        startup(&[
            "shop::config::read@src/config.rs:8",
            "std::fs::read_to_string",
        ]),
        16_384.0,
        12.0,
        0.0,
        23,
        1 + 2,
    );

    let handlers = [
        ("shop::api::product::show@src/api/product.rs:25", 1.0),
        ("shop::api::product::list@src/api/product.rs:61", 3.0),
        ("shop::api::cart::checkout@src/api/cart.rs:88", 0.4),
        ("shop::api::search::search@src/api/search.rs:19", 2.0),
    ];
    for (handler, load) in handlers {
        let request = |tail: &[&str]| -> Vec<String> {
            let parts = [&runtime[..], &connection[..], &[handler], tail].concat();
            parts.into_iter().map(str::to_owned).collect()
        };
        let mut site =
            |stack: Vec<String>, size: f64, allocated: f64, live: f64, lived: usize, age: usize| {
                site(
                    stack.iter().map(String::as_str).collect(),
                    size,
                    (allocated * load).round(),
                    (live * load).round(),
                    lived,
                    age,
                );
            };
        site(
            request(&[
                "shop::store::Store::fetch@src/store.rs:52",
                &rows,
                &stream,
                with_capacity,
            ]),
            8_192.0,
            900_000.0,
            210.0,
            22,
            21,
        );
        site(
            request(&["shop::store::Store::fetch@src/store.rs:57", collect]),
            1_280.0,
            900_000.0,
            420.0,
            21,
            21,
        );
        site(
            request(&["shop::session::Session::open@src/session.rs:33", &moka, arc]),
            1_536.0,
            160_000.0,
            31_000.0,
            38,
            40,
        );
        site(
            request(&[
                "shop::session::Session::open@src/session.rs:33",
                &moka,
                &moka_table,
                boxed,
            ]),
            262_144.0,
            60.0,
            18.0,
            36,
            41,
        );
        site(
            request(&[
                "shop::view::render@src/view.rs:140",
                "shop::view::Template::fill@src/view.rs:201",
                "alloc::string::String::push_str",
            ]),
            4_096.0,
            1_800_000.0,
            160.0,
            19,
            19,
        );
        site(
            request(&["shop::view::render@src/view.rs:148", &tls, with_capacity]),
            16_384.0,
            400_000.0,
            90.0,
            23,
            24,
        );
        site(request(&[&span, boxed]), 512.0, 2_600_000.0, 800.0, 22, 22);
    }
    let thumbnails = [&runtime[..], &["shop::media::thumbnail@src/media.rs:44"]].concat();
    site(
        [&thumbnails[..], &[&*resize, "alloc::vec::from_elem"]].concat(),
        786_432.0,
        22_000.0,
        11.0,
        25,
        25,
    );
    site(
        [
            &thumbnails[..],
            &["shop::media::Cache::keep@src/media.rs:71", insert],
        ]
        .concat(),
        24_576.0,
        5_200.0,
        1_450.0,
        39,
        42,
    );
    site(
        vec!["clone", "?", "sqlite3_step", "sqlite3MemMalloc"],
        2_048.0,
        80_000.0,
        3_000.0,
        24,
        41,
    );
    site(
        vec![
            "clone3",
            "start_thread",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "shop::metrics::collect@src/metrics.rs:15",
            "shop::metrics::History::push@src/metrics.rs:48",
            "alloc::collections::vec_deque::VecDeque<T,A>::push_back",
        ],
        4_194_304.0,
        9.0,
        1.0,
        34,
        43,
    );

    let (mut snapshot, symbols) = program.report();
    let sum = |value: fn(&Site) -> f64| snapshot.sites.iter().map(value).sum::<f64>() as u64;
    // Exact totals, a little beside the estimates.
    let exact = |estimate: u64| estimate / 1000 * 1003 + 7;
    let (allocated, live) = (
        exact(sum(|site| site.allocated.bytes)),
        exact(sum(|site| site.live.bytes)),
    );
    let (blocks, live_blocks) = (
        exact(sum(|site| site.allocated.blocks)),
        exact(sum(|site| site.live.blocks)),
    );
    snapshot.totals.peak_live_bytes = exact(sum(|site| site.at_peak.bytes));
    snapshot.totals.peak_error_bytes = 1_048_576;
    snapshot.totals.allocated.bytes = allocated;
    snapshot.totals.allocated.blocks = blocks;
    snapshot.totals.freed.bytes = allocated - live;
    snapshot.totals.freed.blocks = blocks - live_blocks;
    snapshot.resident_bytes = Some(live / 2 * 3);
    Report::from_parts(snapshot, symbols).with_modules(modules())
}
