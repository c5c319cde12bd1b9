//! The check of hosts and what an operator asks for, each by itself, for `reliability/fuzz`. Compiled with `--cfg unkai_internals`
//! only: it is no part of what the crate offers.

use std::net::SocketAddr;

use http::Request;

use crate::ServeError;
use crate::server::{self, Hosts};

/// Whether a server that listens on this machine, and was told of `more` names, answers `request`.
pub fn is_answered<B>(more: &[&str], request: &Request<B>) -> bool {
    let more = more.iter().map(|&name| name.to_owned());
    Hosts::local(more.collect()).allow(request)
}

/// Where `UNKAI_HTTP` asks to serve, and whether others may come.
pub fn asked_for(text: &str) -> Result<Option<(SocketAddr, bool)>, ServeError> {
    server::asked_for(text)
}
