//! The text of types and paths: what is inside brackets, and what is not.
//!
//! These are the steps that [`FunctionPath`](crate::path::FunctionPath) takes a name apart with. They work on any text:
//! brackets that do not match give odd parts, never a panic.

/// Splits at each `::` that is outside of brackets.
pub(crate) fn segments(name: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    let mut rest = name;
    while let Some((first, tail)) = split_outside_brackets(rest, "::") {
        segments.push(first);
        rest = tail;
    }
    segments.push(rest);
    segments
}

/// Splits at the first `separator` that is outside of brackets.
pub(crate) fn split_outside_brackets<'a>(
    text: &'a str,
    separator: &str,
) -> Option<(&'a str, &'a str)> {
    let bytes = text.as_bytes();
    // Most bytes are told apart by the first one, without a call.
    let begins = *separator.as_bytes().first()?;
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        if depth == 0 && *byte == begins && bytes[at..].starts_with(separator.as_bytes()) {
            return Some((&text[..at], &text[at + separator.len()..]));
        }
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            // The `>` of an arrow closes nothing.
            b'>' if at > 0 && matches!(bytes[at - 1], b'-' | b'=') => {}
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The name of a type or trait without path and parameters: `Vec` for `alloc::vec::Vec<T>`, `slice` for `[u8]`.
pub(crate) fn type_name(text: &str) -> String {
    let text = without_sigils(text);
    if text.starts_with('[') {
        return "slice".to_owned();
    }
    if text.starts_with('(') {
        return "tuple".to_owned();
    }
    if text.starts_with("fn(") || text.starts_with("extern ") || text.starts_with("unsafe ") {
        return "fn".to_owned();
    }
    let parts = plain_segments(text);
    let closures = parts
        .iter()
        .rev()
        .take_while(|part| part.starts_with('{'))
        .count();
    let keep = parts.len().min(1 + closures);
    parts[parts.len() - keep..].join("::")
}

/// The parts of a type's path without their parameters.
pub(crate) fn plain_segments(text: &str) -> Vec<&str> {
    let text = without_sigils(text);
    let mut parts = Vec::new();
    for segment in segments(text) {
        if segment.starts_with('<') && segment.ends_with('>') && parts.is_empty() {
            // A type inside the body of another type's method: `<a::T>::method::Inner`.
            let inner = without_sigils(&segment[1..segment.len() - 1]);
            let owner = split_outside_brackets(inner, " as ").map_or(inner, |(owner, _)| owner);
            parts.extend(segments(owner).into_iter().map(without_generics));
        } else {
            parts.push(without_generics(segment));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// `text` without the marks of references, pointers and trait objects in front, and without further bounds behind.
pub(crate) fn without_sigils(mut text: &str) -> &str {
    loop {
        let shorter = text.trim_start_matches(['&', ' ']);
        let shorter = ["mut ", "*const ", "*mut ", "dyn "]
            .iter()
            .find_map(|sigil| shorter.strip_prefix(sigil))
            .unwrap_or(shorter);
        if shorter.len() == text.len() {
            break;
        }
        text = shorter;
    }
    split_outside_brackets(text, " + ").map_or(text, |(first, _)| first)
}

/// `segment` up to its generic parameters; empty for a segment of nothing else, and for compiler shims.
pub(crate) fn without_generics(segment: &str) -> &str {
    if segment.starts_with("{shim:") || segment.starts_with("{{vtable.shim") {
        return "";
    }
    let end = segment.find(['<', '{']).unwrap_or(segment.len());
    match segment.as_bytes().first() {
        // `{closure#0}<…>` keeps its braces.
        Some(b'{') => &segment[..segment.find('<').unwrap_or(segment.len())],
        _ => &segment[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_separators_outside_of_brackets_split() {
        assert_eq!(segments("a::B<c::D>::e"), ["a", "B<c::D>", "e"]);
        assert_eq!(
            segments("a::b::<fn(c::D) -> e::F>::g"),
            ["a", "b", "<fn(c::D) -> e::F>", "g"]
        );
        assert_eq!(
            segments("<[a::B; 4] as c::D>::e::{closure#0}"),
            ["<[a::B; 4] as c::D>", "e", "{closure#0}"]
        );
        assert_eq!(segments(""), [""]);
        assert_eq!(segments("a>::b"), ["a>", "b"]);
    }

    #[test]
    fn types_are_named_by_their_last_part() {
        for (text, expected) in [
            ("alloc::vec::Vec<my::T>", "Vec"),
            ("&mut alloc::string::String", "String"),
            ("&[u8]", "slice"),
            ("(u8, u8)", "tuple"),
            ("fn(u8) -> u8", "fn"),
            (
                "dyn core::ops::function::Fn<(), Output = u8> + core::marker::Send",
                "Fn",
            ),
            ("my::main::{closure#0}", "main::{closure#0}"),
            ("<my::T>::method::Inner", "Inner"),
            ("T", "T"),
        ] {
            assert_eq!(type_name(text), expected, "{text}");
        }
    }

    #[test]
    fn parameters_and_shims_are_dropped_and_closures_stay() {
        for (segment, expected) in [
            ("Vec<T,A>", "Vec"),
            ("<u8>", ""),
            ("{closure#0}<T>", "{closure#0}"),
            ("{shim:vtable#0}", ""),
            ("call_once{{vtable.shim}}", "call_once"),
        ] {
            assert_eq!(without_generics(segment), expected, "{segment}");
        }
    }
}
