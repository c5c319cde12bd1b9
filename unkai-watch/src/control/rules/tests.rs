//! Every line of the grammar, every error as a stranger reads it, and any text at all.

use std::time::Duration;

use super::spec::Value;
use super::*;
use crate::Format;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn one(text: &str) -> Spec {
    let mut rules = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rules.len(), 1, "{text}");
    rules.remove(0)
}

fn said(text: &str) -> String {
    match parse(text) {
        Ok(rules) => panic!("{text} was read as {rules:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_quantity_is_read() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let quantities = [
        ("live > 2GiB", Measure::Live, Value::Bytes(2 * GIB)),
        ("rss > 4GiB", Measure::Rss, Value::Bytes(4 * GIB)),
        ("share > 90%", Measure::Share, Value::Percent(90.0)),
        ("limit > 150%", Measure::Limit, Value::Percent(150.0)),
        ("site > 1GiB", Measure::Site, Value::Bytes(GIB)),
        (
            "growth(10m) > 500MiB",
            Measure::Growth {
                window: minutes(10),
            },
            Value::Bytes(500 * MIB),
        ),
        (
            "rate(1m) > 1GiB/s",
            Measure::Rate { window: minutes(1) },
            Value::BytesPerSecond(GIB),
        ),
    ];
    for (text, measure, threshold) in quantities {
        let rule = one(text);
        assert_eq!(
            (rule.measure, rule.threshold),
            (measure, threshold),
            "{text}"
        );
        assert!(rule.rises);
    }
    assert!(!one("live < 1GiB").rises);
}

#[test]
fn options_come_in_any_order_and_actions_in_theirs() {
    let rule = one(
        "leak: growth(10m) > 500MiB max 5 cooldown 1h clear 100MiB -> dump, report(html), closer(64KiB, 60s)",
    );
    assert_eq!(rule.name, "leak");
    assert_eq!(rule.clear, Some(Value::Bytes(100 * MIB)));
    assert_eq!(rule.cool_down, Some(Duration::from_secs(3600)));
    assert_eq!(rule.at_most, Some(5));
    let closer = Action::Closer {
        interval: 64 << 10,
        time: Duration::from_secs(60),
    };
    let actions = [Action::Dump, Action::Report(Some(Format::Html)), closer];
    assert_eq!(rule.actions, actions);
}

#[test]
fn white_space_is_free_and_empty_rules_are_none() {
    let tight = parse("a:live>2GiB clear 1GiB->log,dump;rate(10s)>1GiB/s->closer(64KiB,60s)");
    let wide = "\n ; a : live > 2 GiB clear 1 GiB -> log , dump ;;\n\t rate ( 10 s ) > 1 GiB/s -> closer ( 64 KiB , 60 s ) ; ";
    assert_eq!(tight, parse(wide));
    assert_eq!(parse(""), Ok(Vec::new()));
    assert_eq!(parse(" ;; "), Ok(Vec::new()));
}

#[test]
fn rules_without_names_are_called_by_their_quantities() {
    let rules = parse("live > 1GiB; live-2: rss > 1GiB; live > 2GiB; share > 9%").unwrap();
    let names: Vec<&str> = rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["live", "live-2", "live-3", "share"]);
}

#[test]
fn a_rule_that_is_printed_is_read_back() {
    let texts = [
        "big: live > 2GiB -> report, log",
        "near: share > 92.5% clear 80% -> dump, closer(64KiB, 1m)",
        "leak: growth(10m) > 500MiB cooldown 1h max 5 -> report(html)",
        "busy: rate(100ms) < 1000000001B/s",
    ];
    for text in texts {
        let rule = one(text);
        assert_eq!(rule.to_string(), text);
        assert_eq!(one(&rule.to_string()), rule);
    }
}

