//! What a scope still held when it was closed, or when its last handle was dropped.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::guarded;
use super::lock::Lock;
use super::node::Node;

/// Bytes and blocks that a scope, or one below it, had not given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    path: Arc<str>,
    created_at: &'static Location<'static>,
    bytes: usize,
    blocks: usize,
}

impl Leak {
    pub(super) fn of(node: &Node, bytes: usize, blocks: usize) -> Self {
        Self {
            path: Arc::clone(node.path()),
            created_at: node.created_at(),
            bytes,
            blocks,
        }
    }

    /// The path of the scope.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the scope was created.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    /// Bytes that were not given back.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Blocks and reservations that were not given back.
    pub fn blocks(&self) -> usize {
        self.blocks
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = if self.blocks == 1 { "block" } else { "blocks" };
        write!(
            f,
            "{}, created at {}, still holds {} bytes in {} {blocks}",
            self.path, self.created_at, self.bytes, self.blocks
        )
    }
}

impl Error for Leak {}

type Callback = dyn Fn(&Leak) + Send + Sync;

/// Whom a tree tells of leaks.
pub(super) struct Hook(Lock<Option<Arc<Callback>>>);

impl Hook {
    pub(super) fn new() -> Self {
        Self(Lock::new(None))
    }

    pub(super) fn set(&self, callback: Arc<Callback>) {
        let previous = self.0.lock().replace(callback);
        // Its drop runs the user's code: not under the lock.
        drop(previous);
    }

    pub(super) fn report(&self, node: &Node, bytes: usize, blocks: usize) {
        let callback = self.0.lock().clone();
        if let Some(callback) = callback {
            guarded::call(|| callback(&Leak::of(node, bytes, blocks)));
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
