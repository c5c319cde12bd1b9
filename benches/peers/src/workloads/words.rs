//! The words of a text and where each stands, by hash and then in order: what small programs that read text do.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;
use std::time::Instant;

use super::Run;
use crate::random::Random;

const WORDS: usize = 120_000;
const VOCABULARY: usize = 20_000;

pub(super) fn prepare() -> Run {
    let text = text();
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            drop(black_box(index(&text)));
        }
        start.elapsed()
    })
}

fn index(text: &str) -> BTreeMap<String, Vec<u32>> {
    // Without random keys, so that every process does the same.
    type Fixed = BuildHasherDefault<DefaultHasher>;
    let mut places: HashMap<String, Vec<u32>, Fixed> = HashMap::default();
    for (place, word) in text.split_ascii_whitespace().enumerate() {
        places
            .entry(word.to_lowercase())
            .or_default()
            .push(place as u32);
    }
    places.into_iter().collect()
}

/// Words after Zipf: the second is half as frequent as the first, the third a third.
fn text() -> String {
    let mut random = Random::new(5);
    let vocabulary: Vec<String> = (0..VOCABULARY).map(|_| word(&mut random)).collect();
    let mut text = String::new();
    for _ in 0..WORDS {
        // The logarithm of the rank is even.
        let share = random.below(1 << 20) as f64 / (1 << 20) as f64;
        let rank = (VOCABULARY as f64).powf(share) as usize;
        text.push_str(&vocabulary[rank - 1]);
        text.push(if random.below(12) == 0 { '\n' } else { ' ' });
    }
    text
}

fn word(random: &mut Random) -> String {
    const SYLLABLES: [&str; 16] = [
        "ka", "lo", "mi", "ren", "Sta", "tu", "ver", "on", "pe", "il", "gra", "do", "chi", "Wu",
        "ble", "est",
    ];
    let syllables = 1 + random.below(4);
    (0..syllables)
        .map(|_| SYLLABLES[random.below(SYLLABLES.len())])
        .collect()
}
