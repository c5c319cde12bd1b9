//! The call stacks of all sites merged from `main` inwards.
//!
//! A node stands for a path of the program's own functions; library functions between them are left out, and the one
//! that finally allocates hangs below its caller as a leaf of its own kind. Each node has the sum of its sites.

use std::cmp::Ordering;
use std::rc::Rc;

use foldhash::HashMap;
use unkai_core::Site;

use crate::path::FunctionPath;
use crate::report::{Frame, INNER_MISSING, OUTER_MISSING, Report, stand_in};
use crate::trim::{caller, is_program, trim};

/// A merged call tree. Node 0 is the root, which stands for the whole program and has no name.
#[derive(Debug, Default)]
pub(crate) struct CallTree {
    nodes: Vec<Node>,
    size: f64,
}

/// A name's number: stacks share most names, which are long.
type Label = usize;

#[derive(Debug)]
pub(crate) struct Node {
    /// The function's name for people.
    pub(crate) name: Rc<str>,
    /// Number of the name.
    label: Label,
    /// Whether this is a function of the standard library, called to allocate.
    pub(crate) is_via: bool,
    /// Sum over all sites at and below this node.
    pub(crate) value: f64,
    children: Vec<usize>,
}

impl CallTree {
    /// Merges the stacks of `report`, each weighted with `value`. Sites of value zero are left out.
    pub(crate) fn new(report: &Report, value: impl Fn(&Site) -> f64) -> Self {
        let mut builder = Builder::default();
        let root = builder.label("");
        builder.push_node(root, false);
        for site in &report.snapshot().sites {
            let value = value(site);
            if value != 0.0 {
                builder.add(report, site, value);
                builder.tree.size += value.abs();
            }
        }
        let mut tree = builder.tree;
        tree.sort();
        tree
    }

    /// Sum of all sites, without their signs.
    pub(crate) fn size(&self) -> f64 {
        self.size
    }

    /// The node with this index.
    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// Children of a node, the largest first.
    pub(crate) fn children(&self, index: usize) -> &[usize] {
        &self.nodes[index].children
    }

    fn sort(&mut self) {
        let mut lists: Vec<Vec<usize>> = self
            .nodes
            .iter_mut()
            .map(|node| std::mem::take(&mut node.children))
            .collect();
        for list in &mut lists {
            list.sort_by(|&a, &b| self.nodes[a].cmp_size(&self.nodes[b]));
        }
        for (node, list) in self.nodes.iter_mut().zip(lists) {
            node.children = list;
        }
    }
}

impl Node {
    fn cmp_size(&self, other: &Self) -> Ordering {
        let by_size = other.value.abs().total_cmp(&self.value.abs());
        by_size.then_with(|| self.name.cmp(&other.name))
    }
}

#[derive(Default)]
struct Builder {
    tree: CallTree,
    /// The child of a node by its label.
    children: HashMap<(usize, Label, bool), usize>,
    labels: HashMap<Rc<str>, Label>,
    names: Vec<Rc<str>>,
}

impl Builder {
    fn add(&mut self, report: &Report, site: &Site, value: f64) {
        let frames = report.call_stack(site);
        let kept = &frames[trim(&frames)];
        let mut at = 0;
        self.tree.nodes[at].value += value;
        if site.truncated && !kept.is_empty() {
            at = self.step_to(at, OUTER_MISSING, false, value);
        }
        let all_library = !kept.iter().any(is_program);
        let shown = |frame: &&Frame<'_>| all_library || is_program(frame);
        for frame in kept.iter().rev().filter(shown) {
            let label = self.label(&frame.short_name());
            // Direct recursion is one node.
            if self.tree.nodes[at].label != label {
                at = self.step(at, label, false, value);
            }
        }
        match caller(kept) {
            None => at = self.step_to(at, stand_in(site), false, value),
            Some((_, Some(via))) if !all_library => {
                let via = FunctionPath::parse(&kept[via].name()).brief();
                at = self.step_to(at, &via, true, value);
            }
            Some(_) => {}
        }
        if site.prefix_only {
            self.step_to(at, INNER_MISSING, false, value);
        }
    }

