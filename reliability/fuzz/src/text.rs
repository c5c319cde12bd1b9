//! What text for people must not hold.

/// Panics if something in `text`, which is called `what`, acts on a terminal, breaks a line or turns the direction.
pub fn does_not_act(what: &str, text: &str) {
    let acts = |c: char| {
        let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns
    };
    assert!(!text.contains(acts), "{what}: {text:?}");
}
