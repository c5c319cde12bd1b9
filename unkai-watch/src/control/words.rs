//! Words of messages.

/// `a, b and c`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
    }
}

/// The one of `known` that somebody most likely meant who wrote `word`.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&word, &known.to_ascii_lowercase());
    let nearest = known.into_iter().min_by_key(distance)?;
    // One slip, and one more for every four letters: a word that differs in more was not meant.
    (distance(&nearest) <= 1 + nearest.len() / 4).then_some(nearest)
}

/// `text` between backquotes, cut if it is long, without characters that act on a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

/// `c`, or a stand-in if it acts or turns the direction of writing.
pub(super) fn visible(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_whitespace() {
        ' '
    } else if c.is_control() || turns {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Characters of a value that a message shows.
const LONGEST: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_nonsense_is_not() {
        let known = ["UNKAI_RULES", "UNKAI_REPORTS", "UNKAI_INTERVAL"];
        assert_eq!(nearest("UNKAI_RULE", known), Some("UNKAI_RULES"));
        assert_eq!(nearest("unkai_reports", known), Some("UNKAI_REPORTS"));
        assert_eq!(nearest("UNKAI_SOMETHING_ELSE", known), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn quoted_text_does_not_act_and_is_not_endless() {
        assert_eq!(quoted("a\x1b[31mb\nc"), "`a\u{fffd}[31mb c`");
        assert_eq!(quoted(&"x".repeat(81)), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn words_are_listed() {
        assert_eq!(list([], "or"), "");
        assert_eq!(list(["a"], "or"), "a");
        assert_eq!(list(["a", "b", "c"], "or"), "a, b or c");
    }
}
