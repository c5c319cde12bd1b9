//! From text to rules: one function for each line of the grammar.

use std::str::FromStr;
use std::time::Duration;

use unkai_core::MAX_INTERVAL;

use super::cursor::{Cursor, Piece};
use super::error::{RulesError, RulesProblem};
use super::spec::{Action, Measure, Spec, Unit, Value};
use crate::Format;
use crate::control::amount::{self, AmountError};
use crate::control::words::{list, nearest};

type Parsed<T> = Result<T, RulesError>;

const QUANTITIES: [&str; 7] = ["live", "rss", "share", "limit", "site", "growth", "rate"];
const OPTIONS: [&str; 3] = ["clear", "cooldown", "max"];
const ACTIONS: [&str; 4] = ["report", "dump", "log", "closer"];

/// Reads rules. None in an empty text; names are distinct.
pub(in crate::control) fn parse(text: &str) -> Parsed<Vec<Spec>> {
    let mut cursor = Cursor::new(text);
    let mut rules: Vec<Spec> = Vec::new();
    loop {
        while cursor.takes(";") {}
        if cursor.is_at_end() {
            break;
        }
        let rule = rule(&mut cursor, &rules)?;
        rules.push(rule);
        if !cursor.is_at_end() && !cursor.takes(";") {
            let last = rules.last().is_some_and(|rule| !rule.actions.is_empty());
            let options = "`clear`, `cooldown`, `max`, `->` or `;`";
            return Err(cursor.expected(if last { "`,` or `;`" } else { options }));
        }
    }
    Ok(rules)
}

fn rule(cursor: &mut Cursor<'_>, before: &[Spec]) -> Parsed<Spec> {
    let (name, word) = name(cursor, before)?;
    let measure = measure(cursor, word)?;
    let name = name.unwrap_or_else(|| free_name(measure, before));
    let rises = sign(cursor)?;
    let (_, threshold) = value(cursor, measure)?;
    let mut rule = Spec {
        name,
        measure,
        rises,
        threshold,
        clear: None,
        cool_down: None,
        at_most: None,
        actions: Vec::new(),
    };
    while option(cursor, &mut rule)? {}
    if cursor.takes("->") {
        actions(cursor, &mut rule)?;
    }
    Ok(rule)
}

/// The name, if there is one, and the word for the quantity.
fn name<'a>(cursor: &mut Cursor<'a>, before: &[Spec]) -> Parsed<(Option<String>, Piece<'a>)> {
    let first = word(cursor, "a quantity", &QUANTITIES)?;
    if !cursor.takes(":") {
        return Ok((None, first));
    }
    let name = first.text.to_owned();
    if before.iter().any(|rule| rule.name == name) {
        return Err(cursor.wrong(first, RulesProblem::NameTaken { name }));
    }
    Ok((Some(name), word(cursor, "a quantity", &QUANTITIES)?))
}

/// The word of the quantity, with a number if the word alone is taken.
fn free_name(measure: Measure, before: &[Spec]) -> String {
    let word = measure.word();
    let numbered = (2..).map(|number| format!("{word}-{number}"));
    let mut names = std::iter::once(word.to_owned()).chain(numbered);
    let is_free = |name: &String| before.iter().all(|rule| rule.name != *name);
    names.find(is_free).unwrap_or_default()
}

fn measure(cursor: &mut Cursor<'_>, word: Piece<'_>) -> Parsed<Measure> {
    Ok(match word.text {
        "live" => Measure::Live,
        "rss" => Measure::Rss,
        "share" => Measure::Share,
        "limit" => Measure::Limit,
        "site" => Measure::Site,
        "growth" => Measure::Growth {
            window: window(cursor)?,
        },
        "rate" => Measure::Rate {
            window: window(cursor)?,
        },
        _ => return Err(unknown(cursor, word, "quantity", &QUANTITIES)),
    })
}

fn window(cursor: &mut Cursor<'_>) -> Parsed<Duration> {
    sign_of(cursor, "(", "`(` and the length of the window, such as (10m)")?;
    let window = time(cursor)?;
    sign_of(cursor, ")", "`)`")?;
    Ok(window)
}

/// Whether the rule fires when the quantity rises.
fn sign(cursor: &mut Cursor<'_>) -> Parsed<bool> {
    if cursor.takes(">") {
        Ok(true)
    } else if cursor.takes("<") {
        Ok(false)
    } else {
        Err(cursor.expected("`>` or `<`"))
    }
}

fn value<'a>(cursor: &mut Cursor<'a>, measure: Measure) -> Parsed<(Piece<'a>, Value)> {
    let piece = cursor.amount();
    let value = match measure.unit() {
        Unit::Bytes => amount::bytes(piece.text).map(Value::Bytes),
        Unit::Percent => amount::percent(piece.text).map(Value::Percent),
        Unit::BytesPerSecond => match piece.text.strip_suffix("/s") {
            Some(bytes) => amount::bytes(bytes).map(Value::BytesPerSecond),
            None => Err(AmountError::NotANumber {
                such_as: "bytes for each second, such as 1GiB/s",
            }),
        },
    };
    match value {
        Ok(value) => Ok((piece, value)),
        Err(error) => Err(bad_amount(cursor, piece, error)),
    }
}

