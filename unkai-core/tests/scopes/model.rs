//! The tree of scopes against a model of it that is as simple as can be: a vector of nodes, and sums over them.
//!
//! On one thread every answer is determined: what is granted, what is refused and at which level, and every number. The
//! model computes all of it from the definition, without stocks, batches or credits; after each step everything must be
//! equal. What is done comes from random numbers in `scopes_match_a_model.rs`, and from a fuzzer in `reliability/fuzz`.

use std::collections::BTreeMap;

use unkai_core::{BuildError, Charge, Refused, Reservation, Scope, last_refusal};

const NONE: usize = usize::MAX;

/// Decides what is done next.
pub(crate) trait Choose {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize;

    /// Each power of two is about as likely as the next.
    fn size(&mut self) -> usize {
        let bits = self.below(18);
        1 + self.below(1 << bits)
    }
}

/// A node of the model: its numbers follow from the definition alone.
#[derive(Clone, Debug)]
struct Node {
    parent: Option<usize>,
    limit: usize,
    min: usize,
    /// Sizes charged to it directly, and what dropped children left behind.
    own: usize,
    blocks: usize,
    leaked: usize,
    /// The highest `sure` so far.
    peak: usize,
}

#[derive(Default)]
struct Model {
    nodes: BTreeMap<usize, Node>,
}

impl Model {
    fn children(&self, of: usize) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.nodes.iter();
        nodes
            .filter(move |(_, node)| node.parent == Some(of))
            .map(|(&id, _)| id)
    }

    /// What counts against the limit: own bytes, and for each child what it uses or is guaranteed.
    fn held(&self, id: usize) -> usize {
        let node = &self.nodes[&id];
        let children = self.children(id).map(|child| self.granted(child));
        node.own + node.leaked + children.sum::<usize>()
    }

    fn granted(&self, id: usize) -> usize {
        // A root has nobody who could guarantee anything to it.
        let min = self.nodes[&id].parent.map_or(0, |_| self.nodes[&id].min);
        self.held(id).max(min)
    }

    fn used(&self, id: usize) -> usize {
        let node = &self.nodes[&id];
        node.own
            + node.leaked
            + self
                .children(id)
                .map(|child| self.used(child))
                .sum::<usize>()
    }

    fn blocks(&self, id: usize) -> usize {
        let below = self.children(id).map(|child| self.blocks(child));
        self.nodes[&id].blocks + below.sum::<usize>()
    }

    /// The lowest level that has no room for `bytes` more at `id`.
    fn refuses(&self, id: usize, bytes: usize) -> Option<usize> {
        if bytes == 0 {
            return None;
        }
        let (mut level, mut more) = (Some(id), bytes);
        while let Some(id) = level {
            let held = self.held(id);
            if held + more > self.nodes[&id].limit {
                return Some(id);
            }
            let granted = self.granted(id);
            more = (held + more).max(granted) - granted;
            if more == 0 {
                return None;
            }
            level = self.nodes[&id].parent;
        }
        None
    }

    fn note_peaks(&mut self) {
        let held: Vec<_> = self.nodes.keys().map(|&id| (id, self.held(id))).collect();
        for (id, held) in held {
            let node = self.nodes.get_mut(&id).unwrap();
            node.peak = node.peak.max(held);
        }
    }

    fn is_under(&self, mut id: usize, above: usize) -> bool {
        while id != above {
            match self.nodes[&id].parent {
                Some(parent) => id = parent,
                None => return false,
            }
        }
        true
    }
}

/// The model and the real tree, side by side.
pub(crate) struct Pair<C> {
    /// Where decisions come from.
    pub(crate) choices: C,
    model: Model,
    scopes: BTreeMap<usize, Scope>,
    next: usize,
    blocks: Vec<(usize, usize)>,
    reservations: Vec<(usize, Reservation)>,
    /// Requests that were granted.
    pub(crate) granted: usize,
    /// Requests that were refused.
    pub(crate) refused: usize,
}

impl<C: Choose> Pair<C> {
    /// A root, with a limit or without.
    pub(crate) fn new(choices: C) -> Self {
        let mut pair = Self {
            choices,
            model: Model::default(),
            scopes: BTreeMap::new(),
            next: 0,
            blocks: Vec::new(),
            reservations: Vec::new(),
            granted: 0,
            refused: 0,
        };
        let limit = pair.limit();
        pair.insert(None, limit, 0);
        let root = Scope::root("root").limit(limit).build().unwrap();
        pair.scopes.insert(0, root);
        pair
    }

    fn limit(&mut self) -> usize {
        match self.choices.below(3) {
            0 => NONE,
            _ => self.choices.size() * (1 + self.choices.below(16)),
        }
    }

    fn insert(&mut self, parent: Option<usize>, limit: usize, min: usize) -> usize {
        let id = self.next;
        self.next += 1;
        let node = Node {
            parent,
            limit,
            min,
            own: 0,
            blocks: 0,
            leaked: 0,
            peak: 0,
        };
        self.model.nodes.insert(id, node);
        id
    }

