//! [`Reservation`]: bytes that are charged to a scope for memory that no allocator of the tree sees.

use std::fmt;
use std::sync::Arc;

use super::drain::try_alone;
use super::handle::Scope;
use super::levels::Raised;
use super::node::Node;
use super::refusal::Refusal;
use super::stock::Blocks;
use crate::sync::Ordering;

/// Bytes reserved in a [`Scope`], given back when this is dropped: for buffers of a C library, memory maps, pages of a
/// device, or for an estimate of what is about to be allocated.
///
/// It counts as one block while it holds bytes, and keeps its scope alive.
///
/// ```
/// use unkai_core::Scope;
///
/// let query = Scope::root("query").limit(1000).build()?;
/// let mut buffer = query.try_reserve(100)?;
/// buffer.try_resize(600)?;
/// let mut spilled = buffer.split(200);
/// assert_eq!((buffer.bytes(), spilled.bytes(), query.used()), (400, 200, 600));
///
/// let disk = Scope::root("disk cache").build()?;
/// spilled.transfer_to(&disk)?;
/// assert_eq!((query.used(), disk.used()), (400, 200));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a reservation gives it back"]
pub struct Reservation {
    scope: Scope,
    bytes: usize,
}

impl Reservation {
    pub(super) fn take(scope: &Scope, bytes: usize) -> Result<Self, Refusal> {
        let mut reservation = Self {
            scope: scope.clone(),
            bytes: 0,
        };
        reservation.try_resize(bytes)?;
        Ok(reservation)
    }

    /// Takes over `bytes` that were charged to `scope` as one block.
    pub(super) fn of_charged(scope: Scope, bytes: usize) -> Self {
        Self { scope, bytes }
    }

    /// The bytes that are reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The scope that they are reserved in.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Changes how many bytes are reserved.
    ///
    /// # Errors
    /// When more were asked for and a limit refused; then nothing has changed. A reduction is never refused.
    pub fn try_resize(&mut self, bytes: usize) -> Result<(), Refusal> {
        let node = self.scope.node();
        if bytes > self.bytes {
            node.charge_or_explain(bytes - self.bytes, Blocks::one_if(self.bytes == 0))?;
        } else if bytes < self.bytes {
            node.uncharge(self.bytes - bytes, Blocks::one_if(bytes == 0));
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// As [`try_resize`](Self::try_resize). A sum beyond the address space is refused like any other.
    pub fn try_grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.try_resize(self.bytes.saturating_add(bytes))
    }

    /// Gives everything back at once, as dropping does.
    pub fn release(self) {}

    /// Splits `bytes` off, or all if there are fewer, into a reservation of their own in the same scope.
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        let mut other = Self {
            scope: self.scope.clone(),
            bytes: 0,
        };
        if bytes == self.bytes {
            std::mem::swap(self, &mut other);
        } else if bytes > 0 {
            self.scope.node().front.stock.add(Blocks::One);
            self.bytes -= bytes;
            other.bytes = bytes;
        }
        other
    }

    /// Moves the bytes to another scope. Scopes that are above both do not change.
    ///
    /// # Errors
    /// When a limit between `to` and the scopes above both refuses; then nothing has changed. It may also be one above
    /// both, where the guarantee ([`min`](super::ScopeBuilder::min)) of a scope between stays behind unused. Between
    /// different trees, all limits above `to` count.
    pub fn transfer_to(&mut self, to: &Scope) -> Result<(), Refusal> {
        let (from, to_node) = (self.scope.node(), to.node());
        if self.bytes == 0 || Arc::ptr_eq(from, to_node) {
            self.scope = to.clone();
            return Ok(());
        }
        let moved = match common_level(from, to_node) {
            Some(common) => self.move_below(common, to),
            None => false,
        };
        if !moved {
            // First here, then there: for a moment both are charged, and the limits above both must allow that.
            to_node.charge_or_explain(self.bytes, Blocks::One)?;
            self.scope.uncharge(self.bytes);
        }
        self.scope = to.clone();
        Ok(())
    }

    /// Moves the bytes without touching `common` or what is above it. False if that cannot be done now.
    fn move_below(&self, common: &Node, to: &Scope) -> bool {
        let (from, to) = (&**self.scope.node(), &**to.node());
        {
            // Nobody else can be alone on either way while the lock is held, so no guarantee changes there.
            let mut held = from.tree.gate.hold();
            let mut way = from
                .upwards()
                .take_while(|node| !std::ptr::eq(*node, common));
            if way.any(|node| node.level.min.load(Ordering::Relaxed) > 0) {
                return false;
            }
            // For the peaks on the way.
            to.plan(self.bytes, 0, std::ptr::null());
            let end = Some(common);
            let raised = if std::ptr::eq(to, common) {
                self.bytes
            } else {
                let raise = || to.raise_below(self.bytes, 0, end, &mut Raised::default());
                match try_alone(&mut held, raise) {
                    Ok(raised) => raised,
                    Err(_) => return false,
                }
            };
            let lowered = if std::ptr::eq(from, common) {
                self.bytes
            } else {
                from.lower_below(self.bytes, end)
            };
            // A credit on the way to `to` has paid for the rest.
            common.lower(lowered - raised);
            from.front.stock.remove(Blocks::One);
            to.front.stock.add(Blocks::One);
        }
        to.tell();
        from.tell();
        true
    }
}

/// The lowest scope that is above both, or one of them.
fn common_level<'n>(one: &'n Node, other: &Node) -> Option<&'n Node> {
    one.upwards().find(|node| other.is_under(*node))
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.scope.uncharge(self.bytes);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("scope", &self.scope.path())
            .field("bytes", &self.bytes)
            .finish()
    }
}
