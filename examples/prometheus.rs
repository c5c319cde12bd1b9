//! What holds the memory of a server that runs for weeks? Ask Prometheus: one page of metrics has its heap, its scopes, and
//! numbers of its own.
//!
//! ```text
//! cargo run --release --example prometheus --features prometheus -- --port 9184
//! ```
//!
//! Then point a Prometheus at it, or a browser at <http://127.0.0.1:9184/metrics>. It ends when its standard input does,
//! or with `--seconds N` after that time; without `--port`, the system chooses one.
//!
//! The work is made up: documents are loaded and dropped again, and pages of them are cached below a limit. The program
//! counts exactly what they hold, so that both can be compared.
#![cfg_attr(feature = "nightly", feature(allocator_api))]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mimalloc::MiMalloc;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use unkai::api::{Global, Vec as VecIn};
use unkai::report::prometheus::{self, CONTENT_TYPE, HeapCollector};
use unkai::report::scopes::prometheus::ScopesCollector;
use unkai::{Bounds, Config, Scope, Unkai, UnkaiGlobal, UnkaiGlobalAlloc};

/// Every 64 KiB a sample: a small program shows more by it than with the default of 512 KiB.
#[global_allocator]
static HEAP: UnkaiGlobalAlloc<MiMalloc> =
    UnkaiGlobalAlloc::with_config(MiMalloc, Config::new().sampling_interval(64 << 10));

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { port, seconds } = Arguments::of(std::env::args().skip(1))?;
    let process = Scope::root("process").limit(64 << 20).build()?;
    let service = Arc::new(Mutex::new(Service::new(&process)?));

    let registry = registry(&process, &lock(&service));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("metrics: http://{}/metrics", listener.local_addr()?);
    let served = Arc::clone(&service);
    thread::spawn(move || serve(&listener, &registry, &served));

    let stop = stop_after(seconds);
    while stop.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
        lock(&service).step();
    }
    println!("{}", lock(&service).summary());
    Ok(())
}

/// All metrics of the program.
fn registry(process: &Scope, service: &Service) -> Registry {
    let mut registry = Registry::default();
    let heap = HeapCollector::new(|| HEAP.snapshot(), prometheus::Options::new());
    registry.register_collector(Box::new(heap));
    let tree = process.clone();
    let scopes = ScopesCollector::new(move || tree.snapshot(Bounds::new()));
    registry.register_collector(Box::new(scopes));
    let (documents, cache) = (service.documents_held.clone(), service.cache_held.clone());
    registry.register_with_unit(
        "example_documents",
        "What documents hold",
        Unit::Bytes,
        documents,
    );
    registry.register_with_unit("example_cache", "What the cache holds", Unit::Bytes, cache);
    registry
}

/// What the program works on.
struct Service {
    documents: Vec<Box<[u8]>>,
    memory: UnkaiGlobal,
    cache: VecIn<VecIn<u8, UnkaiGlobal>, UnkaiGlobal>,
    grows: bool,
    refused: u64,
    documents_held: Gauge,
    cache_held: Gauge,
}

impl Service {
    fn new(process: &Scope) -> Result<Self, Box<dyn Error>> {
        let scope = process.child("cache").limit(4 << 20).build()?;
        let memory = Unkai::in_scope(Global, &scope);
        Ok(Self {
            documents: Vec::new(),
            cache: VecIn::new_in(memory.clone()),
            memory,
            grows: true,
            refused: 0,
            documents_held: Gauge::default(),
            cache_held: Gauge::default(),
        })
    }

    /// Documents grow up to 32 MiB, then shrink to 8 MiB, and so on. The cache grows until it is refused, then starts anew.
    fn step(&mut self) {
        if self.grows {
            self.load_documents();
        } else {
            self.documents
                .truncate(self.documents.len() - DOCUMENTS_OF_A_STEP);
        }
        match self.documents.len() {
            len if len >= 16 * DOCUMENTS_OF_A_STEP => self.grows = false,
            len if len <= 4 * DOCUMENTS_OF_A_STEP => self.grows = true,
            _ => {}
        }
        if !self.cache_page() {
            self.refused += 1;
            self.cache.clear();
        }
        self.count();
    }

