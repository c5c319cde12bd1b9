//! A tree as a program would have it, with one of everything.

use std::sync::Mutex;

use unkai_core::{
    Bounds, MAX_DEPTH, ReclaimRequest, Refusal, Registration, Reservation, Scope, TreeSnapshot,
};

/// A tree, and what keeps it as it is.
pub(super) struct Tree {
    pub(super) process: Scope,
    held: Vec<Reservation>,
    scopes: Vec<Scope>,
    registered: Vec<Registration>,
}

impl Tree {
    /// A search service under pressure.
    pub(super) fn search_service() -> Self {
        let process = scope(Scope::root("search").limit(64 * MIB).high(48 * MIB));
        let mut tree = Self {
            process: process.clone(),
            held: Vec::new(),
            scopes: Vec::new(),
            registered: Vec::new(),
        };
        tree.tenants();
        tree.cache();
        tree.odd_names();
        tree.ends();
        tree
    }

    /// All of it but the smallest queries.
    pub(super) fn snapshot(&self) -> TreeSnapshot {
        self.process.snapshot(Bounds::new().top(6))
    }

    fn tenants(&mut self) {
        let large = scope(self.process.child("tenant 7").limit(16 * MIB));
        for megabytes in [6, 5, 3] {
            let query = scope(large.child("query").limit(8 * MIB));
            self.hold(&query, megabytes * MIB);
            assert!(query.try_reserve(4 * MIB).is_err());
            self.scopes.push(query);
        }
        let small = scope(self.process.child("tenant 12"));
        for blocks in 1..=99 {
            let query = scope(small.child("query"));
            self.hold(&query, blocks * 1000);
            self.scopes.push(query);
        }
    }

    /// A cache that gives up what others need.
    fn cache(&mut self) {
        let cache = scope(self.process.child("cache").limit(24 * MIB).min(8 * MIB));
        let pages = cache.try_reserve(20 * MIB).expect("there is room");
        let pages = Mutex::new(Some(pages));
        let reclaimer = cache.on_reclaim(0, move |_: &ReclaimRequest<'_>| {
            let mut pages = pages.lock().expect("nobody panics with it");
            drop(pages.take());
            20 * MIB
        });
        self.hold(&cache, 2 * MIB);
        let import = scope(self.process.child("import"));
        self.hold(&import, 30 * MIB);
        self.scopes.extend([cache, import]);
        self.registered.push(reclaimer);
    }

    fn odd_names(&mut self) {
        let odd = scope(
            self.process
                .child("<b>\"O'Neil\\\"</b>\n\u{1b}[31mred\u{202e}"),
        );
        let nameless = scope(odd.child(""));
        let long = "a name that nobody would give to a scope, if it had to be typed ".repeat(3);
        let long = scope(nameless.child(&long));
        self.hold(&long, 640);
        self.scopes.extend([odd, nameless, long]);
    }

    /// A scope that was closed in use, and one that was dropped in use.
    fn ends(&mut self) {
        let closed = scope(self.process.child("export"));
        self.hold(&closed, 4096);
        let _ = closed
            .clone()
            .close()
            .expect_err("something is in use there");
        let exports = scope(closed.child("late"));
        assert!(exports.try_reserve(1).is_err());
        let leaky = scope(self.process.child("leaky"));
        leaky
            .charge(12_345)
            .expect("there is room for one more")
            .keep();
        self.scopes.extend([closed, exports]);
    }

    fn hold(&mut self, scope: &Scope, bytes: usize) {
        let reservation: Result<_, Refusal> = scope.try_reserve(bytes);
        self.held.push(reservation.expect("there is room"));
    }
}

fn scope(builder: unkai_core::ScopeBuilder<'_>) -> Scope {
    builder.build().expect("its guarantee fits")
}

const MIB: usize = 1 << 20;

/// One scope on each level that there can be.
pub(super) fn deepest() -> TreeSnapshot {
    let root = scope(Scope::root("root"));
    let mut scopes = vec![root.clone()];
    for level in 1..=MAX_DEPTH {
        let above = &scopes[level - 1];
        let below = scope(above.child(&format!("level {level}")));
        scopes.push(below);
    }
    root.snapshot(Bounds::all())
}
