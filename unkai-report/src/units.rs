//! Bytes, counts, shares and durations in the words of people.
//!
//! Every function takes any number, infinities and NaN included (printed as `?`), and never panics. Bytes are in powers
//! of 1024 (`KiB`), counts in powers of 1000 (`k`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `bytes` with three significant digits in the largest unit that leaves at least one.
///
/// ```
/// use unkai_report::units::bytes;
///
/// assert_eq!(bytes(512.0), "512 B");
/// assert_eq!(bytes(12.34 * 1024.0 * 1024.0), "12.3 MiB");
/// assert_eq!(bytes(-2048.0), "-2.00 KiB");
/// ```
pub fn bytes(bytes: f64) -> String {
    scaled(
        bytes,
        1024.0,
        ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
        1024.0,
    )
}

/// Like [`bytes`](fn@bytes), with a `+` in front of growth.
pub fn growth(bytes: f64) -> String {
    let text = self::bytes(bytes);
    if bytes > 0.0 && text != "0 B" {
        format!("+{text}")
    } else {
        text
    }
}

/// A count: grouped digits below ten thousand, then three significant digits and `k`, `M`, `G` or `T`.
///
/// ```
/// use unkai_report::units::count;
///
/// assert_eq!(count(1234.0), "1,234");
/// assert_eq!(count(1_230_000.0), "1.23 M");
/// ```
pub fn count(count: f64) -> String {
    if count.abs() < 9_999.5 {
        let sign = if count <= -0.5 { "-" } else { "" };
        return format!("{sign}{}", digits(count.abs().round() as u64));
    }
    scaled(count, 1000.0, ["", "k", "M", "G", "T", "P", "E"], 1000.0)
}

/// All digits of `number`, in groups of three: `1,234,567`.
pub fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut grouped = String::with_capacity(plain.len() + plain.len() / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Like [`digits`], for numbers that may be negative.
pub fn signed_digits(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", digits(number.unsigned_abs()))
}

/// `1 site`, `2 sites`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", digits(count))
}

/// `part` of `whole` in percent with one decimal: `66.1 %`. Empty if `whole` is not positive.
pub fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 && part.is_finite() {
        format!("{:.1} %", part / whole * 100.0)
    } else {
        String::new()
    }
}

/// A duration in one unit below a minute (`1.5 ms`), in two from there on (`2 h 3 min`).
///
/// ```
/// use std::time::Duration;
/// use unkai_report::units::duration;
///
/// assert_eq!(duration(Duration::from_micros(1500)), "1.50 ms");
/// assert_eq!(duration(Duration::from_secs(7380)), "2 h 3 min");
/// ```
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 60 {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        return match (days, hours) {
            (0, 0) => two_units(minutes, "min", seconds % 60, "s"),
            (0, _) => two_units(hours, "h", minutes, "min"),
            _ => two_units(days, "d", hours, "h"),
        };
    }
    let nanoseconds = duration.as_nanos() as f64;
    scaled(
        nanoseconds,
        1000.0,
        ["ns", "µs", "ms", "s", "s", "s", "s"],
        999.5,
    )
}

/// A moment as date and time in UTC: `2025-11-22 10:20:31 UTC`.
pub fn moment(moment: SystemTime) -> String {
    let since_epoch = match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i128,
        Err(before) => -(before.duration().as_secs() as i128),
    };
    let (days, seconds) = (
        since_epoch.div_euclid(86_400),
        since_epoch.rem_euclid(86_400),
    );
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of the day that lies `days` after 1970-01-01, in the Gregorian calendar.
fn civil(days: i128) -> (i128, i128, i128) {
    // Years are counted from March, so that the leap day is the last of its year; 146,097 days make 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    (year, month, day)
}

fn two_units(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// `value` in the first of `units` in which it rounds to less than `limit`; each is `base` times the one before.
fn scaled(value: f64, base: f64, units: [&str; 7], limit: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let mut size = value.abs();
    let mut unit = 0;
    while size.round() >= limit && unit + 1 < units.len() && units[unit] != "s" {
        size /= base;
        unit += 1;
    }
    let decimals = match size {
        _ if unit == 0 => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let number = format!("{size:.decimals$}");
    let sign = if value < 0.0 && number != "0" {
        "-"
    } else {
        ""
    };
    format!("{sign}{number} {}", units[unit])
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_three_digits_and_move_up_at_1024() {
        assert_eq!(bytes(0.0), "0 B");
        assert_eq!(bytes(1023.0), "1023 B");
        assert_eq!(bytes(1023.6), "1.00 KiB");
        assert_eq!(bytes(1024.0), "1.00 KiB");
        assert_eq!(bytes(123.4 * 1024.0), "123 KiB");
        assert_eq!(bytes(1023.9 * 1024.0), "1.00 MiB");
        assert_eq!(bytes(u64::MAX as f64), "16.0 EiB");
        assert_eq!(bytes(-0.2), "0 B");
        assert_eq!(growth(2048.0), "+2.00 KiB");
        assert_eq!(growth(0.2), "0 B");
    }

    #[test]
    fn no_number_is_too_odd_to_print() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(bytes(value), "?");
            assert_eq!(count(value), "?");
            assert_eq!(share(value, 1.0), "");
        }
        assert!(bytes(f64::MAX).ends_with(" EiB"));
        assert_eq!(duration(Duration::MAX), "213503982334601 d 7 h");
    }

    #[test]
    fn counts_group_their_digits_then_take_a_unit() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(-1234.0), "-1,234");
        assert_eq!(count(9_999.4), "9,999");
        assert_eq!(count(10_000.0), "10.0 k");
        assert_eq!(count(999_999.0), "1.00 M");
        assert_eq!(digits(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(signed_digits(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(duration(Duration::ZERO), "0 ns");
        assert_eq!(duration(Duration::from_nanos(999)), "999 ns");
        assert_eq!(duration(Duration::from_nanos(1024)), "1.02 µs");
        assert_eq!(duration(Duration::from_nanos(999_900)), "1.00 ms");
        assert_eq!(duration(Duration::from_secs(59)), "59.0 s");
        assert_eq!(duration(Duration::from_secs(61)), "1 min 1 s");
        assert_eq!(duration(Duration::from_secs(90_000)), "1 d 1 h");
    }

    #[test]
    fn moments_know_leap_years_and_the_time_before_1970() {
        let at = |seconds: u64| moment(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_763_806_831), "2025-11-22 10:20:31 UTC");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(
            moment(UNIX_EPOCH - Duration::from_secs(1)),
            "1969-12-31 23:59:59 UTC"
        );
    }
}
