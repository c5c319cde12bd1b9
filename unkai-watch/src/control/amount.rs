//! Sizes and times as an operator types them, `2GiB` or `90s`, and back.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use unkai_core::MAX_INTERVAL;

use super::words::{list, quoted};

/// Units of a size, with their bytes; sizes are shown in the first [`SHOWN_SIZES`].
const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];
const SHOWN_SIZES: usize = 5;

/// Units of a time, with their milliseconds.
const TIMES: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Longest time: a hundred years, so that every sum with a clock fits.
const LONGEST_DAYS: u64 = 36_500;

/// Shortest window to look back through.
pub(super) const SHORTEST_WINDOW: Duration = Duration::from_millis(100);

/// Why a text is no size, time or share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AmountError {
    NotANumber { such_as: &'static str },
    UnknownUnit { unit: String, allowed: String },
    NoUnit { allowed: String },
    Zero,
    TooLarge { most: &'static str },
    TooMuch { most: u16 },
    TooShort { least: &'static str },
}

/// A number of bytes, whole. Without a unit it is bytes.
pub(super) fn bytes(text: &str) -> Result<u64, AmountError> {
    let such_as = "a size such as 512MiB";
    let (number, unit) = number(text, such_as)?;
    let unit = if unit.is_empty() { "B" } else { unit };
    let factor = factor(&SIZES, unit)?;
    let too_large = AmountError::TooLarge {
        most: "16777215TiB",
    };
    whole(number * factor as f64, too_large)
}

/// A time in whole milliseconds. It has a unit.
pub(super) fn time(text: &str) -> Result<Duration, AmountError> {
    let such_as = "a time such as 30s";
    let (number, unit) = number(text, such_as)?;
    let factor = factor(&TIMES, unit)?;
    let too_large = AmountError::TooLarge { most: "36500d" };
    let ms = whole(number * factor as f64, too_large.clone())?;
    if ms > LONGEST_DAYS * 86_400_000 {
        return Err(too_large);
    }
    Ok(Duration::from_millis(ms))
}

/// A number of bytes for each second.
pub(super) fn bytes_per_second(text: &str) -> Result<u64, AmountError> {
    let size = text.strip_suffix("/s").ok_or(AmountError::NotANumber {
        such_as: "bytes for each second such as 1GiB/s",
    })?;
    bytes(size)
}

/// Bytes between two samples.
pub(super) fn interval(text: &str) -> Result<u64, AmountError> {
    match bytes(text)? {
        interval if interval <= MAX_INTERVAL => Ok(interval),
        _ => Err(AmountError::TooLarge { most: "64GiB" }),
    }
}

/// The length of a window to look back through: a watcher looks no more often than ten times a second.
pub(super) fn window(text: &str) -> Result<Duration, AmountError> {
    let window = time(text)?;
    if window < SHORTEST_WINDOW {
        return Err(AmountError::TooShort { least: "100ms" });
    }
    Ok(window)
}

/// How often, or how many: a whole number.
pub(super) fn times(text: &str) -> Result<u64, AmountError> {
    match text.parse() {
        Ok(0) => Err(AmountError::Zero),
        Ok(times) => Ok(times),
        Err(_) => Err(AmountError::NotANumber {
            such_as: "a whole number such as 5",
        }),
    }
}

/// A share in percent.
pub(super) fn percent(text: &str, most: u16) -> Result<f64, AmountError> {
    let allowed = || "%".to_owned();
    match number(text, "a share such as 90%")? {
        (0.0, "%") => Err(AmountError::Zero),
        (number, "%") if number > f64::from(most) => Err(AmountError::TooMuch { most }),
        (number, "%") => Ok(number),
        (_, "") => Err(AmountError::NoUnit { allowed: allowed() }),
        (_, unit) => Err(AmountError::UnknownUnit {
            unit: unit.to_owned(),
            allowed: allowed(),
        }),
    }
}

/// A number of bytes with the largest unit in which it is whole: read back, it is the same.
pub(super) fn show_bytes(bytes: u64) -> String {
    show(bytes, &SIZES[..SHOWN_SIZES])
}

/// A time with the largest unit in which it is whole.
pub(super) fn show_time(time: Duration) -> String {
    show(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIMES)
}

fn show(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |&&(_, factor): &&(&str, u64)| number.is_multiple_of(factor);
    // The first unit fits any number.
    let (unit, factor) = units.iter().rfind(fits).unwrap_or(&("", 1));
    format!("{}{unit}", number / factor)
}

/// Whether `text` is a unit of any amount.
pub(super) fn is_unit(text: &str) -> bool {
    let size = text.strip_suffix("/s").unwrap_or(text);
    let is_known = |units: &[(&str, u64)], unit: &str| units.iter().any(|(name, _)| *name == unit);
    text == "%" || is_known(&SIZES, size) || is_known(&TIMES, text)
}

/// Splits `text` into its number and what follows.
fn number<'a>(text: &'a str, such_as: &'static str) -> Result<(f64, &'a str), AmountError> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let is_plain = number.starts_with(|c: char| c.is_ascii_digit()) && !number.ends_with('.');
    match number.parse::<f64>() {
        Ok(number) if is_plain => Ok((number, unit.trim_start())),
        _ => Err(AmountError::NotANumber { such_as }),
    }
}