    /// Guarantees are nested three times at most: see `Scope::peak`.
    fn depth(&self, id: usize) -> usize {
        let parent = self.model.nodes[&id].parent;
        parent.map_or(0, |parent| 1 + self.depth(parent))
    }

    fn any(&mut self) -> usize {
        let place = self.choices.below(self.scopes.len());
        *self.scopes.keys().nth(place).unwrap()
    }

    /// Does something to both, and compares everything.
    pub(crate) fn step(&mut self) {
        match self.choices.below(20) {
            0 => self.create(),
            1 if self.scopes.len() > 3 => self.drop_scope(),
            2 => self.set_limit(),
            3 => self.set_min(),
            4..6 => self.reserve(),
            6 if !self.reservations.is_empty() => self.transfer(),
            7 if !self.reservations.is_empty() => self.release(),
            8..12 if !self.blocks.is_empty() => self.uncharge(),
            12 if !self.blocks.is_empty() => self.resize(),
            13 => self.fail(),
            _ => self.charge(),
        }
        self.model.note_peaks();
        self.compare();
    }

    fn create(&mut self) {
        let parent = self.any();
        let limit = self.limit();
        let guaranteed = self.depth(parent) < 3 && self.choices.below(3) == 0;
        let min = if guaranteed { self.choices.size() } else { 0 };
        let built = self.scopes[&parent]
            .child("child")
            .limit(limit)
            .min(min)
            .build();
        match built {
            Err(BuildError::MinAboveLimit { .. }) => assert!(min > limit),
            Err(BuildError::TooDeep) => unreachable!("the tree is not that deep"),
            Err(BuildError::Refused(_)) => {
                assert!(self.model.refuses(parent, min).is_some());
            }
            Err(other) => panic!("{other}"),
            Ok(scope) => {
                assert!(min <= limit && self.model.refuses(parent, min).is_none());
                let id = self.insert(Some(parent), limit, min);
                self.scopes.insert(id, scope);
            }
        }
    }

    /// Drops a leaf with all that it holds.
    fn drop_scope(&mut self) {
        let id = self.any();
        if id == 0 || self.model.children(id).next().is_some() {
            return;
        }
        if self.reservations.iter().any(|&(at, _)| at == id) {
            return;
        }
        self.scopes.remove(&id);
        let node = self.model.nodes.remove(&id).unwrap();
        let parent = self.model.nodes.get_mut(&node.parent.unwrap()).unwrap();
        parent.leaked += node.own + node.leaked;
        parent.blocks += node.blocks;
        self.blocks.retain(|&(at, _)| at != id);
    }

    fn set_limit(&mut self) {
        let id = self.any();
        let limit = self.limit();
        let excess = self.scopes[&id].set_limit((limit != NONE).then_some(limit));
        self.model.nodes.get_mut(&id).unwrap().limit = limit;
        assert_eq!(excess, self.model.held(id).saturating_sub(limit));
    }

    fn set_min(&mut self) {
        let id = self.any();
        let min = if self.depth(id) > 3 || self.choices.below(2) == 0 {
            0
        } else {
            self.choices.size()
        };
        let granted = self.model.granted(id);
        let missing = min.saturating_sub(granted);
        let refused = match self.model.nodes[&id].parent {
            Some(parent) if missing > 0 => self.model.refuses(parent, missing).is_some(),
            _ => false,
        };
        let result = self.scopes[&id].set_min(min);
        assert_eq!(result.is_err(), refused);
        if !refused {
            self.model.nodes.get_mut(&id).unwrap().min = min;
        }
    }

    fn outcome(&mut self, refused: Option<usize>, error: Option<String>) -> bool {
        match refused {
            None => {
                assert_eq!(error, None);
                self.granted += 1;
                true
            }
            Some(at) => {
                let path = self.scopes[&at].path().to_owned();
                assert_eq!(error, Some(path));
                self.refused += 1;
                false
            }
        }
    }

    fn charge(&mut self) {
        let (id, bytes) = (self.any(), self.choices.size());
        let refused = self.model.refuses(id, bytes);
        let error = refused_by(self.scopes[&id].charge(bytes));
        if self.outcome(refused, error) {
            let node = self.model.nodes.get_mut(&id).unwrap();
            node.own += bytes;
            node.blocks += 1;
            self.blocks.push((id, bytes));
        }
    }

    /// The inner allocator refuses.
    fn fail(&mut self) {
        let (id, bytes) = (self.any(), self.choices.size());
        let granted = self.model.refuses(id, bytes).is_none();
        let charged = self.scopes[&id].charge(bytes);
        assert_eq!(charged.is_ok(), granted);
        drop(charged);
    }

    fn uncharge(&mut self) {
        let place = self.choices.below(self.blocks.len());
        let (id, bytes) = self.blocks.swap_remove(place);
        self.scopes[&id].uncharge(bytes);
        let node = self.model.nodes.get_mut(&id).unwrap();
        node.own -= bytes;
        node.blocks -= 1;
    }

