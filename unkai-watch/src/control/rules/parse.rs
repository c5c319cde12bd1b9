//! From text to rules: one function for each line of the grammar.

use std::mem::discriminant;
use std::str::FromStr;
use std::time::Duration;

use super::cursor::{Cursor, Piece};
use super::error::{RulesError, RulesProblem};
use super::spec::{Action, Measure, Spec, Unit, Value};
use crate::Format;
use crate::control::amount::{self, AmountError};
use crate::control::words::{list, nearest};

type Parsed<T> = Result<T, RulesError>;

/// Letters of a name: it becomes a part of names of files.
const LONGEST_NAME: usize = 64;

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
    let threshold = value(cursor, measure)?;
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
    if name.len() > LONGEST_NAME {
        return Err(cursor.wrong(first, RulesProblem::NameTooLong));
    }
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
    sign_of(
        cursor,
        "(",
        "`(` and the length of the window, such as (10m)",
    )?;
    let window = amount(cursor, amount::window)?;
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

fn value(cursor: &mut Cursor<'_>, measure: Measure) -> Parsed<Value> {
    amount(cursor, |text| match measure.unit() {
        Unit::Bytes => amount::bytes(text).map(Value::Bytes),
        Unit::Percent => amount::percent(text, 100).map(Value::Percent),
        Unit::ManyPercent => amount::percent(text, 1000).map(Value::Percent),
        Unit::BytesPerSecond => amount::bytes_per_second(text).map(Value::BytesPerSecond),
    })
}

/// Reads one option into `rule`, if one stands here.
fn option(cursor: &mut Cursor<'_>, rule: &mut Spec) -> Parsed<bool> {
    let mut ahead = *cursor;
    let word = ahead.word();
    let is_new = match word.text {
        "" => return Ok(false),
        "clear" => rule.clear.replace(clear(&mut ahead, rule)?).is_none(),
        "cooldown" => rule.cool_down.replace(time(&mut ahead)?).is_none(),
        "max" => rule
            .at_most
            .replace(amount(&mut ahead, amount::times)?)
            .is_none(),
        _ => return Err(unknown(&ahead, word, "option", &OPTIONS)),
    };
    if !is_new {
        return Err(twice(&ahead, word));
    }
    *cursor = ahead;
    Ok(true)
}

fn clear(cursor: &mut Cursor<'_>, rule: &Spec) -> Parsed<Value> {
    let mut here = *cursor;
    let clear = value(cursor, rule.measure)?;
    let (value, threshold) = (clear.number(), rule.threshold.number());
    let clears = if rule.rises {
        value <= threshold
    } else {
        value >= threshold
    };
    if clears {
        Ok(clear)
    } else {
        let problem = RulesProblem::NeverClears { rises: rule.rises };
        let piece = here.amount();
        Err(here.wrong(piece, problem))
    }
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
        let is_same = |other: &Action| match (other, &action) {
            (Action::Report(other), Action::Report(format)) => other == format,
            _ => discriminant(other) == discriminant(&action),
        };
        if rule.actions.iter().any(is_same) {
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
    let names: Vec<&'static str> = Format::ALL.iter().map(|format| format.name()).collect();
    let piece = word(cursor, "a format", &names)?;
    let Ok(format) = Format::from_str(piece.text) else {
        return Err(unknown(cursor, piece, "format", &names));
    };
    sign_of(cursor, ")", "`)`")?;
    Ok(Some(format))
}

fn closer(cursor: &mut Cursor<'_>) -> Parsed<Action> {
    let expected = "`(` with an interval and a time, such as (64KiB, 60s)";
    sign_of(cursor, "(", expected)?;
    let interval = amount(cursor, amount::interval)?;
    sign_of(cursor, ",", "`,` and a time, such as 60s")?;
    let time = time(cursor)?;
    sign_of(cursor, ")", "`)`")?;
    Ok(Action::Closer { interval, time })
}

fn time(cursor: &mut Cursor<'_>) -> Parsed<Duration> {
    amount(cursor, amount::time)
}

fn amount<T>(
    cursor: &mut Cursor<'_>,
    read: impl FnOnce(&str) -> Result<T, AmountError>,
) -> Parsed<T> {
    let here = *cursor;
    let piece = cursor.amount();
    read(piece.text).map_err(|error| match error {
        AmountError::NotANumber { such_as } => here.expected(such_as),
        error => {
            let reason = error.to_string();
            here.wrong(piece, RulesProblem::BadAmount { reason })
        }
    })
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
    known: &[&'static str],
) -> RulesError {
    let problem = RulesProblem::UnknownWord {
        kind,
        word: word.text.to_owned(),
        did_you_mean: nearest(word.text, known.iter().copied()),
        allowed: list(known.iter().copied(), "or"),
    };
    cursor.wrong(word, problem)
}

fn twice(cursor: &Cursor<'_>, word: Piece<'_>) -> RulesError {
    let problem = RulesProblem::Twice {
        word: word.text.to_owned(),
    };
    cursor.wrong(word, problem)
}
