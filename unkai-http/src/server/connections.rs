//! Connections: a bounded number, each for one request within a bounded time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, AbortHandle};
use tokio::time;

use super::host::{self, Hosts};
use super::serving::Counts;
use crate::endpoint::Endpoint;

/// What the thread does: accepts connections, and serves them.
pub(super) struct Accepting {
    pub(super) listener: TcpListener,
    pub(super) endpoint: Endpoint,
    pub(super) hosts: Arc<Hosts>,
    pub(super) head_timeout: Duration,
    pub(super) connections: Arc<Connections>,
}

impl Accepting {
    pub(super) async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.open(stream).await,
                Err(error) if is_of_one_connection(&error) => {
                    self.connections.not_accepted.count();
                }
                Err(_) => {
                    self.connections.not_accepted.count();
                    // It may be that there is no file left for another. Linux says so before it looks whether there is
                    // another, so one that was accepted a moment ago must not pay for it.
                    self.connections.close_one(SLOW);
                    time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn open(&self, stream: TcpStream) {
        self.connections.accepted.count();
        if self.connections.is_full() {
            self.connections.close_one(Duration::ZERO);
            // The task of the one that was closed ends now, and with it its socket.
            task::yield_now().await;
            if self.connections.is_full() {
                self.connections.closed_for_room.count();
                return;
            }
        }
        let phase = Arc::new(Phase::default());
        let entry = Entry {
            id: self.connections.next_id.count(),
            connections: Arc::clone(&self.connections),
        };
        let id = entry.id;
        let serving = self.serve(stream, Arc::clone(&phase));
        let mut open = self.connections.open();
        let task = task::spawn(async move {
            let entry = entry;
            if !serving.await {
                entry.connections.failed.count();
            }
        });
        let close = task.abort_handle();
        let since = Instant::now();
        open.insert(
            id,
            Open {
                close,
                phase,
                since,
            },
        );
    }

    /// Serves the one request of `stream`. Whether that went well.
    fn serve(&self, stream: TcpStream, phase: Arc<Phase>) -> impl Future<Output = bool> + 'static {
        let (endpoint, hosts) = (self.endpoint.clone(), Arc::clone(&self.hosts));
        let most = Duration::from_secs(endpoint.longest_work_seconds()).saturating_add(BESIDES);
        let service = service_fn(move |request: Request<Incoming>| {
            phase.set(Phase::WORKING);
            let answer = if !hosts.allow(&request) {
                Err(refused(WRONG_HOST))
            } else if host::is_of_a_foreign_page(&request) {
                Err(refused(FOREIGN_PAGE))
            } else {
                Ok(endpoint.respond(&request))
            };
            let phase = Arc::clone(&phase);
            async move {
                let response = match answer {
                    Ok(answer) => answer.await,
                    Err(response) => response,
                };
                phase.set(Phase::ANSWERING);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .keep_alive(false)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        async move { matches!(time::timeout(most, connection).await, Ok(Ok(()))) }
    }
}

/// The connections that are open, and what happened to all.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// By their numbers, so the oldest first.
    open: Mutex<BTreeMap<u64, Open>>,
    most: usize,
    next_id: Count,
    accepted: Count,
    closed_for_room: Count,
    failed: Count,
    not_accepted: Count,
}

#[derive(Debug)]
struct Open {
    close: AbortHandle,
    phase: Arc<Phase>,
    since: Instant,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            open: self.open().len() as u64,
            accepted: self.accepted.get(),
            closed_for_room: self.closed_for_room.get(),
            failed: self.failed.get(),
            not_accepted: self.not_accepted.get(),
        }
    }

    fn is_full(&self) -> bool {
        self.open().len() >= self.most
    }

    /// Closes the connection that has waited longest without a request, or else the one whose answer is being taken for
    /// longest; none that is worked for, and none that is younger than `age`.
    fn close_one(&self, age: Duration) {
        let mut open = self.open();
        let oldest = |phase| {
            let mut old = open.iter().filter(|(_, open)| open.since.elapsed() >= age);
            old.find(|(_, open)| open.phase.is(phase))
        };
        let found = oldest(Phase::WAITING).or_else(|| oldest(Phase::ANSWERING));
        if let Some(&id) = found.map(|(id, _)| id) {
            if let Some(closed) = open.remove(&id) {
                closed.close.abort();
            }
            self.closed_for_room.count();
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a connection from the list when its task ends, in whatever way.
struct Entry {
    id: u64,
    connections: Arc<Connections>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

/// What a connection waits for.
#[derive(Debug, Default)]
struct Phase(AtomicU8);

impl Phase {
    /// For a request.
    const WAITING: u8 = 0;
    /// For the answer to be made.
    const WORKING: u8 = 1;
    /// For the client to take the answer.
    const ANSWERING: u8 = 2;

    fn set(&self, phase: u8) {
        // Relaxed, as below: all of it is on one thread.
        self.0.store(phase, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }
}

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// Adds one; returns what it was.
    fn count(&self) -> u64 {
        // Relaxed, as below: each number is for itself.
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether accepting failed because of the connection that was to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

fn refused(why: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(why));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    let values = [
        (http::header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in values {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}

const WRONG_HOST: &str = "This server answers only to names of its own machine, such as localhost: \
    otherwise a web page could read it. Server::allow_host allows another.\n";
const FOREIGN_PAGE: &str = "This server answers no request that a web page of another origin makes. Open the address itself.\n";
/// After a failure that may last.
const PAUSE: Duration = Duration::from_millis(100);
/// A client that means well has sent its request by then.
const SLOW: Duration = Duration::from_secs(1);
/// What a connection may take beside `seconds=`: for its request, for the document, and for sending that.
const BESIDES: Duration = Duration::from_secs(120);
const MAX_HEAD_BYTES: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