fn factor(units: &[(&str, u64)], unit: &str) -> Result<u64, AmountError> {
    let allowed = || list(units.iter().map(|(unit, _)| *unit), "or");
    match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => Ok(*factor),
        None if unit.is_empty() => Err(AmountError::NoUnit { allowed: allowed() }),
        None => Err(AmountError::UnknownUnit {
            unit: unit.to_owned(),
            allowed: allowed(),
        }),
    }
}

/// Rounds to a whole number, which is not zero.
fn whole(number: f64, too_large: AmountError) -> Result<u64, AmountError> {
    let number = number.round();
    if number < 1.0 {
        Err(AmountError::Zero)
    } else if number < u64::MAX as f64 {
        Ok(number as u64)
    } else {
        Err(too_large)
    }
}

impl Display for AmountError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber { such_as } => write!(f, "expected {such_as}"),
            Self::UnknownUnit { unit, allowed } => {
                write!(f, "there is no unit {} here: use {allowed}", quoted(unit))
            }
            Self::NoUnit { allowed } => write!(f, "a unit is missing: use {allowed}"),
            Self::Zero => f.write_str("it must be more than zero"),
            Self::TooShort { least } => write!(f, "it must be {least} at least"),
            Self::TooMuch { most } => write!(f, "it must be {most}% at most"),
            Self::TooLarge { most } => write!(f, "it must be {most} at most"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_every_unit() {
        let sizes = [
            ("65536", 65_536),
            ("1B", 1),
            ("512KiB", 512 << 10),
            ("1.5MiB", 3 << 19),
            ("2GiB", 2 << 30),
            ("1TiB", 1 << 40),
            ("1kB", 1_000),
            ("1MB", 1_000_000),
            ("2.5GB", 2_500_000_000),
            ("1TB", 1_000_000_000_000),
        ];
        for (text, expected) in sizes {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn times_are_read_with_every_unit() {
        let times = [
            ("250ms", 250),
            ("10s", 10_000),
            ("1.5m", 90_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
        ];
        for (text, expected) in times {
            assert_eq!(time(text), Ok(Duration::from_millis(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        let said = |error: AmountError| error.to_string();
        let units = "use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB";
        let cases = [
            (
                bytes("").map(|_| ()),
                "expected a size such as 512MiB".to_owned(),
            ),
            (
                bytes("-1B").map(|_| ()),
                "expected a size such as 512MiB".to_owned(),
            ),
            (
                bytes("1.B").map(|_| ()),
                "expected a size such as 512MiB".to_owned(),
            ),
            (
                bytes("1.2.3").map(|_| ()),
                "expected a size such as 512MiB".to_owned(),
            ),
            (
                bytes("2Gib").map(|_| ()),
                format!("there is no unit `Gib` here: {units}"),
            ),
            (
                bytes("0KiB").map(|_| ()),
                "it must be more than zero".to_owned(),
            ),
            (
                bytes("99999999999TiB").map(|_| ()),
                "it must be 16777215TiB at most".to_owned(),
            ),
            (
                time("10").map(|_| ()),
                "a unit is missing: use ms, s, m, h or d".to_owned(),
            ),
            (
                time("9999999d").map(|_| ()),
                "it must be 36500d at most".to_owned(),
            ),
            (
                percent("90", 100).map(|_| ()),
                "a unit is missing: use %".to_owned(),
            ),
            (
                percent("101%", 100).map(|_| ()),
                "it must be 100% at most".to_owned(),
            ),
            (
                percent("0%", 100).map(|_| ()),
                "it must be more than zero".to_owned(),
            ),
        ];
        for (result, expected) in cases {
            assert_eq!(result.map_err(said), Err(expected));
        }
    }

    #[test]
    fn a_unit_that_acts_on_a_terminal_is_shown_harmless() {
        let error = bytes("1\x1b[31m\u{202e}x").expect_err("no such unit");
        let said = error.to_string();
        assert!(said.contains("`\u{fffd}[31m\u{fffd}x`"), "{said:?}");
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for bytes_shown in [1, 1_000, 1_024, 1_536, 3 << 20, 5 << 40, 1_000_000_007] {
            assert_eq!(bytes(&show_bytes(bytes_shown)), Ok(bytes_shown));
        }
        assert_eq!(show_bytes(2 << 30), "2GiB");
        for ms in [1, 999, 1_000, 90_000, 86_400_000] {
            let shown = Duration::from_millis(ms);
            assert_eq!(time(&show_time(shown)), Ok(shown));
        }
        assert_eq!(show_time(Duration::from_secs(600)), "10m");
    }
}
