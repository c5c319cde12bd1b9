//! The endpoint within servers of the program's own, on executors of every kind.

#[path = "support/client.rs"]
mod client;

use std::alloc::System;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use client::Answer;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower_service::Service;
use unkai_global::{Config, UnkaiGlobalAlloc};
use unkai_http::Endpoint;

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

/// An axum service with the endpoint in two ways, on `runtime`, and what a client gets of it.
fn get_from_axum(runtime: &Runtime, paths: &[&str]) -> Vec<Answer> {
    let unkai = Endpoint::new();
    let app = Router::new()
        .route("/own", get(|| async { "own" }))
        .route_service("/debug/{*path}", unkai.clone())
        .route_service("/metrics", unkai.clone())
        .nest_service("/below/a/prefix", unkai);
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it has one");
        tokio::spawn(async { axum::serve(listener, app).await });
        let mut answers = Vec::new();
        for path in paths {
            let path = (*path).to_owned();
            let got = tokio::task::spawn_blocking(move || client::get(address, &path));
            answers.push(got.await.expect("the client does not panic"));
        }
        answers
    })
}

#[test]
fn axum_serves_it_on_many_threads_and_on_one() {
    let paths = [
        "/own",
        "/metrics",
        "/debug/pprof/heap",
        "/debug/pprof/",
        "/debug/unkai/heap.json?seconds=1",
        "/debug/nothing",
        "/below/a/prefix/debug/pprof/allocs",
        "/below/a/prefix/metrics",
    ];
    let statuses = [200, 200, 200, 200, 200, 404, 200, 200];
    let mut current = Builder::new_current_thread();
    for builder in [&mut Builder::new_multi_thread(), &mut current] {
        let runtime = builder.enable_all().build().expect("a runtime");
        let answers = get_from_axum(&runtime, &paths);
        let got: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(got, statuses);
        assert_eq!(answers[0].body, b"own");
        assert!(answers[1].text().ends_with("# EOF\n"));
        assert_eq!(
            answers[6].header("content-disposition"),
            Some("attachment; filename=\"allocs.pb.gz\"")
        );
    }
}

#[test]
fn an_executor_of_one_thread_goes_on_while_a_document_is_made() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let request = Request::get("/debug/pprof/heap?seconds=1")
            .body(())
            .expect("well-formed");
        let mut answer = pin!(Endpoint::new().respond(&request));
        let mut ticks = 0;
        let response = loop {
            match tokio::time::timeout(Duration::from_millis(10), &mut answer).await {
                Ok(response) => break response,
                Err(_) => ticks += 1,
            }
        };
        assert_eq!(response.status(), 200);
        // A second has a hundred, but on a busy machine far fewer. Blocked, it would have none.
        assert!(ticks >= 5, "it was blocked: {ticks}");
    });
}

#[test]
fn hyper_serves_it_by_a_function() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let status = runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it has one");
        let endpoint = Endpoint::new();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("the client connects");
            let service = service_fn(|request| endpoint.clone().call(request));
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
        let got = tokio::task::spawn_blocking(move || client::get(address, "/debug/unkai/"));
        got.await.expect("the client does not panic").status
    });
    assert_eq!(status, 200);
}

/// An executor of a few lines: nothing of tokio's is there.
#[test]
fn no_runtime_is_needed() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut endpoint = Endpoint::new();
    for (path, status) in [
        ("/metrics", 200),
        ("/debug/pprof/heap?seconds=1", 200),
        ("/x", 404),
    ] {
        let request = Request::get(path)
            .body("a body that nobody reads")
            .expect("well-formed");
        let mut answer = pin!(endpoint.call(request));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        let response: Response<Full<_>> = loop {
            match answer.as_mut().poll(&mut context) {
                Poll::Ready(Ok(response)) => break response,
                Poll::Pending => thread::park_timeout(Duration::from_secs(30)),
            }
        };
        assert_eq!(response.status(), status, "{path}");
        assert!(
            answer.as_mut().poll(&mut context).is_pending(),
            "it is over"
        );
    }
}

#[test]
fn a_panic_of_the_programs_own_metrics_is_an_answer() {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Panics));
    let endpoint = Endpoint::new().metrics(Arc::new(registry));
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..10 {
        let request = Request::get("/metrics").body(()).expect("well-formed");
        let response = runtime.block_on(endpoint.respond(&request));
        assert_eq!(response.status(), 500, "and not 503: no place is lost");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}

#[derive(Debug)]
struct Panics;

impl Collector for Panics {
    fn encode(&self, _: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        panic!("as the test wants");
    }
}
