//! Where each word stands.
//!
//! ```text
//! words:  "heap" ─▶ Postings ─▶ file 3 ─▶ positions 17, 40, 41
//!         "page"                file 9 ─▶ positions 2
//! ```

use std::collections::HashMap;

/// All words of all files.
#[derive(Debug, Default)]
pub(crate) struct Index {
    words: HashMap<String, Postings>,
}

/// Where one word stands.
#[derive(Debug, Default)]
struct Postings {
    /// One entry for each file with the word, in the order of the files.
    files: Vec<Posting>,
}

/// Where one word stands in one file.
#[derive(Debug)]
struct Posting {
    file: u32,
    /// Numbers of words in the file.
    positions: Vec<u32>,
}

impl Index {
    /// Adds the words of a text. Returns how many there are.
    #[inline(never)]
    pub(crate) fn add_text(&mut self, file: u32, text: &str) -> u32 {
        let mut position = 0;
        for word in split_words(text) {
            let word = normalize(word);
            match self.words.get_mut(&word) {
                Some(postings) => postings.add_posting(file, position),
                None => self.add_word(word).add_posting(file, position),
            }
            position += 1;
        }
        position
    }

    /// Takes in a word that is not known yet. The index keeps the very string.
    #[inline(never)]
    fn add_word(&mut self, word: String) -> &mut Postings {
        self.words.entry(word).or_default()
    }

    /// The files in which the words of `phrase` follow one another, each with the number of times.
    #[inline(never)]
    pub(crate) fn find_phrase(&self, phrase: &str) -> Vec<(u32, usize)> {
        let mut postings = Vec::new();
        for word in split_words(phrase) {
            match self.words.get(&normalize(word)) {
                Some(found) => postings.push(found),
                None => return Vec::new(),
            }
        }
        let Some((first, rest)) = postings.split_first() else {
            return Vec::new();
        };
        let count = |posting: &Posting| {
            let starts = posting.positions.iter();
            let follow = |start: &&u32| {
                let mut next = (1..).zip(rest);
                next.all(|(offset, word)| word.stands_at(posting.file, **start + offset))
            };
            (posting.file, starts.filter(follow).count())
        };
        let found = first.files.iter().map(count);
        found.filter(|(_, times)| *times > 0).collect()
    }

    /// Number of different words.
    pub(crate) fn words(&self) -> usize {
        self.words.len()
    }

    /// What the index itself knows of its memory, to compare the profiler's estimate with: the bytes behind all postings
    /// (that is, all that `add_posting` allocated and has not given back) and the blocks that they make up.
    pub(crate) fn posting_bytes_and_blocks(&self) -> (usize, usize) {
        let (mut bytes, mut blocks) = (0, 0);
        let mut add = |capacity: usize, size: usize| {
            bytes += capacity * size;
            blocks += usize::from(capacity > 0);
        };
        for postings in self.words.values() {
            add(postings.files.capacity(), size_of::<Posting>());
            for posting in &postings.files {
                add(posting.positions.capacity(), size_of::<u32>());
            }
        }
        (bytes, blocks)
    }
}

impl Postings {
    /// Notes that the word stands at this position of a file, which is the last one or a new one.
    #[inline(never)]
    fn add_posting(&mut self, file: u32, position: u32) {
        match self.files.last_mut() {
            Some(last) if last.file == file => last.positions.push(position),
            _ => {
                let positions = vec![position];
                self.files.push(Posting { file, positions });
            }
        }
    }

    fn stands_at(&self, file: u32, position: u32) -> bool {
        let posting = self.files.binary_search_by_key(&file, |entry| entry.file);
        posting.is_ok_and(|at| self.files[at].positions.binary_search(&position).is_ok())
    }
}

/// The words of a text: letters, digits and underscores.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .filter(|word| !word.is_empty())
}

/// The form in which a word is looked up. A string that is soon given back, for every word but the new ones.
#[inline(never)]
fn normalize(word: &str) -> String {
    word.to_lowercase()
}
