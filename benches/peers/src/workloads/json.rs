//! A large JSON document is parsed to a tree of values, and the tree printed again.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use serde_json::Value;

use super::Run;
use crate::random::Random;

const RECORDS: usize = 10_000;

pub(super) fn prepare() -> Run {
    let document = document();
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            let value: Value = serde_json::from_str(&document).expect("the document is valid");
            black_box(value.to_string());
        }
        start.elapsed()
    })
}

/// Records of an invented shop, a few hundred bytes each.
fn document() -> String {
    let mut random = Random::new(4);
    let mut out = String::from("[");
    for number in 0..RECORDS {
        let separator = if number == 0 { "" } else { "," };
        write!(
            out,
            r#"{separator}{{"number":{number},"name":"customer {}","active":{},"balance":{}.{:02},"#,
            random.below(1 << 20),
            random.below(2) == 0,
            random.below(10_000),
            random.below(100),
        )
        .expect("strings take everything");
        out.push_str(r#""address":{"street":"Long Street "#);
        write!(out, "{}", random.below(300)).expect("strings take everything");
        out.push_str(r#"","city":"Ålesund","lines":[1.5,null,true]},"orders":["#);
        for order in 0..random.below(5) {
            let separator = if order == 0 { "" } else { "," };
            write!(
                out,
                r#"{separator}{{"item":"article-{}","count":{},"note":"wrap \"twice\"\n"}}"#,
                random.below(5_000),
                1 + random.below(9),
            )
            .expect("strings take everything");
        }
        out.push_str(r#"],"tags":["new","of the house","42"]}"#);
    }
    out.push(']');
    out
}
