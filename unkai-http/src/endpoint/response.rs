//! Heads and bodies of answers. Headers are those of Go's `net/http/pprof`, and some that keep browsers careful.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    LOCATION, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use unkai_report::prometheus::CONTENT_TYPE as OPEN_METRICS;

use super::document::Document;
use super::request::{Asked, BadRequest, DOCUMENTS};
use super::{Settings, index};

pub(super) type Body = Full<Bytes>;

/// The document that was asked for.
pub(super) fn document(asked: &Asked, settings: &Settings, body: Body) -> Response<Body> {
    let mut response = head(asked, settings);
    *response.body_mut() = body;
    response
}

/// Its head alone.
pub(super) fn head(asked: &Asked, settings: &Settings) -> Response<Body> {
    let mut response = plain(StatusCode::OK, Body::default(), media_type(asked));
    if let Some(name) = file_name(asked, settings) {
        let value = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
        if let Ok(value) = value {
            response.headers_mut().insert(CONTENT_DISPOSITION, value);
        }
    }
    let policy = match asked.document {
        Document::Index => index::CONTENT_POLICY,
        Document::Page => PAGE_CONTENT_POLICY,
        _ => return response,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

pub(super) fn moved(to: &'static str) -> Response<Body> {
    let status = StatusCode::TEMPORARY_REDIRECT;
    let mut response = text(status, format_args!("See {to}"));
    let to = HeaderValue::from_static(to);
    response.headers_mut().insert(LOCATION, to);
    response
}

/// In the words of Go. An error would be the end of `go tool pprof`.
pub(super) fn no_more_names() -> Response<Body> {
    text(StatusCode::OK, "num_symbols: 0")
}

pub(super) fn not_found() -> Response<Body> {
    let paths: Vec<&str> = DOCUMENTS.iter().map(|(path, _)| *path).collect();
    let paths = paths.join("\n  ");
    error(
        StatusCode::NOT_FOUND,
        format_args!("There is nothing at this path. These exist:\n  {paths}"),
    )
}

pub(super) fn wrong_method() -> Response<Body> {
    let mut response = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "Everything here is only read: use GET or HEAD.",
    );
    let allowed = HeaderValue::from_static("GET, HEAD");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

pub(super) fn bad_request(why: &BadRequest) -> Response<Body> {
    error(StatusCode::BAD_REQUEST, format_args!("{why}."))
}

/// Not now, but after `wait`.
pub(super) fn busy(why: impl Display, wait: Duration) -> Response<Body> {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, why);
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

pub(super) fn failed(why: impl Display) -> Response<Body> {
    error(StatusCode::INTERNAL_SERVER_ERROR, why)
}

/// A sentence, which `go tool pprof` shows as well.
fn error(status: StatusCode, sentence: impl Display) -> Response<Body> {
    let mut response = text(status, sentence);
    let go = HeaderName::from_static("x-go-pprof");
    response
        .headers_mut()
        .insert(go, HeaderValue::from_static("1"));
    response
}

fn text(status: StatusCode, sentence: impl Display) -> Response<Body> {
    let body = Body::from(format!("{sentence}\n"));
    plain(status, body, TEXT)
}

fn plain(status: StatusCode, body: Body, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource_policy, HeaderValue::from_static("same-origin"));
    response
}

fn media_type(asked: &Asked) -> &'static str {
    match asked.document {
        Document::Index | Document::Page => "text/html; charset=utf-8",
        Document::Heap | Document::Allocs if asked.is_text => TEXT,
        Document::Heap | Document::Allocs => "application/octet-stream",
        Document::Json => "application/json",
        Document::Folded => TEXT,
        Document::Metrics => OPEN_METRICS,
    }
}

/// What a browser saves it as, if it is not to be shown.
fn file_name(asked: &Asked, settings: &Settings) -> Option<String> {
    let delta = match asked.window {
        Some(_) => "-delta",
        None => "",
    };
    match asked.document {
        Document::Heap if !asked.is_text => Some(format!("heap{delta}.pb.gz")),
        Document::Allocs if !asked.is_text => Some(format!("allocs{delta}.pb.gz")),
        Document::Json => {
            let is_harmless = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
            let replace = |char| if is_harmless(char) { char } else { '_' };
            let title: String = settings.title.chars().take(64).map(replace).collect();
            Some(format!("{title}{delta}.heap.json"))
        }
        _ => None,
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
/// The page says the same of itself, except that a header alone can forbid to frame it.
const PAGE_CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
