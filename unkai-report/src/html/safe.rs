//! Text that cannot end the element that it stands in.

use std::io;

use serde_json::ser::{CompactFormatter, Formatter};

/// JSON for a script element: no character of a string can be taken for HTML, and whole numbers have no `.0`.
pub(super) struct InScript;

impl Formatter for InScript {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        if value.fract() == 0.0 && value.abs() < 1e15 {
            self.write_i64(writer, value as i64)
        } else {
            CompactFormatter.write_f64(writer, value)
        }
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        replace(fragment, writer, |character| match character {
            '<' => Some("\\u003c"),
            '>' => Some("\\u003e"),
            '&' => Some("\\u0026"),
            '\u{2028}' => Some("\\u2028"),
            '\u{2029}' => Some("\\u2029"),
            _ => None,
        })
    }
}

/// Writes `text` as the content of an element.
pub(super) fn escape_text(text: &str, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
    replace(text, out, |character| match character {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        // A page must not hold this one, not even escaped.
        '\0' => Some("\u{fffd}"),
        _ => None,
    })
}

fn replace(
    text: &str,
    out: &mut (impl io::Write + ?Sized),
    replacement: impl Fn(char) -> Option<&'static str>,
) -> io::Result<()> {
    let mut written = 0;
    for (at, character) in text.char_indices() {
        if let Some(replacement) = replacement(character) {
            out.write_all(&text.as_bytes()[written..at])?;
            out.write_all(replacement.as_bytes())?;
            written = at + character.len_utf8();
        }
    }
    out.write_all(&text.as_bytes()[written..])
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[test]
    fn a_string_in_a_script_reads_back_equal_and_has_nothing_of_html() {
        let hostile = "</script><!-- & \u{2028}\u{2029} \"quoted\\\" \0 ünïcødé 🦀";
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, InScript);
        hostile.serialize(&mut serializer).expect("a Vec takes it");
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(
            !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<String>(&text).expect("it is JSON"),
            hostile
        );
    }

    #[test]
    fn numbers_read_back_equal() {
        let numbers = [0.0, -3.0, 0.25, 1e14, 1e15, 1e300, -1e16];
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, InScript);
        numbers.serialize(&mut serializer).expect("a Vec takes it");
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        assert!(text.starts_with("[0,-3,0.25,100000000000000,"), "{text}");
        assert_eq!(
            serde_json::from_str::<[f64; 7]>(&text).expect("it is JSON"),
            numbers
        );
    }

    #[test]
    fn text_of_an_element_starts_no_other() {
        let mut out = Vec::new();
        escape_text("a </title> & \0 b", &mut out).expect("a Vec takes it");
        assert_eq!(
            String::from_utf8(out).as_deref(),
            Ok("a &lt;/title&gt; &amp; \u{fffd} b")
        );
    }
}