    /// Adds `value` to the child of `parent` with this name, which is added if it is missing.
    fn step_to(&mut self, parent: usize, name: &str, is_via: bool, value: f64) -> usize {
        let label = self.label(name);
        self.step(parent, label, is_via, value)
    }

    fn step(&mut self, parent: usize, label: Label, is_via: bool, value: f64) -> usize {
        let key = (parent, label, is_via);
        let child = match self.children.get(&key) {
            Some(&child) => child,
            None => {
                let child = self.push_node(label, is_via);
                self.tree.nodes[parent].children.push(child);
                self.children.insert(key, child);
                child
            }
        };
        self.tree.nodes[child].value += value;
        child
    }

    fn push_node(&mut self, label: Label, is_via: bool) -> usize {
        let name = Rc::clone(&self.names[label]);
        self.tree.nodes.push(Node {
            name,
            label,
            is_via,
            value: 0.0,
            children: Vec::new(),
        });
        self.tree.nodes.len() - 1
    }

    fn label(&mut self, name: &str) -> Label {
        if let Some(&known) = self.labels.get(name) {
            return known;
        }
        let name: Rc<str> = Rc::from(name);
        self.names.push(Rc::clone(&name));
        self.labels.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use unkai_core::Snapshot;

    use super::*;
    use crate::symbols::Symbols;

    const NAMES: [&str; 6] = [
        "alloc::vec::Vec<T,A>::push",
        "my_app::add",
        "core::iter::traits::iterator::Iterator::for_each",
        "my_app::main",
        "my_app::other",
        "alloc::string::String::clone",
    ];

    fn tree(sites: &[(&[u64], f64)], change: impl Fn(&mut Site)) -> Vec<String> {
        let symbols = Symbols::of_names((1..).zip(NAMES));
        let mut snapshot = Snapshot::empty(SystemTime::UNIX_EPOCH);
        for (id, (stack, bytes)) in (2..).zip(sites) {
            let mut site = Site::new(id, stack.to_vec());
            site.live.bytes = *bytes;
            change(&mut site);
            snapshot.sites.push(site);
        }
        let tree = CallTree::new(&Report::from_parts(snapshot, symbols), |site| {
            site.live.bytes
        });
        let mut lines = Vec::new();
        let mut open = vec![(0, 0)];
        while let Some((index, depth)) = open.pop() {
            let node = tree.node(index);
            let via = if node.is_via { "via " } else { "" };
            lines.push(format!(
                "{}{via}{} {}",
                " ".repeat(depth),
                node.name,
                node.value
            ));
            open.extend(
                tree.children(index)
                    .iter()
                    .rev()
                    .map(|&child| (child, depth + 1)),
            );
        }
        lines
    }

    #[test]
    fn stacks_merge_from_main_and_the_largest_comes_first() {
        let lines = tree(
            &[(&[1, 2, 3, 4], 10.0), (&[6, 2, 4], 20.0), (&[5, 4], 100.0)],
            |_| {},
        );
        let expected = [
            " 130",
            " my_app::main 130",
            "  my_app::other 100",
            "  my_app::add 30",
            "   via String::clone 20",
            "   via Vec::push 10",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn direct_recursion_is_one_node() {
        let lines = tree(&[(&[2, 2, 2, 4], 1.0)], |_| {});
        assert_eq!(lines, [" 1", " my_app::main 1", "  my_app::add 1"]);
    }

    #[test]
    fn missing_frames_are_shown_where_they_are_missing() {
        let lines = tree(&[(&[1, 2], 1.0)], |site| site.truncated = true);
        assert_eq!(
            lines[1..],
            [
                " (outer frames missing) 1",
                "  my_app::add 1",
                "   via Vec::push 1"
            ]
        );
        let lines = tree(&[(&[2, 4], 1.0)], |site| site.prefix_only = true);
        assert_eq!(
            lines[1..],
            [
                " my_app::main 1",
                "  my_app::add 1",
                "   … (stack table full) 1"
            ]
        );
        let lines = tree(&[(&[], 1.0)], |_| {});
        assert_eq!(lines[1..], [" (stack could not be taken) 1"]);
    }
}
