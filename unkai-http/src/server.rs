//! A server of its own, for programs that have none.

mod connections;
mod error;
mod from_env;
mod host;
mod serving;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;

use crate::endpoint::Endpoint;
use connections::{Accepting, Connections};
pub use error::ServeError;
#[cfg(unkai_internals)]
pub(crate) use from_env::asked_for;
pub use from_env::from_env;
pub(crate) use host::Hosts;
pub use serving::{Counts, Serving};

/// Serves an [`Endpoint`] on a thread of its own: [paths, costs and security](crate).
///
/// The thread is called `unkai-http`. It has an executor for itself, and shares none with the program.
///
/// # Bounds
/// * **Connections:** [64](Self::max_connections). One beyond that takes the place of the one that has been without a
///   request for longest, or else of the one that has been taking its answer for longest: it is closed. So a thousand slow
///   clients do not keep out another.
/// * **Requests:** one for each connection. Its head must be there within [10 seconds](Self::head_timeout), or the
///   connection is closed, and may have 16 KiB in 64 headers: else the answer is 431, and what did not fit is never kept.
///   Its body is not read.
/// * **Time:** a connection ends two minutes after the longest `seconds=` at the latest.
/// * **Failures to accept**, as when the process has no file left, are counted in [`Serving::counts`]; after one,
///   a connection that has been without a request for a second is closed, and the server waits for 100 ms.
///
/// ```
/// use unkai_http::{Endpoint, Server};
///
/// let serving = Server::new()
///     .address(([127, 0, 0, 1], 0))
///     .endpoint(Endpoint::new().title("search, instance 7"))
///     .start()?;
/// println!("http://{}/", serving.local_addr());
/// serving.stop();
/// # Ok::<(), unkai_http::ServeError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it serves nothing before it is started"]
pub struct Server {
    address: SocketAddr,
    allows_remote: bool,
    hosts: Vec<String>,
    endpoint: Endpoint,
    max_connections: usize,
    head_timeout: Duration,
}

impl Server {
    /// Port 6060 of 127.0.0.1, as is usual for Go's profiles, and [`Endpoint::new`].
    pub fn new() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 6060)),
            allows_remote: false,
            hosts: Vec::new(),
            endpoint: Endpoint::new(),
            max_connections: 64,
            head_timeout: Duration::from_secs(10),
        }
    }

    /// Where to listen. For port 0 the system chooses one: [`Serving::local_addr`].
    pub fn address(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    /// Whether the address may be one that other machines reach. They can then read the names of the program's functions,
    /// and whatever else is served: nobody is asked who they are. Default: no, and [`start`](Self::start) refuses.
    pub const fn allow_remote(mut self, allow: bool) -> Self {
        self.allows_remote = allow;
        self
    }

    /// Answers requests for this host too, as they come through a proxy or a tunnel: a name without port, or `*` for
    /// all. On this machine's own addresses only `localhost`, what ends in `.localhost`, and such addresses are answered
    /// by default, because a web page in a browser of this machine can give itself any name. Where others
    /// are [allowed](Self::allow_remote) in, every host is answered.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// What is served.
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// How many connections may be open at once; 0 is taken for 1. Default: 64. Each takes some 30 KiB, and a document.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = if connections == 0 { 1 } else { connections };
        self
    }

    /// How long a client may take for the head of its request. Default: 10 seconds.
    pub const fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// Listens, and serves on a thread of its own until [`Serving::stop`], or to the end of the process.
    ///
    /// # Errors
    /// If the address is reached by other machines and that was not allowed, or cannot be listened at, or if the system
    /// refuses an executor or a thread.
    pub fn start(self) -> Result<Serving, ServeError> {
        let address = self.address;
        let is_local = address.ip().to_canonical().is_loopback();
        if !is_local && !self.allows_remote {
            return Err(ServeError::Remote { address });
        }
        let cannot_listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|source| ServeError::Runtime { source })?;
        let listener = {
            let _within = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(cannot_listen)?
        };

        let hosts = match is_local {
            true => Hosts::local(self.hosts),
            false => Hosts::all(),
        };
        let connections = Arc::new(Connections::new(self.max_connections));
        let accepting = Accepting {
            listener,
            endpoint: self.endpoint,
            hosts: Arc::new(hosts),
            head_timeout: self.head_timeout,
            connections: Arc::clone(&connections),
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("unkai-http".to_owned())
            .spawn(move || {
                runtime.spawn(accepting.run());
                runtime.block_on(serving::until(stopped));
                // Ends all connections, and with them the waits of their requests.
                drop(runtime);
            })
            .map_err(|source| ServeError::Thread { source })?;
        Ok(Serving::new(address, stop, thread, connections))
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves [`Endpoint::new`] at `address`, which must be one of this machine: [`Server`] has settings.
///
/// # Errors
/// As for [`Server::start`].
///
/// ```
/// let serving = unkai_http::serve(([127, 0, 0, 1], 0))?;
/// assert_ne!(serving.local_addr().port(), 0);
/// # Ok::<(), unkai_http::ServeError>(())
/// ```
pub fn serve(address: impl Into<SocketAddr>) -> Result<Serving, ServeError> {
    Server::new().address(address).start()
}
