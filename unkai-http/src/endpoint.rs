//! Answers requests, in whatever server the program has.

mod answer;
mod document;
mod index;
mod request;
mod response;
mod work;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use prometheus_client::registry::Registry;
use tower_service::Service;
use unkai_core::aside;
use unkai_report::{NameCache, ResolveLimits};

pub use answer::{Answer, ServiceAnswer};
use document::Document;
use request::{Asked, Place};
use response::Body;
use work::Rooms;

/// Answers requests for profiles and metrics of this process: [paths, costs and security](crate).
///
/// It needs no async runtime, and none in particular: work is done on threads of its own. A clone shares the names
/// that were found and the bounds on work, and costs nothing.
///
/// ```
/// use http::Request;
/// use unkai_http::Endpoint;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), http::Error> {
/// let endpoint = Endpoint::new();
/// let request = Request::get("/debug/pprof/heap").body(())?;
/// let answer = endpoint.respond(&request).await;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.headers()["content-type"], "application/octet-stream");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Endpoint {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    title: String,
    has_names: bool,
    names: Arc<NameCache>,
    metrics: Option<Arc<Registry>>,
    max_seconds: u64,
    max_at_once: usize,
    rooms: Rooms,
}

impl Endpoint {
    /// The program's file name as title, names, at most 300 seconds and four documents at once.
    pub fn new() -> Self {
        Self {
            settings: Arc::new(Settings {
                title: program_name(),
                has_names: true,
                names: Arc::default(),
                metrics: None,
                max_seconds: 300,
                max_at_once: 4,
                rooms: Rooms::default(),
            }),
        }
    }

    /// What pages are called: the program, and which of its instances.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.settings_mut().title = title.into();
        self
    }

    /// Whether functions are named. Without, looking up costs nothing, documents have addresses and the modules with their
    /// build ids, and metrics have no sites; a request can still ask for `names=all`. Default: with names.
    #[must_use]
    pub fn names(mut self, names: bool) -> Self {
        self.settings_mut().has_names = names;
        self
    }

    /// How much memory and time looking up names may take for one request. Default: 256 MiB and 10 s.
    #[must_use]
    pub fn resolve_limits(mut self, limits: ResolveLimits) -> Self {
        self.settings_mut().names = Arc::new(NameCache::new().limits(limits));
        self
    }

    /// Writes the metrics of `registry` on the page of metrics too: those of the program, or of its scopes by
    /// [`ScopesCollector`](unkai_report::scopes::prometheus::ScopesCollector).
    #[must_use]
    pub fn metrics(mut self, registry: Arc<Registry>) -> Self {
        self.settings_mut().metrics = Some(registry);
        self
    }

    /// The longest `seconds=` that is accepted. Default: 300.
    #[must_use]
    pub fn max_seconds(mut self, seconds: u64) -> Self {
        self.settings_mut().max_seconds = seconds;
        self
    }

    /// How many documents are made at once, each on a thread; and how many requests may wait for the end of their `seconds=`
    /// besides. Those beyond are answered by 503 and asked to come back. Default: 4; 0 is taken for 1.
    #[must_use]
    pub fn max_at_once(mut self, documents: usize) -> Self {
        self.settings_mut().max_at_once = documents.max(1);
        self
    }

    /// Answers `request`, whose body is not read.
    ///
    /// Returns at once; what takes time is done on another thread while the answer is awaited. Dropping the answer ends the
    /// wait for `seconds=`.
    ///
    /// ```
    /// use http::Request;
    /// use unkai_http::Endpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), http::Error> {
    /// let request = Request::get("/debug/pprof/heap?seconds=soon").body(())?;
    /// let answer = Endpoint::new().respond(&request).await;
    /// assert_eq!(answer.status(), 400);
    /// # Ok(())
    /// # }
    /// ```
    pub fn respond<B>(&self, request: &Request<B>) -> Answer {
        aside(|| self.answer(request))
    }

    fn answer<B>(&self, request: &Request<B>) -> Answer {
        let settings = &self.settings;
        let document = match Place::of(request.uri().path()) {
            Some(Place::Moved(to)) => return Answer::ready(response::moved(to)),
            Some(Place::NoMoreNames) => return Answer::ready(response::no_more_names()),
            Some(Place::Document(document)) => document,
            None => return Answer::ready(response::not_found()),
        };
        let has_body = match *request.method() {
            Method::GET => true,
            Method::HEAD => false,
            _ => return Answer::ready(response::wrong_method()),
        };
        let query = request.uri().query().unwrap_or_default();
        let asked = match Asked::of(document, query, settings) {
            Ok(asked) => asked,
            Err(error) => return Answer::ready(response::bad_request(&error)),
        };
        if !has_body {
            return Answer::ready(response::head(&asked, settings));
        }
        if document == Document::Index {
            let page = index::page(&settings.title);
            return Answer::ready(response::document(&asked, settings, Body::from(page)));
        }
        work::begin(Arc::clone(settings), asked)
    }

    /// How long an answer may take until it begins, in seconds: for the server's own limit.
    pub(crate) fn longest_work_seconds(&self) -> u64 {
        self.settings.max_seconds
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new()
    }
}

/// For `route_service` and `nest_service` of axum, and everything else that takes a service of tower's.
impl<B> Service<Request<B>> for Endpoint {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ServiceAnswer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ServiceAnswer {
        ServiceAnswer::from(self.respond(&request))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("title", &self.title)
            .field("has_names", &self.has_names)
            .field("names", &self.names)
            .field("max_seconds", &self.max_seconds)
            .field("max_at_once", &self.max_at_once)
            .finish_non_exhaustive()
    }
}

fn program_name() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    match &*name {
        "" => "this program".to_owned(),
        name => name.to_owned(),
    }
}
