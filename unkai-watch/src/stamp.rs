//! Moments in the names of files: `20261122T235959.123Z`, in UTC, so that names sort by time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of a stamp.
pub(crate) const LENGTH: usize = "20261122T235959.123Z".len();

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// Now; but later than any that this process was given before, by a millisecond at least.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let Self(now) = Self::ago(Duration::ZERO);
        // Relaxed: only the number itself is shared.
        let given = LAST.fetch_max(now, Ordering::Relaxed);
        if given < now {
            return Self(now);
        }
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn ago(time: Duration) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default().saturating_sub(time);
        Self(u64::try_from(since.as_millis()).unwrap_or(LATEST))
    }

    pub(crate) fn text(self) -> [u8; LENGTH] {
        let milliseconds = self.0.min(LATEST);
        let seconds = milliseconds / 1000;
        let (year, month, day) = civil(seconds / 86_400);
        let time = seconds % 86_400;
        let mut text = *b"00000000T000000.000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[4..6], month);
        digits(&mut text[6..8], day);
        digits(&mut text[9..11], time / 3600);
        digits(&mut text[11..13], time / 60 % 60);
        digits(&mut text[13..15], time % 60);
        digits(&mut text[16..19], milliseconds % 1000);
        text
    }
}

/// Whether `text` is a stamp as far as its form goes.
pub(crate) fn is_stamp(text: &[u8]) -> bool {
    let form = b"ddddddddTdddddd.dddZ";
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    text.len() == LENGTH && text.iter().zip(form).all(fits)
}

fn digits(room: &mut [u8], mut number: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// By Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that a leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The end of the year 9999.
const LATEST: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        for (milliseconds, text) in [
            (0, "19700101T000000.000Z"),
            (951_782_399_999, "20000228T235959.999Z"),
            (951_782_400_000, "20000229T000000.000Z"),
            (951_868_800_001, "20000301T000000.001Z"),
            (1_795_391_999_123, "20261122T235959.123Z"),
            (4_107_542_399_000, "21000228T235959.000Z"),
            (4_107_542_400_000, "21000301T000000.000Z"),
            (LATEST, "99991231T235959.999Z"),
            (u64::MAX, "99991231T235959.999Z"),
        ] {
            let written = Stamp(milliseconds).text();
            assert_eq!(str::from_utf8(&written), Ok(text), "{milliseconds}");
            assert!(is_stamp(&written));
        }
    }

    #[test]
    fn no_stamp_is_given_twice_and_later_ones_sort_behind() {
        let given: Vec<_> = (0..1000).map(|_| Stamp::next()).collect();
        assert!(given.is_sorted_by(|a, b| a < b));
        assert!(given.is_sorted_by(|a, b| a.text() < b.text()));
    }

    #[test]
    fn what_only_looks_like_a_stamp_is_none() {
        for text in [
            "",
            "20261122T235959.123",
            "20261122 235959.123Z",
            "2026112xT235959.123Z",
            "20261122T235959,123Z",
            "20261122T235959.123Z-",
        ] {
            assert!(!is_stamp(text.as_bytes()), "{text}");
        }
    }
}