#[test]
fn errors_point_to_the_place_and_say_what_was_expected() {
    let words = "(one of live, rss, share, limit, site, growth or rate)";
    let cases = [
        (
            "big: lives > 2GiB",
            format!("column 6: there is no quantity `lives`, did you mean `live`? {words}\n    big: lives > 2GiB\n         ^^^^^"),
        ),
        (
            "big: live >",
            "column 12: expected a size such as 512MiB, but the text ends\n    big: live >\n               ^".to_owned(),
        ),
        (
            "live 2GiB",
            "column 6: expected `>` or `<`, found `2GiB`\n    live 2GiB\n         ^^^^".to_owned(),
        ),
        (
            "live > 2Gib",
            "column 8: there is no unit `Gib` here: use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB\n    live > 2Gib\n           ^^^^"
                .to_owned(),
        ),
        (
            "share > 90",
            "column 9: a unit is missing: use %\n    share > 90\n            ^^".to_owned(),
        ),
        (
            "rate(10s) > 1GiB",
            "column 13: expected bytes for each second such as 1GiB/s, found `1GiB`\n    rate(10s) > 1GiB\n                ^^^^"
                .to_owned(),
        ),
        (
            "growth > 1GiB",
            "column 8: expected `(` and the length of the window, such as (10m), found `>`\n    growth > 1GiB\n           ^".to_owned(),
        ),
        (
            "growth(10) > 1GiB",
            "column 8: a unit is missing: use ms, s, m, h or d\n    growth(10) > 1GiB\n           ^^".to_owned(),
        ),
        (
            "rate(1ms) > 1GiB/s",
            "column 6: it must be 100ms at least\n    rate(1ms) > 1GiB/s\n         ^^^".to_owned(),
        ),
        (
            "live > 2GiB clear 3GiB",
            "column 19: `clear` must be below the threshold: the rule fires again after it\n    live > 2GiB clear 3GiB\n                      ^^^^"
                .to_owned(),
        ),
        (
            "live > 2GiB cooldwn 3s",
            "column 13: there is no option `cooldwn`, did you mean `cooldown`? (one of clear, cooldown or max)\n    live > 2GiB cooldwn 3s\n                ^^^^^^^"
                .to_owned(),
        ),
        (
            "live > 2GiB max 3 max 4",
            "column 19: `max` is stated twice\n    live > 2GiB max 3 max 4\n                      ^^^".to_owned(),
        ),
        (
            "live > 2GiB max 0",
            "column 17: it must be more than zero\n    live > 2GiB max 0\n                    ^".to_owned(),
        ),
        (
            "live > 2GiB -> email",
            "column 16: there is no action `email` (one of report, dump, log or closer)\n    live > 2GiB -> email\n                   ^^^^^"
                .to_owned(),
        ),
        (
            "live > 2GiB -> report,",
            "column 23: expected an action (report, dump, log or closer), but the text ends\n    live > 2GiB -> report,\n                          ^"
                .to_owned(),
        ),
        (
            "live > 2GiB -> log, log",
            "column 21: `log` is stated twice\n    live > 2GiB -> log, log\n                        ^^^".to_owned(),
        ),
        (
            "live > 2GiB -> log live > 3GiB",
            "column 20: expected `,` or `;`, found `live`\n    live > 2GiB -> log live > 3GiB\n                       ^^^^".to_owned(),
        ),
        (
            "live > 2GiB, rss > 3GiB",
            "column 12: expected `clear`, `cooldown`, `max`, `->` or `;`, found `,`\n    live > 2GiB, rss > 3GiB\n               ^"
                .to_owned(),
        ),
        (
            "live > 2GiB -> closer(128GiB, 1s)",
            "column 23: it must be 64GiB at most\n    live > 2GiB -> closer(128GiB, 1s)\n                          ^^^^^^".to_owned(),
        ),
        (
            "a: live > 2GiB; a: rss > 3GiB",
            "column 17: another rule is called `a` too\n    a: live > 2GiB; a: rss > 3GiB\n                    ^".to_owned(),
        ),
        (
            "a: live > 2GiB;\n b: €",
            "line 2, column 5: expected a quantity (live, rss, share, limit, site, growth or rate), found `€`\n     b: €\n        ^".to_owned(),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), expected);
    }
}

#[test]
fn an_unknown_format_is_told_which_there_are() {
    let said = said("live > 1GiB -> report(htm)");
    assert!(
        said.contains("there is no format `htm`, did you mean `html`? (one of html, json,"),
        "{said}"
    );
}

#[test]
fn a_long_text_is_shown_around_the_place() {
    let text = format!("{} oops > 1", "live > 1GiB; ".repeat(100));
    let said = said(&text);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines.iter().all(|line| line.len() < 200), "{said}");
    let caret = lines[2].find('^').unwrap();
    assert!(lines[1][caret..].starts_with("oops > 1"), "{said}");
}

/// Texts near the grammar, and far from it. The seed is in the message.
#[test]
fn any_text_is_rules_or_an_error_that_points_into_it() {
    let parts = [
        "live",
        "rss",
        "share",
        "site",
        "growth",
        "rate",
        "(",
        ")",
        "10m",
        "1ms",
        "2GiB",
        "1.5",
        "90%",
        "/s",
        "1GiB/s",
        ">",
        "<",
        "->",
        "-",
        ",",
        ";",
        ":",
        "clear",
        "cooldown",
        "max",
        "report",
        "html",
        "dump",
        "log",
        "closer",
        " ",
        "\n",
        "\u{0}",
        "€",
        "\u{202e}",
        "x",
        "0",
        "18446744073709551616",
        "1e9",
        ".",
        "a-b",
        "Ω",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let mut read = 0;
    for round in 0..20_000 {
        let mut text = match below(3) {
            0 => "a: live > 2GiB clear 1GiB max 3 -> report(html), closer(64KiB, 60s)".to_owned(),
            1 => "growth(10m) > 1MiB -> dump; b: rate(1s) < 1GiB/s cooldown 5s".to_owned(),
            _ => String::new(),
        };
        for _ in 0..below(6) {
            let part = parts[below(parts.len())];
            let mut at = below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match below(3) {
                0 => text.truncate(at),
                _ => text.insert_str(at, part),
            }
        }
        match parse(&text) {
            Ok(rules) => {
                read += 1;
                let printed: Vec<String> = rules.iter().map(ToString::to_string).collect();
                assert_eq!(
                    parse(&printed.join(";")),
                    Ok(rules),
                    "round {round}: {text:?}"
                );
            }
            Err(error) => {
                let line = text.split('\n').nth(error.line() - 1).unwrap();
                assert!(
                    error.column() <= line.chars().count() + 1,
                    "round {round}: {text:?}: {error}"
                );
                assert!(
                    error.to_string().ends_with('^'),
                    "round {round}: {text:?}: {error}"
                );
            }
        }
    }
    assert!(
        (2_000..18_000).contains(&read),
        "{read} of the texts were rules"
    );
}
