//! Heap profiles and metrics over HTTP: for `go tool pprof`, Prometheus, Parca, Pyroscope, and people with a browser.
//!
//! [`Endpoint`] answers requests within the program's own server, whichever that is. A program that has none calls
//! [`serve`], or [`Server`] for settings, or [`from_env`] to leave it to the operator.
//!
//! ```no_run
//! # fn main() -> Result<(), unkai_http::ServeError> {
//! let serving = unkai_http::serve(([127, 0, 0, 1], 6060))?;
//! println!("heap profiles: http://{}/", serving.local_addr());
//! # Ok(())
//! # }
//! ```
//!
//! The numbers are those of the process's `UnkaiGlobalAlloc`. Without one all of them are 0, and the first page says so.
//!
//! # Paths
//! | path | is | for |
//! |---|---|---|
//! | `/debug/pprof/` | a page of links | people |
//! | `/debug/pprof/heap` | the heap profile; viewers show live bytes first | `go tool pprof`, servers that keep profiles |
//! | `/debug/pprof/allocs` | the same profile; viewers show allocated bytes first | Parca, Grafana Alloy and Pyroscope fetch this one |
//! | `/debug/pprof/symbol` | nothing but the answer that there are no more names | `go tool pprof`, where a profile has none |
//! | `/debug/unkai/` | the whole report as one page: flame graph, sites, durations | people |
//! | `/debug/unkai/heap.json` | the profile with every digit | the tool `unkai`, and programs |
//! | `/debug/unkai/heap.folded` | live bytes as folded stacks | flame graph tools |
//! | `/metrics` | exact totals, and the largest sites, as OpenMetrics | Prometheus |
//!
//! The first four are where Go has them. `unkai` in the next names what nobody else has. `GET` and `HEAD` are answered;
//! `HEAD` does no work. Everything may be mounted below a prefix: links are relative.
//!
//! | parameter | of | does |
//! |---|---|---|
//! | `seconds=N` | profiles and reports | What happened in the next N seconds: the difference of two snapshots. From 1 to [300](Endpoint::max_seconds). |
//! | `debug=1` | `heap`, `allocs` | The report as text, for a terminal. Any number but 0 does; not together with `seconds`. |
//! | `names=none` | profiles and reports | Addresses, modules and their build ids only, for servers that name functions by those. |
//! | `names=all` | profiles and reports | All names, at once: see [costs](#costs). |
//! | `gc=1` | `heap`, `allocs` | Nothing: Rust has no garbage to collect. `go tool pprof` and scrapers of Go send it. |
//!
//! Other parameters are ignored, as Go does: scrapers add their own. A value that cannot be understood is refused, with
//! a sentence that says why.
//!
//! # In a server of the program's own
//! ```
//! use axum::{Router, routing::get};
//! use unkai_http::Endpoint;
//!
//! let unkai = Endpoint::new();
//! let app: Router = Router::new()
//!     .route("/", get(|| async { "the program's own page" }))
//!     .route_service("/debug/{*path}", unkai.clone())
//!     .route_service("/metrics", unkai);
//! # drop(app);
//! ```
//! With hyper alone, [`Endpoint::respond`] goes into a `service_fn`.
//!
//! # Costs
//! * **Nothing** while nobody asks: no thread but that of [`Server`], if there is one.
//! * **Threads.** Each document is made on a thread of its own, which ends with it; the caller's executor only waits. No more
//!   than [four at once](Endpoint::max_at_once), and as many `seconds=` besides; beyond that, 503. A client that goes away
//!   ends its wait at once; what is being written or named then goes on to its end.
//! * **A snapshot** stops no thread, and takes some ms for thousands of sites.
//! * **Names** are looked up [once for each address](unkai_report::NameCache): on a large binary seconds, and up to
//!   [256 MiB](unkai_report::ResolveLimits) until it is done. For what servers fetch again and again (`/metrics`, and `heap` and `allocs`
//!   without parameters) that is a twentieth of the time at most in the long run, and five seconds ahead of that: so who
//!   asks now and then gets all names, and where it rests, a new address stays a number, or among the other sites, for a while. What people wait for (`/debug/unkai/`, `debug=1`, `seconds=`, `names=all`) has
//!   all names at once. `names=none` looks up nothing.
//! * **Memory** of the answers is that of the document, until its client has taken it. While 128 MiB of them lie unsent,
//!   new ones are refused.
//!
//! None of it is in the profile itself: see [`unkai_core::aside`].
//!
//! # Security
//! There is no authentication and no encryption. Who can reach these paths reads names of functions and files, call stacks
//! and sizes: what the program is made of and how busy it is, never its data. And can make it work, within the bounds
//! above. So [`Server`] listens on this machine only unless told otherwise, and then answers only to the names of this
//! machine, so that a web page cannot come by the answers by giving itself the address 127.0.0.1; and it answers no request
//! that a browser says is made by a page of another origin. Where [`Endpoint`] is
//! mounted in a server that others can reach, put it behind that server's own access control: it looks at paths and parameters
//! only.

#![forbid(unsafe_code)]

mod endpoint;
#[cfg(unkai_internals)]
#[doc(hidden)]
pub mod internals;
mod server;

pub use endpoint::{Answer, Endpoint, ServiceAnswer};
pub use server::{Counts, ServeError, Server, Serving, from_env, serve};
