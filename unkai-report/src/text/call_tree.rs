//! The merged call tree, drawn from `main` inwards.
//!
//! A function that calls only one other of the same size stands right above it, without a new level: levels mean that
//! bytes part ways.

use std::io;

use super::Options;
use super::layout::{self, fit, heading};
use super::paint::Ink;
use crate::report::Report;
use crate::tree::{CallTree, Node};
use crate::units::{bytes, growth, share};

pub(super) fn write(
    report: &Report,
    options: &Options<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let snapshot = report.snapshot();
    let is_change = snapshot.window.is_some();
    let any_live = snapshot
        .sites
        .iter()
        .any(|site| site.live.bytes.abs() >= 1.0);
    let (title, tree) = match (any_live, is_change) {
        (true, false) => (
            "Call tree by live bytes",
            CallTree::new(report, |site| site.live.bytes),
        ),
        (true, true) => (
            "Call tree by growth of live bytes",
            CallTree::new(report, |site| site.live.bytes),
        ),
        (false, _) => (
            "Call tree by allocated bytes",
            CallTree::new(report, |site| site.allocated.bytes),
        ),
    };
    if tree.children(0).is_empty() {
        return Ok(());
    }
    let percent = options.min_share * 100.0;
    let title = format!("{title} (paths of {percent:.1} % and more)");
    heading(&title, options, out)?;
    let bar = layout::bar_column(0.0, options);
    writeln!(out, "{:>10} {:>8}{bar}  function", "bytes", "share")?;
    let signed = is_change && any_live;
    let whole = tree.size();
    Drawing {
        tree: &tree,
        whole,
        signed,
        options,
    }
    .draw(out)
}

struct Drawing<'a> {
    tree: &'a CallTree,
    /// The bytes that shares are of.
    whole: f64,
    /// Whether values are changes.
    signed: bool,
    options: &'a Options<'a>,
}

/// A line, and for a node what hangs below it, still to be drawn.
struct Branch {
    what: What,
    /// Guides in front of the first line.
    lead: String,
    /// Guides in front of all lines below it.
    below: String,
}

enum What {
    Node(usize),
    /// A sum that has no further parts: small children, or what a function allocates itself.
    Sum {
        text: String,
        value: f64,
    },
}

