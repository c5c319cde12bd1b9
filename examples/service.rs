//! Where does the memory of a service go, while it runs in production and nobody may restart it? Ask it: its own router
//! answers `go tool pprof`, Prometheus and browsers too.
//!
//! ```text
//! cargo run --release --example service --features http -- --port 8080 --load 2
//! ```
//!
//! A store of documents, with a search over their words, on axum. `--load N` runs N clients that put, get and search, so
//! that there is something to see. It ends with Ctrl-C, or with `--seconds N` after that time; without `--port`, the system
//! chooses one. It prints where it is, and what to try.
//!
//! Two lines are all that unkai takes: the allocator, and `route_service` with an [`Endpoint`]. Here anybody who
//! reaches the service can read its profiles: a real one puts `/debug` behind its own access control.

#[path = "service/load.rs"]
mod load;
#[path = "service/store.rs"]
mod store;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use mimalloc::MiMalloc;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use store::{Store, read, write};
use tokio::net::TcpListener;
use unkai::http::Endpoint;
use unkai::{Config, UnkaiGlobalAlloc};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<MiMalloc> = UnkaiGlobalAlloc::with_config(MiMalloc, Config::new());

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments {
        port,
        seconds,
        clients,
    } = Arguments::of(std::env::args().skip(1))?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("{}", what_to_try(address));
    for client in 0..clients {
        load::start(address, client);
    }
    let until = async move {
        match seconds {
            Some(seconds) => tokio::time::sleep(seconds).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = async { axum::serve(listener, service()).await } => served?,
        () = until => {}
    }
    Ok(())
}

/// What the service answers: its users, and who looks after it.
fn service() -> Router {
    let (mut registry, searches) = (Registry::default(), Counter::<u64>::default());
    registry.register("searches", "Searches answered", searches.clone());
    let unkai = Endpoint::new().metrics(Arc::new(registry));
    let service = Service {
        store: Arc::default(),
        searches,
    };
    Router::new()
        .route("/documents/{name}", get(document).put(put_document))
        .route("/search", get(search))
        .with_state(service)
        .route_service("/debug/{*path}", unkai.clone())
        .route_service("/metrics", unkai)
}

#[derive(Clone)]
struct Service {
    store: Arc<RwLock<Store>>,
    searches: Counter,
}

async fn document(
    State(service): State<Service>,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    let store = read(&service.store);
    let text = store.text(&name).ok_or(StatusCode::NOT_FOUND)?;
    Ok(text.to_owned())
}

async fn put_document(
    State(service): State<Service>,
    Path(name): Path<String>,
    text: String,
) -> StatusCode {
    write(&service.store).put(name, text);
    StatusCode::NO_CONTENT
}

/// The names of documents with the word, a line each.
async fn search(
    State(service): State<Service>,
    Query(words): Query<Vec<(String, String)>>,
) -> String {
    service.searches.inc();
    let words: Vec<&str> = words
        .iter()
        .filter(|(key, _)| key == "word")
        .map(|(_, word)| &**word)
        .collect();
    read(&service.store).search(&words).join("\n") + "\n"
}

fn what_to_try(address: SocketAddr) -> String {
    format!(
        "service: http://{address}/
  curl -T README.md http://{address}/documents/readme
  curl 'http://{address}/search?word=memory'

profiles: http://{address}/debug/pprof/
  go tool pprof -top http://{address}/debug/pprof/heap
  go tool pprof -top -seconds=5 http://{address}/debug/pprof/allocs
  go tool pprof -http=: 'http://{address}/debug/pprof/heap?seconds=5'
  curl -s 'http://{address}/debug/pprof/heap?debug=1' | less
  curl -s http://{address}/debug/unkai/heap.json > now.heap.json && unkai top now.heap.json
  curl -s http://{address}/metrics | grep ^unkai_live

report in a browser: http://{address}/debug/unkai/"
    )
}

struct Arguments {
    port: u16,
    seconds: Option<Duration>,
    clients: u64,
}

impl Arguments {
    fn of(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let (mut port, mut seconds, mut clients) = (0, None, 0);
        while let Some(option) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value"))?;
            match option.as_str() {
                "--port" => port = value.parse()?,
                "--seconds" => seconds = Some(Duration::from_secs(value.parse()?)),
                "--load" => clients = value.parse()?,
                _ => return Err(format!("there is no option {option}").into()),
            }
        }
        Ok(Self {
            port,
            seconds,
            clients,
        })
    }
}

// What it first showed of itself, by `?debug=1` under load:
//
//      bytes       ± 95 %    share   blocks  samples  site
//   37.0 MiB   ± 8.43 MiB   54.4 %    187 k       74  service::store::index  (via set::insert)
//   28.7 MiB   ± 7.40 MiB   42.2 %    3,677       57  bytes::bytes_mut::reserve_inner
//
// 3,677 documents of 2 KiB held 8 KiB each: the buffers that axum had read them into. `Store::put` now keeps no more than
// the text, and 11 MiB are left.
