//! The page of links.

use unkai_core::process;
use unkai_report::units;

/// The page, with what is exactly known at once: it takes no snapshot.
pub(super) fn page(title: &str) -> String {
    let totals = process::totals();
    let live = match totals.allocated.blocks {
        0 => "<p class=\"warn\">No allocation was counted. Is <code>UnkaiGlobalAlloc</code> this program's \
              <code>#[global_allocator]</code>?</p>"
            .to_owned(),
        blocks => format!(
            "<p><b>{}</b> live in {} blocks, of {} allocated in {}.</p>",
            units::bytes(totals.live_bytes() as f64),
            units::digits(totals.live_blocks().max(0) as u64),
            units::bytes(totals.allocated.bytes as f64),
            units::digits(blocks),
        ),
    };
    PAGE.replace("<!--live-->", &live)
        .replace("<!--title-->", &escape(title))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char => escaped.push(char),
        }
    }
    escaped
}

const PAGE: &str = include_str!("index.html");
/// The page has links and looks, and nothing else.
pub(super) const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_text_whatever_it_holds() {
        let page = page("<script>&\"<!--live-->");
        assert!(page.contains("<title>&lt;script&gt;&amp;&quot;&lt;!--live--&gt; · unkai</title>"));
        assert!(!page.contains("<script"));
        assert!(!page.contains("<!--"));
    }

    #[test]
    fn without_a_profiled_heap_the_page_says_so() {
        assert!(page("x").contains("UnkaiGlobalAlloc"));
    }
}
