//! What is remembered of each file.

use std::path::PathBuf;

/// One file, in figures.
#[derive(Debug)]
pub(crate) struct DocumentStatistics {
    pub(crate) path: PathBuf,
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    pub(crate) words: u32,
    /// The number of lines of each length in characters, up to the longest.
    line_lengths: Vec<u32>,
}

impl DocumentStatistics {
    /// Counts what is in a text.
    #[inline(never)]
    pub(crate) fn measure_document(path: PathBuf, text: &str, words: u32) -> Self {
        let mut line_lengths = Vec::new();
        for line in text.lines() {
            let length = line.chars().count().min(LONGEST_LINE);
            if line_lengths.len() <= length {
                line_lengths.resize(length + 1, 0);
            }
            line_lengths[length] += 1;
        }
        Self {
            path,
            bytes: text.len(),
            lines: text.lines().count(),
            words,
            line_lengths,
        }
    }

    /// The length in characters that half of the lines do not exceed.
    pub(crate) fn median_line_length(&self) -> usize {
        let mut seen = 0;
        let passes_half = |count: &u32| {
            seen += *count as usize;
            seen * 2 >= self.lines
        };
        self.line_lengths.iter().position(passes_half).unwrap_or(0)
    }
}

/// Lines with more characters count as such.
const LONGEST_LINE: usize = 1000;
