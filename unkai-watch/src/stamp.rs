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

    #[cfg(all(unkai_internals, target_os = "linux"))]
    pub(crate) fn of(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    pub(crate) fn ago(time: Duration) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default().saturating_sub(time);
        Self(u64::try_from(since.as_millis()).unwrap_or(LATEST))
    }

    /// The stamp that is written as `text`, if there is one.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let text: &[u8; LENGTH] = text.try_into().ok()?;
        let number = |from: usize, to: usize| {
            let digit = |number, byte: &u8| number * 10 + u64::from(byte.wrapping_sub(b'0'));
            text[from..to].iter().fold(0, digit)
        };
        let days = days(number(0, 4), number(4, 6), number(6, 8))?;
        let minutes = number(9, 11) * 60 + number(11, 13);
        let seconds = days * 86_400 + minutes * 60 + number(13, 15);
        let stamp = Self(seconds * 1000 + number(16, 19));
        // What is not a digit, or no moment of the calendar, is written otherwise.
        (stamp.text() == *text).then_some(stamp)
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

/// The reverse of [`civil`]; anything, or nothing, for what is no day since 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_469)
}

/// The end of the year 9999.
const LATEST: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_threads_get_the_same_stamp_and_each_gets_later_ones() {
        let many = || (0..1000).map(|_| Stamp::next()).collect::<Vec<_>>();
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(many)).collect();
            let stamps = threads.into_iter().map(|thread| thread.join().unwrap());
            stamps
                .inspect(|stamps| assert!(stamps.is_sorted_by(|one, next| one < next)))
                .flatten()
                .collect()
        });
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

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
            assert_eq!(Stamp::read(&written), Some(Stamp(milliseconds.min(LATEST))));
        }
    }

    #[test]
    fn every_day_is_read_as_it_was_written() {
        for day in 0..=LATEST / 86_400_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), Some(day));
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
            "20261322T235959.123Z",
            "20260022T235959.123Z",
            "20261100T235959.123Z",
            "20260229T235959.123Z",
            "20261122T245959.123Z",
            "20261122T236059.123Z",
            "20261122T235960.123Z",
            "19691231T235959.999Z",
            "00000000T000000.000Z",
            "99999999T999999.999Z",
        ] {
            assert_eq!(Stamp::read(text.as_bytes()), None, "{text}");
        }
    }
}