impl Drawing<'_> {
    fn draw(&self, out: &mut dyn io::Write) -> io::Result<()> {
        // A list instead of recursion: stacks that were read from a file may be of any depth.
        let mut open = Vec::new();
        self.push_parts(0, "", true, &mut open);
        while let Some(branch) = open.pop() {
            match &branch.what {
                What::Sum { text, value } => {
                    self.line(Some(*value), &branch.lead, text, "", out)?
                }
                What::Node(index) => {
                    let last = self.draw_chain(*index, &branch, out)?;
                    if branch.below.chars().count() > self.options.width / 2 {
                        self.line(None, &branch.below, "… (deeper levels left out)", "", out)?;
                    } else if let Some(last) = last {
                        self.push_parts(last, &branch.below, false, &mut open);
                    }
                }
            }
        }
        Ok(())
    }

    /// Draws a node and those below it that carry the same bytes alone; returns the last one if its bytes part ways.
    fn draw_chain(
        &self,
        first: usize,
        branch: &Branch,
        out: &mut dyn io::Write,
    ) -> io::Result<Option<usize>> {
        let mut chain = vec![first];
        let mut via = None;
        let mut last = first;
        while let Some(only) = self.only_child(last) {
            if self.tree.node(only).is_via {
                via = Some(only);
                break;
            }
            chain.push(only);
            last = only;
        }
        let suffix = match via {
            Some(via) => format!("  (via {})", self.tree.node(via).name),
            None => String::new(),
        };
        let left_out = if chain.len() > CHAIN_START + CHAIN_END + 1 {
            CHAIN_START..chain.len() - CHAIN_END
        } else {
            0..0
        };
        for (position, index) in chain.iter().enumerate() {
            if left_out.contains(&position) {
                if position == left_out.start {
                    let text = format!("⋮ {} more callers", left_out.len());
                    self.line(None, &branch.below, &text, "", out)?;
                }
                continue;
            }
            let node = self.tree.node(*index);
            let (value, lead) = match position {
                0 => (Some(node.value), &branch.lead),
                _ => (None, &branch.below),
            };
            let suffix = if position + 1 == chain.len() {
                suffix.as_str()
            } else {
                ""
            };
            self.line(value, lead, &name(node), suffix, out)?;
        }
        let parts = via.is_none() && !self.tree.children(last).is_empty();
        Ok(parts.then_some(last))
    }

    /// Adds what the bytes of `index` part into: large children, the sum of small ones, and its own rest.
    fn push_parts(&self, index: usize, below: &str, top: bool, open: &mut Vec<Branch>) {
        let children = self.tree.children(index);
        let (large, small): (Vec<usize>, Vec<usize>) = children
            .iter()
            .partition(|child| self.is_large(self.tree.node(**child).value));
        let sum = |nodes: &[usize]| {
            nodes
                .iter()
                .map(|node| self.tree.node(*node).value)
                .sum::<f64>()
        };
        let mut parts: Vec<What> = large.iter().map(|child| What::Node(*child)).collect();
        let own = self.tree.node(index).value - sum(children);
        if !top && self.is_large(own) {
            let text = "(allocates itself)".to_owned();
            parts.push(What::Sum { text, value: own });
        }
        let value = sum(&small);
        let visible = self.is_large(value) || value.abs() > NEGLIGIBLE * self.whole;
        if !small.is_empty() && (visible || parts.is_empty()) {
            let noun = if small.len() == 1 {
                "smaller path"
            } else {
                "smaller paths"
            };
            parts.push(What::Sum {
                text: format!("({} {noun})", small.len()),
                value,
            });
        }
        let count = parts.len();
        let branches = parts.into_iter().enumerate().map(|(position, what)| {
            let (lead, next) = match (top, position + 1 == count) {
                (true, _) => ("", ""),
                (false, true) => ("└─ ", "   "),
                (false, false) => ("├─ ", "│  "),
            };
            Branch {
                what,
                lead: format!("{below}{lead}"),
                below: format!("{below}{next}"),
            }
        });
        let first = open.len();
        open.extend(branches);
        open[first..].reverse();
    }

    /// The child that carries all but a negligible part of a node's bytes.
    fn only_child(&self, index: usize) -> Option<usize> {
        let value = self.tree.node(index).value;
        let child = *self.tree.children(index).first()?;
        let others = self.tree.children(index)[1..].iter();
        let alone = others
            .map(|other| self.tree.node(*other).value)
            .all(|other| !self.is_large(other));
        let rest = (value - self.tree.node(child).value).abs();
        (alone && rest <= NEGLIGIBLE * value.abs()).then_some(child)
    }

    fn is_large(&self, value: f64) -> bool {
        value.abs() >= self.options.min_share * self.whole && value != 0.0
    }

    fn line(
        &self,
        value: Option<f64>,
        lead: &str,
        name: &str,
        suffix: &str,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let (bytes, share) = match value {
            // Growth and shrinkage cancel on the way to main, so that a share would mean little.
            Some(value) if self.signed => (growth(value), String::new()),
            Some(value) => (bytes(value), share(value, self.whole)),
            None => (String::new(), String::new()),
        };
        let paint = self.options.paint;
        let part = value
            .filter(|_| !self.signed)
            .map_or(0.0, |value| value / self.whole);
        let bar = layout::bar_column(part, self.options);
        let numbers = NUMBERS_WIDTH + layout::bar_column(0.0, self.options).len();
        let used = numbers + lead.chars().count() + suffix.chars().count();
        let name = fit(
            name,
            self.options.width.saturating_sub(used).max(MIN_NAME_WIDTH),
        );
        let (lead, name) = (paint.ink(Ink::Faint, lead), paint.ink(Ink::Strong, &name));
        writeln!(out, "{bytes:>10} {share:>8}{bar}  {lead}{name}{suffix}")
    }
}

fn name(node: &Node) -> String {
    if node.is_via {
        format!("via {}", node.name)
    } else {
        node.name.to_string()
    }
}

/// A part of a sum that nobody misses.
const NEGLIGIBLE: f64 = 0.01;
/// Columns in front of the guides.
const NUMBERS_WIDTH: usize = 21;
/// Names keep so many columns even if the line gets too long.
const MIN_NAME_WIDTH: usize = 24;
/// Of a long chain of single callers, so many outer ones are shown.
const CHAIN_START: usize = 3;
/// Of a long chain of single callers, so many inner ones are shown.
const CHAIN_END: usize = 5;
