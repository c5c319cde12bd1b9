//! Colours, where they are wanted.

use std::borrow::Cow;

/// Puts colours on text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint {
    pub(super) on: bool,
}

/// What a piece of text is, which decides on its colour.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ink {
    /// What a reader looks for: titles, names of sites.
    Strong,
    /// What may be skipped: rules, places, guides.
    Faint,
    /// What must not be missed.
    Warning,
    Bar,
    Grew,
    Shrank,
}

impl Paint {
    /// `text` in the colours of `ink`. Widths are to be counted before.
    pub(super) fn ink(self, ink: Ink, text: &str) -> Cow<'_, str> {
        if !self.on || text.trim().is_empty() {
            return Cow::Borrowed(text);
        }
        // The colours of the terminal's own theme, so that they can be read on dark and on light.
        let code = match ink {
            Ink::Strong => "1",
            Ink::Faint => "2",
            Ink::Warning => "1;33",
            Ink::Bar => "36",
            Ink::Grew => "31",
            Ink::Shrank => "32",
        };
        Cow::Owned(format!("\u{1b}[{code}m{text}\u{1b}[0m"))
    }
}