    fn resize(&mut self) {
        let place = self.choices.below(self.blocks.len());
        let (id, old) = self.blocks[place];
        let new = self.choices.size();
        let refused = match new > old {
            true => self.model.refuses(id, new - old),
            false => None,
        };
        let error = refused_by(self.scopes[&id].resize(old, new));
        if self.outcome(refused, error) {
            let node = self.model.nodes.get_mut(&id).unwrap();
            node.own = node.own - old + new;
            self.blocks[place].1 = new;
        }
    }

    fn reserve(&mut self) {
        let (id, bytes) = (self.any(), self.choices.size());
        let refused = self.model.refuses(id, bytes);
        let reserved = self.scopes[&id].try_reserve(bytes);
        let error = reserved
            .as_ref()
            .err()
            .map(|refusal| refusal.path().to_owned());
        if self.outcome(refused, error) {
            let node = self.model.nodes.get_mut(&id).unwrap();
            node.own += bytes;
            node.blocks += 1;
            self.reservations.push((id, reserved.unwrap()));
        }
    }

    fn release(&mut self) {
        let place = self.choices.below(self.reservations.len());
        let (id, reservation) = self.reservations.swap_remove(place);
        let node = self.model.nodes.get_mut(&id).unwrap();
        node.own -= reservation.bytes();
        node.blocks -= 1;
    }

    fn transfer(&mut self) {
        let place = self.choices.below(self.reservations.len());
        let to = self.any();
        let (from, reservation) = &mut self.reservations[place];
        let (from_id, bytes) = (*from, reservation.bytes());
        let moved = reservation.transfer_to(&self.scopes[&to]).is_ok();
        // Without guarantees on the way up, just the levels below the common one count, and it is all determined.
        let mut guaranteed = false;
        let mut level = Some(from_id);
        while let Some(id) = level.filter(|&id| !self.model.is_under(to, id)) {
            guaranteed |= self.model.nodes[&id].min > 0;
            level = self.model.nodes[&id].parent;
        }
        if !guaranteed {
            let mut after = self.model.nodes.clone();
            after.get_mut(&from_id).unwrap().own -= bytes;
            let common = level.unwrap();
            let without = Model { nodes: after };
            let refused = without.refuses(to, bytes);
            let below = refused.is_some_and(|at| at != common && without.is_under(at, common));
            assert_eq!(moved, from_id == to || !below);
        }
        if moved {
            *from = to;
            if guaranteed && from_id != to {
                // For a moment, both are charged.
                self.model.nodes.get_mut(&to).unwrap().own += bytes;
                self.model.note_peaks();
                self.model.nodes.get_mut(&to).unwrap().own -= bytes;
            }
            self.model.nodes.get_mut(&from_id).unwrap().own -= bytes;
            self.model.nodes.get_mut(&from_id).unwrap().blocks -= 1;
            self.model.nodes.get_mut(&to).unwrap().own += bytes;
            self.model.nodes.get_mut(&to).unwrap().blocks += 1;
        }
    }

    fn compare(&self) {
        for (&id, scope) in &self.scopes {
            let model = &self.model;
            let (used, held) = (model.used(id), model.held(id));
            assert_eq!(scope.used(), used, "{}", scope.path());
            assert_eq!(scope.usage().blocks, model.blocks(id));
            let reserved = scope.reserved();
            assert!(
                reserved >= model.granted(id),
                "{reserved} {}",
                model.granted(id)
            );
            let limit = model.nodes[&id].limit;
            assert!(reserved <= limit.max(held).max(model.nodes[&id].min));
            // What could be had, and not a byte more.
            if let Some(headroom) = scope.headroom() {
                assert_eq!(model.refuses(id, headroom), None);
                assert!(model.refuses(id, headroom + 1).is_some());
            }
            // The bound that `Scope::peak` states.
            let peak = model.nodes[&id].peak;
            let bound = peak..=peak + peak / 64;
            assert!(bound.contains(&scope.peak()), "{} {bound:?}", scope.peak());
        }
    }

    /// Takes everything back, and compares what is left: what dropped children left behind.
    pub(crate) fn end(mut self) {
        self.reservations.clear();
        for (id, bytes) in std::mem::take(&mut self.blocks) {
            self.scopes[&id].uncharge(bytes);
        }
        for (&id, scope) in self.scopes.iter().rev() {
            let below = self.model.nodes.keys();
            let leaked = below.filter(|&&below| self.model.is_under(below, id));
            let leaked = leaked.map(|below| self.model.nodes[below].leaked);
            assert_eq!(scope.used(), leaked.sum::<usize>());
        }
    }
}

/// Keeps a charge, or says whose limit refused it.
fn refused_by(charge: Result<Charge<'_>, Refused>) -> Option<String> {
    match charge {
        Ok(charge) => {
            charge.keep();
            None
        }
        Err(_) => Some(last_refusal().unwrap().path().to_owned()),
    }
}
