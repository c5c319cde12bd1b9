//! How a scope is created.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::barrier;
use super::crowd::processors;
use super::handle::Scope;
use super::node::{MAX_DEPTH, Node, UNLIMITED};
use super::refusal::Refusal;

/// A scope that is about to be created: [`Scope::root`], [`Scope::child`].
///
/// ```
/// use unkai_core::{BuildError, Scope};
///
/// let process = Scope::root("process").limit(1000).build()?;
/// let cache = process.child("cache").limit(500).high(400).min(300).build()?;
/// assert_eq!(process.reserved(), 300); // guaranteed to the cache, used or not
///
/// let refused = process.child("greedy").min(701).build();
/// assert!(matches!(refused, Err(BuildError::Refused(_))));
/// # drop(cache);
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is created before `build`"]
pub struct ScopeBuilder<'n> {
    parent: Option<&'n Arc<Node>>,
    name: &'n str,
    limit: usize,
    high: usize,
    min: usize,
    created_at: &'static Location<'static>,
}

/// Why a scope could not be created.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A scope above has no room for the guarantee of [`min`](ScopeBuilder::min) bytes.
    Refused(Refusal),
    /// The guarantee is beyond the scope's own limit.
    MinAboveLimit {
        /// The guarantee, in bytes.
        min: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The scope would be more than [`MAX_DEPTH`] levels below its root.
    TooDeep,
}

impl<'n> ScopeBuilder<'n> {
    pub(super) fn new(
        parent: Option<&'n Arc<Node>>,
        name: &'n str,
        created_at: &'static Location<'static>,
    ) -> Self {
        Self {
            parent,
            name,
            limit: UNLIMITED,
            high: UNLIMITED,
            min: 0,
            created_at,
        }
    }

    /// The scope and all below it never hold more than `bytes` together. 0 refuses everything. None by default.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// From this level on, callbacks of [`Scope::on_high`] are called. None by default.
    pub fn high(mut self, bytes: usize) -> Self {
        self.high = bytes;
        self
    }

    /// Guarantees `bytes` to the scope: they are taken from the scopes above at once, and count there as used until the
    /// scope is closed or dropped. None by default. A root has nobody to take them from, and needs none.
    pub fn min(mut self, bytes: usize) -> Self {
        self.min = bytes;
        self
    }

    /// Says that the scope is created elsewhere than where the builder was called.
    #[doc(hidden)]
    pub fn created_at(mut self, place: &'static Location<'static>) -> Self {
        self.created_at = place;
        self
    }

    /// Creates the scope.
    ///
    /// # Errors
    /// See [`BuildError`]. With neither a guarantee nor more than [`MAX_DEPTH`] levels, it does not fail.
    pub fn build(self) -> Result<Scope, BuildError> {
        if self.min > self.limit {
            return Err(BuildError::MinAboveLimit {
                min: self.min,
                limit: self.limit,
            });
        }
        if self
            .parent
            .is_some_and(|parent| parent.level.depth == MAX_DEPTH)
        {
            return Err(BuildError::TooDeep);
        }
        // Known from now on, so that it need not be found out inside an allocation.
        processors();
        barrier::is_available();
        let node = Node::new(
            self.parent.map(Arc::clone),
            self.name,
            self.limit,
            self.high,
            self.created_at,
        );
        if self.min > 0 && self.parent.is_some() {
            node.set_min(self.min).map_err(BuildError::Refused)?;
        }
        Ok(Scope::from_node(node))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "no room for the guarantee: {refusal}"),
            Self::MinAboveLimit { min, limit } => {
                write!(
                    f,
                    "a guarantee of {min} bytes is above the limit of {limit}"
                )
            }
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} levels below the root"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::MinAboveLimit { .. } | Self::TooDeep => None,
        }
    }
}