/// Reads one option into `rule`, if one stands here.
fn option(cursor: &mut Cursor<'_>, rule: &mut Spec) -> Parsed<bool> {
    let mut ahead = *cursor;
    let word = ahead.word();
    let is_new = match word.text {
        "" => return Ok(false),
        "clear" => {
            let (piece, value) = value(&mut ahead, rule.measure)?;
            let (value_at, threshold) = (value.number(), rule.threshold.number());
            let clears = if rule.rises {
                value_at < threshold
            } else {
                value_at > threshold
            };
            if !clears {
                return Err(ahead.wrong(piece, RulesProblem::NeverClears { rises: rule.rises }));
            }
            rule.clear.replace(value).is_none()
        }
        "cooldown" => rule.cool_down.replace(time(&mut ahead)?).is_none(),
        "max" => rule.at_most.replace(times(&mut ahead)?).is_none(),
        _ => return Err(unknown(&ahead, word, "option", &OPTIONS)),
    };
    if !is_new {
        return Err(twice(&ahead, word));
    }
    *cursor = ahead;
    Ok(true)
}

fn actions(cursor: &mut Cursor<'_>, rule: &mut Spec) -> Parsed<()> {
    loop {
        let word = word(cursor, "an action", &ACTIONS)?;
        let action = match word.text {
            "report" => Action::Report(format(cursor)?),
            "dump" => Action::Dump,
            "log" => Action::Log,
            "closer" => closer(cursor)?,
            _ => return Err(unknown(cursor, word, "action", &ACTIONS)),
        };
        if rule.actions.contains(&action) {
            return Err(twice(cursor, word));
        }
        rule.actions.push(action);
        if !cursor.takes(",") {
            return Ok(());
        }
    }
}

fn format(cursor: &mut Cursor<'_>) -> Parsed<Option<Format>> {
    if !cursor.takes("(") {
        return Ok(None);
    }
    let piece = cursor.format();
    let Ok(format) = Format::from_str(piece.text) else {
        let formats: Vec<&str> = Format::ALL.iter().map(|format| format.extension()).collect();
        return Err(unknown(cursor, piece, "format", &formats));
    };
    sign_of(cursor, ")", "`)`")?;
    Ok(Some(format))
}

fn closer(cursor: &mut Cursor<'_>) -> Parsed<Action> {
    let expected = "`(` with an interval and a time, such as (64KiB, 60s)";
    sign_of(cursor, "(", expected)?;
    let piece = cursor.amount();
    let interval = match amount::bytes(piece.text) {
        Ok(interval) if interval <= MAX_INTERVAL => interval,
        Ok(_) => {
            let error = AmountError::TooLarge { most: "64GiB" };
            return Err(bad_amount(cursor, piece, error));
        }
        Err(error) => return Err(bad_amount(cursor, piece, error)),
    };
    sign_of(cursor, ",", "`,` and a time, such as 60s")?;
    let time = time(cursor)?;
    sign_of(cursor, ")", "`)`")?;
    Ok(Action::Closer { interval, time })
}

fn time(cursor: &mut Cursor<'_>) -> Parsed<Duration> {
    let piece = cursor.amount();
    amount::time(piece.text).map_err(|error| bad_amount(cursor, piece, error))
}

fn times(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    let piece = cursor.amount();
    match piece.text.parse() {
        Ok(0) => Err(bad_amount(cursor, piece, AmountError::Zero)),
        Ok(times) => Ok(times),
        Err(_) => {
            let such_as = "a number of times such as 5";
            Err(bad_amount(cursor, piece, AmountError::NotANumber { such_as }))
        }
    }
}

/// A word; `expected` says what it should be.
fn word<'a>(cursor: &mut Cursor<'a>, expected: &str, words: &[&str]) -> Parsed<Piece<'a>> {
    let here = *cursor;
    let word = cursor.word();
    if word.text.is_empty() {
        let words = list(words.iter().copied(), "or");
        return Err(here.expected(format!("{expected} ({words})")));
    }
    Ok(word)
}

fn sign_of(cursor: &mut Cursor<'_>, sign: &str, expected: &str) -> Parsed<()> {
    if cursor.takes(sign) {
        Ok(())
    } else {
        Err(cursor.expected(expected))
    }
}

fn unknown(
    cursor: &Cursor<'_>,
    word: Piece<'_>,
    kind: &'static str,
    known: &[&str],
) -> RulesError {
    let problem = RulesProblem::UnknownWord {
        kind,
        word: word.text.to_owned(),
        did_you_mean: nearest(word.text, known.iter().copied()).map(str::to_owned),
        allowed: list(known.iter().copied(), "or"),
    };
    cursor.wrong(word, problem)
}

fn bad_amount(cursor: &Cursor<'_>, piece: Piece<'_>, error: AmountError) -> RulesError {
    if matches!(error, AmountError::NotANumber { .. }) {
        let expected = error.such_as();
        let found = cursor.or_next(piece);
        let problem = RulesProblem::Expected {
            expected,
            found: found.text.to_owned(),
        };
        return cursor.wrong(found, problem);
    }
    let reason = error.to_string();
    cursor.wrong(piece, RulesProblem::BadAmount { reason })
}

fn twice(cursor: &Cursor<'_>, word: Piece<'_>) -> RulesError {
    let word_text = word.text.to_owned();
    cursor.wrong(word, RulesProblem::Twice { word: word_text })
}
