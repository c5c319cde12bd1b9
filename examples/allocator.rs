//! Which of my collections holds how many bytes?
//!
//! Each part of this small search engine takes its memory through a handle of its own. A handle knows where it was
//! created and what is held through it, so a report needs no names.
//!
//! ```text
//! cargo run --example allocator
//! ```
#![cfg_attr(feature = "nightly", feature(allocator_api, btreemap_alloc))]

use unkai::api::{Box, Vec};
use unkai::{Unkai, UnkaiGlobal};

fn main() {
    let documents = read_documents();
    let index = index_words(&documents);
    let largest = largest_document(&documents);

    println!("{:>8}  {:>6}  {:>8}  created at", "bytes", "blocks", "peak");
    report(documents.allocator());
    report(index.allocator());
    report(Box::allocator(&largest));

    println!("without the documents:");
    let handle = documents.allocator().clone();
    drop(documents);
    report(&handle);
}

type Documents = Vec<Vec<u8, UnkaiGlobal>, UnkaiGlobal>;

/// The outer and all inner vectors take their memory through clones of one handle: it reports their sum.
fn read_documents() -> Documents {
    let handle = UnkaiGlobal::default();
    let mut documents = Vec::new_in(handle.clone());
    for n in 1..=100 {
        let mut text = Vec::with_capacity_in(n * 40, handle.clone());
        text.extend((0..n).flat_map(|word| format!("word{word} ").into_bytes()));
        text.shrink_to_fit();
        documents.push(text);
    }
    documents
}

#[cfg(not(feature = "nightly"))]
type Index = hashbrown::HashMap<u64, usize, hashbrown::DefaultHashBuilder, UnkaiGlobal>;

/// From the hash of each word to the number of documents with it. The type of the map says which allocator is meant.
#[cfg(not(feature = "nightly"))]
fn index_words(documents: &Documents) -> Index {
    let mut index = Index::new_in(Unkai::default());
    for word in documents.iter().flat_map(|text| words(text)) {
        *index.entry(word).or_default() += 1;
    }
    index
}

/// With the feature `nightly`, std's own collections take the handle.
#[cfg(feature = "nightly")]
fn index_words(documents: &Documents) -> Vec<(u64, usize), UnkaiGlobal> {
    let mut counts = std::collections::BTreeMap::new_in(UnkaiGlobal::default());
    for word in documents.iter().flat_map(|text| words(text)) {
        *counts.entry(word).or_default() += 1;
    }
    let mut index = Vec::new_in(Unkai::default());
    index.extend(counts);
    index
}

fn largest_document(documents: &Documents) -> Box<[u8], UnkaiGlobal> {
    let largest = documents.iter().max_by_key(|text| text.len()).unwrap();
    let mut copy = Vec::with_capacity_in(largest.len(), Unkai::default());
    copy.extend_from_slice(largest);
    copy.into_boxed_slice()
}

/// The words of a text, each as a number.
fn words(text: &[u8]) -> impl Iterator<Item = u64> {
    let add = |sum: u64, &byte: &u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    text.split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .map(move |word| word.iter().fold(0, add))
}

fn report(handle: &UnkaiGlobal) {
    let usage = handle.usage();
    let (bytes, caller) = (handle.report_usage(), handle.report_caller());
    println!(
        "{bytes:>8}  {:>6}  {:>8}  {caller}",
        usage.blocks, usage.peak_bytes
    );
}

// Output (on stable; paths and lines are those of the calls that made the handles):
//
//    bytes  blocks      peak  created at
//    38491     101     41801  examples/allocator.rs:35:18
//     2192       1      3296  examples/allocator.rs:52:35
//      690       1       690  examples/allocator.rs:73:57
// without the documents:
//        0       0     41801  examples/allocator.rs:35:18
