//! What a reader must know beside the figures: who could not be measured, and why.

use std::io::{self, Write};

/// Notes, each once, in the order in which they came up.
#[derive(Default)]
pub(crate) struct Notes {
    notes: Vec<String>,
}

impl Notes {
    pub(crate) fn add(&mut self, note: String) {
        if !self.notes.contains(&note) {
            eprintln!("note: {note}");
            self.notes.push(note);
        }
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nNotes\n")?;
        if self.notes.is_empty() {
            return writeln!(out, "- Everything could be measured.");
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(out, "- {note}"))
    }
}
