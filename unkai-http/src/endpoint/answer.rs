//! What a request is answered by, once it is there.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, ready};

use futures_channel::oneshot::Receiver;
use http::Response;

use super::response::{self, Body};

/// The future of [`Endpoint::respond`](crate::Endpoint::respond): awaited on any executor, it gives the response.
///
/// Dropping it ends the wait for `seconds=`.
#[must_use = "nobody is answered unless it is awaited"]
pub struct Answer(State);

enum State {
    Ready(Option<Response<Body>>),
    Awaited {
        told: Receiver<Response<Body>>,
        /// Nothing is sent: the thread that works sees when this is dropped.
        _alive: Sender<Infallible>,
    },
}

impl Answer {
    pub(super) fn ready(response: Response<Body>) -> Self {
        Self(State::Ready(Some(response)))
    }

    pub(super) fn awaited(told: Receiver<Response<Body>>, alive: Sender<Infallible>) -> Self {
        let _alive = alive;
        Self(State::Awaited { told, _alive })
    }
}

impl Future for Answer {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response<Body>> {
        let response = match &mut self.0 {
            State::Ready(response) => response.take(),
            State::Awaited { told, .. } => {
                let told = ready!(Pin::new(told).poll(context));
                self.0 = State::Ready(None);
                Some(told.unwrap_or_else(|_| response::failed(PANICKED)))
            }
        };
        // Who polls on after the end waits for ever.
        response.map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Ready(Some(_)) => "ready",
            State::Ready(None) => "taken",
            State::Awaited { .. } => "awaited",
        };
        f.debug_tuple("Answer").field(&state).finish()
    }
}

/// An [`Answer`] for services of tower's, which return a `Result`; this one never fails.
#[derive(Debug)]
#[must_use = "nobody is answered unless it is awaited"]
pub struct ServiceAnswer(Answer);

impl From<Answer> for ServiceAnswer {
    fn from(answer: Answer) -> Self {
        Self(answer)
    }
}

impl Future for ServiceAnswer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Ok)
    }
}

const PANICKED: &str =
    "Making this has panicked: the program's standard error says where. The program goes on.";
