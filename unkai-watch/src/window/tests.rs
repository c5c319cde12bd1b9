use super::*;
use crate::random;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn growth(window: &mut Window, now: Duration, live: u64) -> u64 {
    window.add(now, live);
    live - window.lowest(now).expect("one was added")
}

#[test]
fn growth_is_seen_within_the_window_and_forgotten_after_it() {
    let mut window = Window::new(SECOND * 10);
    assert_eq!(growth(&mut window, Duration::ZERO, 100), 0);
    assert_eq!(growth(&mut window, SECOND, 150), 50);
    assert_eq!(growth(&mut window, SECOND * 10, 160), 60, "just within");
    assert_eq!(growth(&mut window, SECOND * 11, 160), 10);
    assert_eq!(growth(&mut window, SECOND * 12, 170), 10);
    assert_eq!(growth(&mut window, SECOND * 60, 500), 0, "all are too old");
}

#[test]
fn growth_counts_from_the_lowest_reading() {
    let mut window = Window::new(SECOND * 10);
    for (second, live, expected) in [
        (0, 500, 0),
        (1, 100, 0),
        (2, 400, 300),
        (3, 90, 0),
        (4, 95, 5),
    ] {
        assert_eq!(growth(&mut window, SECOND * second, live), expected);
    }
}

#[test]
fn many_readings_take_no_more_room_and_are_forgotten_a_64th_early_at_most() {
    let length = SECOND * 10;
    let mut window = Window::new(length);
    // A dip, among 100,000 readings at 1 ms.
    let dip = MILLISECOND * 50_000;
    for step in 0..100_000_u32 {
        let now = MILLISECOND * step;
        let live = if now == dip { 1000 } else { 5000 };
        let seen = growth(&mut window, now, live);
        let since = now.saturating_sub(dip);
        if now <= dip || since > length {
            assert_eq!(seen, 0, "{now:?}");
        } else if since <= length - length / 64 {
            assert_eq!(seen, 4000, "{now:?}");
        }
    }
    assert_eq!(window.entries.len(), ENTRIES);
}

#[test]
fn a_rate_is_known_when_the_first_window_is_over() {
    let mut window = Window::new(SECOND * 10);
    let mut rate = |second: u32, allocated: u64| {
        let now = SECOND * second;
        window.add(now, allocated);
        window.rate(now, allocated)
    };
    assert_eq!(rate(0, 1000), None);
    assert_eq!(rate(9, 1900), None);
    assert_eq!(rate(10, 2000), Some(100.0));
    assert_eq!(rate(20, 2000), Some(0.0));
    assert_eq!(rate(30, 12_000), Some(1000.0));
}

#[test]
fn a_rate_agrees_with_the_definition() {
    let length = SECOND * 8;
    let mut window = Window::new(length);
    let mut all: Vec<(Duration, u64)> = Vec::new();
    let (mut now, mut allocated) = (Duration::ZERO, 0);
    for step in 0..20_000_u64 {
        now += MILLISECOND * (step * 7919 % 60) as u32;
        allocated += step * 104_729 % 5000;
        all.push((now, allocated));
        window.add(now, allocated);
        let rate = window.rate(now, allocated);
        // What a window that is longer by 1/64 and one reading says at most, and at least.
        let at = |age: Duration| all.iter().rev().find(|(at, _)| now - *at >= age);
        let (Some(&(_, later)), Some(&(_, sooner))) =
            (at(length), at(length + length / 64 + MILLISECOND * 60))
        else {
            continue;
        };
        let rate = rate.expect("the window is over");
        let most = (allocated - sooner) as f64 / length.as_secs_f64();
        let least = (allocated - later) as f64 / (length * 66 / 64).as_secs_f64() * 0.99;
        assert!((least..=most).contains(&rate), "{least} {rate} {most}");
    }
}

/// A clock that jumps shortens or lengthens a window; what it says are readings that there were, and a rate that is a number.
#[test]
fn a_clock_that_jumps_makes_no_reading_up() {
    let mut below = random::below(0xc10c);
    let mut rates = 0;
    for length in [
        Duration::from_nanos(1),
        Duration::from_millis(1),
        Duration::from_secs(60),
        Duration::MAX,
    ] {
        for _ in 0..200 {
            let mut window = Window::new(length);
            let mut added = Vec::new();
            for value in 0..300 {
                let now = match below(12) {
                    0 => Duration::ZERO,
                    1 => Duration::MAX,
                    2 => Duration::from_nanos(u64::MAX),
                    _ => Duration::from_millis(below(200_000)),
                };
                added.push(value);
                window.add(now, value);
                assert!(window.lowest(now).is_none_or(|low| added.contains(&low)));
                if let Some(rate) = window.rate(now, value) {
                    assert!(rate.is_finite() && rate >= 0.0, "{rate}");
                    rates += 1;
                }
                assert!(window.used <= ENTRIES);
            }
        }
    }
    assert!(rates > 1000, "{rates}");
}