    #[inline(never)]
    fn load_documents(&mut self) {
        for _ in 0..DOCUMENTS_OF_A_STEP {
            self.documents
                .push(vec![1; DOCUMENT_BYTES].into_boxed_slice());
        }
    }

    /// Whether there was room.
    #[inline(never)]
    fn cache_page(&mut self) -> bool {
        let mut page = VecIn::new_in(self.memory.clone());
        let fits = self.cache.try_reserve(1).is_ok() && page.try_reserve_exact(PAGE_BYTES).is_ok();
        if fits {
            page.resize(PAGE_BYTES, 2);
            self.cache.push(page);
        }
        fits
    }

    /// Tells exactly what everything holds.
    fn count(&self) {
        let list = self.documents.capacity() * size_of::<Box<[u8]>>();
        let documents = self.documents.len() * DOCUMENT_BYTES + list;
        let list = self.cache.capacity() * size_of::<VecIn<u8, UnkaiGlobal>>();
        let cache = self.cache.iter().map(VecIn::capacity).sum::<usize>() + list;
        self.documents_held.set(documents as i64);
        self.cache_held.set(cache as i64);
    }

    fn summary(&self) -> String {
        let (documents, cache) = (self.documents_held.get(), self.cache_held.get());
        let refused = self.refused;
        format!("documents: {documents} bytes, cache: {cache} bytes, refused: {refused}")
    }
}

const DOCUMENT_BYTES: usize = 2048;
/// 2 MiB.
const DOCUMENTS_OF_A_STEP: usize = 1024;
const PAGE_BYTES: usize = 256 << 10;

/// Answers one request after the other: a scrape each few seconds needs no more.
fn serve(listener: &TcpListener, registry: &Registry, service: &Mutex<Service>) {
    for connection in listener.incoming() {
        if let Err(error) = connection.and_then(|connection| answer(connection, registry, service))
        {
            eprintln!("a scrape failed: {error}");
        }
    }
}

fn answer(
    mut connection: TcpStream,
    registry: &Registry,
    service: &Mutex<Service>,
) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = BufReader::new((&connection).take(16 << 10)).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    for line in request {
        if line?.is_empty() {
            break;
        }
    }
    let (status, media_type, body) = if first.starts_with("GET /metrics ") {
        let mut body = String::new();
        // All numbers of a page are of the same moment.
        let _no_step_meanwhile = lock(service);
        encode(&mut body, registry).map_err(io::Error::other)?;
        ("200 OK", CONTENT_TYPE, body)
    } else {
        ("404 Not Found", "text/plain", "see /metrics\n".to_owned())
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn lock(service: &Mutex<Service>) -> MutexGuard<'_, Service> {
    service.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Disconnects after that time; without one, when the standard input ends.
fn stop_after(seconds: Option<Duration>) -> Receiver<()> {
    let (open, stop) = mpsc::channel();
    thread::spawn(move || {
        match seconds {
            Some(seconds) => thread::sleep(seconds),
            None => drop(io::copy(&mut io::stdin(), &mut io::sink())),
        }
        drop(open);
    });
    stop
}

struct Arguments {
    port: u16,
    seconds: Option<Duration>,
}

impl Arguments {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let (mut port, mut seconds) = (0, None);
        while let Some(option) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--port" => port = value.parse()?,
                "--seconds" => seconds = Some(Duration::from_secs(value.parse()?)),
                _ => return Err(format!("there is no option {option}").into()),
            }
        }
        Ok(Self { port, seconds })
    }
}

// The page has about 80 series. Some of them:
//
// unkai_live_bytes 15474183
// unkai_site_live_bytes{function="prometheus::Service::load_documents",place="…/examples/prometheus.rs:125"} 12049098.68359375
// unkai_site_live_error_bytes{function="prometheus::Service::load_documents",place="…/examples/prometheus.rs:125"} 1710321.4190753964
// unkai_scope_used_bytes{scope="process/cache"} 2621952
// unkai_scope_refused_total{scope="process/cache"} 1
// example_documents_bytes 12845056
// example_cache_bytes 2621952
