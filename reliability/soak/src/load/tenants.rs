//! Scopes that come and go: queries of tenants, with collections in them, that are refused, dropped, and freed elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use unkai::api::{Global, Vec as ScopedVec};
use unkai::{Bounds, RefusalCause, Scope, Unkai, last_refusal};

use super::pause;
use crate::gate::Work;
use crate::random::Random;

/// The tree, and what happened in it.
pub(crate) struct Tree {
    root: Scope,
    tenants: [Scope; 2],
    /// Collections that the other tenant's thread frees, with what keeps their scopes alive.
    left_over: [Mutex<Vec<Rows>>; 2],
    pub(crate) queries: AtomicU64,
    pub(crate) refused: AtomicU64,
}

type Rows = ScopedVec<u64, Unkai<Global>>;

const ROOT_LIMIT: usize = 12 << 20;
const TENANT_LIMIT: usize = 8 << 20;

impl Tree {
    pub(crate) fn new() -> Self {
        let root = Scope::root("process").limit(ROOT_LIMIT).build();
        let root = root.expect("a root is never refused");
        let tenant = |name: &str| root.child(name).limit(TENANT_LIMIT).build();
        let tenants = ["acme", "zeta"].map(|name| tenant(name).expect("without a guarantee"));
        Self {
            root,
            tenants,
            left_over: Default::default(),
            queries: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Charges a byte that is never given back.
    pub(crate) fn leak(&self) {
        let charge = self.root.charge(1).expect("there is room");
        charge.keep();
    }

    /// Frees what was left for the other tenant to free: on a third thread.
    pub(crate) fn sweep(&self) {
        self.left_over.iter().for_each(sweep);
    }

    /// What is wrong, if anything is, when nobody has a query.
    pub(crate) fn wrong_at_rest(&self) -> Option<String> {
        let held = (self.root.used(), self.root.usage().blocks);
        let scopes = self.root.snapshot(Bounds::all()).scopes().len();
        let is_as_at_first = held == (0, 0) && scopes == 1 + self.tenants.len();
        (!is_as_at_first).then(|| {
            format!(
                "{} bytes in {} blocks and {scopes} scopes are left",
                held.0, held.1
            )
        })
    }
}

pub(super) struct Tenant {
    random: Random,
    tree: Arc<Tree>,
    number: usize,
}

impl Tenant {
    pub(super) fn new(random: Random, tree: Arc<Tree>, number: usize) -> Self {
        Self {
            random,
            tree,
            number,
        }
    }

    fn query(&mut self) {
        let tenant = &self.tree.tenants[self.number];
        let limit = 64 << 10 << self.random.below(7);
        let query = tenant.child("query").limit(limit).build();
        let query = query.expect("without a guarantee");
        let mut rows: Vec<Rows> = Vec::new();
        for operator in ["scan", "join", "sort"] {
            let operator = query.child(operator).build().expect("not too deep");
            let mut table = Rows::new_in(Unkai::in_scope(Global, &operator));
            for _ in 0..self.random.between(1, 12) {
                if table.try_reserve(self.random.size(32 << 10)).is_err() {
                    self.tree.refused.fetch_add(1, Ordering::Relaxed);
                    look_at_the_refusal();
                    break;
                }
                table.resize(table.capacity(), 7);
            }
            rows.push(table);
        }
        let bytes: usize = rows.iter().map(|rows| rows.capacity() * 8).sum();
        assert_eq!(
            query.used(),
            bytes,
            "a query of one thread is counted to the byte"
        );
        // Not the tenant's: that one is moved, and may be exceeded after it was lowered.
        for scope in [&query, &self.tree.root] {
            let limit = scope.limit().expect("it was given");
            assert!(
                scope.reserved() <= limit,
                "{} is above its limit",
                scope.path()
            );
        }
        self.tree.queries.fetch_add(1, Ordering::Relaxed);
        if self.random.below(4) == 0 {
            let other = &self.tree.left_over[1 - self.number];
            other.lock().expect("nobody panics").append(&mut rows);
        }
    }
}

/// A refusal is right: in use and asked for are together above the limit.
fn look_at_the_refusal() {
    let refusal = last_refusal().expect("one has just happened here");
    let limit = refusal.limit().expect("a limit has refused");
    assert_eq!(refusal.cause(), RefusalCause::Limit);
    assert!(refusal.used() + refusal.requested() > limit, "{refusal}");
}

impl Work for Tenant {
    fn step(&mut self) {
        self.query();
        if self.random.below(8) == 0 {
            sweep(&self.tree.left_over[self.number]);
        }
        if self.random.below(50) == 0 {
            // Always enough for the tree to go on: a tenant's limit is moved, not taken away.
            let limit = self.random.between(TENANT_LIMIT, 2 * TENANT_LIMIT);
            self.tree.tenants[self.number].set_limit(Some(limit));
        }
        pause(Duration::from_millis(3));
    }

    fn rest(&mut self) {}
}

fn sweep(left_over: &Mutex<Vec<Rows>>) {
    let taken = std::mem::take(&mut *left_over.lock().expect("nobody panics"));
    drop(taken);
}
