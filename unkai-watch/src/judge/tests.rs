use super::*;
use crate::random;

const SECOND: Duration = Duration::from_secs(1);

fn law(direction: Direction, threshold: f64, clear_at: f64) -> Law {
    Law {
        direction,
        threshold,
        clear_at,
        cool_down: Duration::ZERO,
        at_most: u64::MAX,
    }
}

/// Judges one reading a second; the seconds at which the rule fires.
fn firings(law: &Law, readings: &[f64]) -> (Vec<usize>, State) {
    let mut state = law.start();
    let fires = |(second, &reading): (usize, &f64)| {
        let now = SECOND * second as u32;
        (law.judge(&mut state, reading, now) == Verdict::Fires).then_some(second)
    };
    let fired = readings.iter().enumerate().filter_map(fires).collect();
    (fired, state)
}

#[test]
fn a_rule_that_rises_fires_once_until_it_falls_back() {
    let law = law(Direction::Rising, 100.0, 90.0);
    let readings = [0.0, 99.9, 100.0, 500.0, 95.0, 100.0, 90.0, 99.0, 101.0];
    assert_eq!(firings(&law, &readings).0, [2, 8]);
}

#[test]
fn a_rule_that_falls_waits_until_the_quantity_was_there() {
    let law = law(Direction::Falling, 10.0, 12.0);
    let readings = [
        0.0, 5.0, 11.0, 3.0, 12.0, 10.1, 10.0, 0.0, 11.0, 0.0, 40.0, 9.0,
    ];
    assert_eq!(firings(&law, &readings).0, [6, 11]);
}

#[test]
fn a_rule_is_past_its_threshold_at_the_start_already() {
    let law = law(Direction::Rising, 100.0, 90.0);
    assert_eq!(firings(&law, &[100.0, 100.0]).0, [0]);
}

#[test]
fn no_hysteresis_needs_a_reading_on_the_other_side() {
    let rises = law(Direction::Rising, 100.0, 100.0);
    assert_eq!(firings(&rises, &[100.0, 100.0, 99.0, 100.0]).0, [0, 3]);
    let falls = law(Direction::Falling, 0.0, 0.0);
    assert_eq!(firings(&falls, &[0.0, 1.0, 0.0, 0.0, 2.0, 0.0]).0, [2, 5]);
}

#[test]
fn what_is_no_number_changes_nothing() {
    for direction in [Direction::Rising, Direction::Falling] {
        let law = law(direction, 100.0, 100.0);
        assert_eq!(firings(&law, &[f64::NAN; 5]).0, [] as [usize; 0]);
    }
    let rises = law(Direction::Rising, 100.0, 90.0);
    let readings = [f64::NAN, 100.0, f64::NAN, 100.0, 0.0, f64::NAN, 100.0];
    assert_eq!(firings(&rises, &readings).0, [1, 6]);
}

#[test]
fn a_crossing_during_the_cool_down_fires_after_it_or_is_counted() {
    let mut law = law(Direction::Rising, 100.0, 90.0);
    law.cool_down = SECOND * 5;
    // Crossed again at 2, back at 3: suppressed. Crossed at 4, and still past at 5.
    let readings = [100.0, 0.0, 100.0, 0.0, 100.0, 100.0, 100.0];
    let (fired, state) = firings(&law, &readings);
    assert_eq!(fired, [0, 5]);
    assert_eq!(state.suppressed_by_cool_down, 1);
    // Between the threshold and clear when the time is over: it waits for the threshold.
    let (fired, state) = firings(&law, &[100.0, 0.0, 100.0, 95.0, 95.0, 95.0, 100.0]);
    assert_eq!((fired, state.suppressed_by_cool_down), (vec![0, 6], 0));
}

#[test]
fn a_waiting_rule_says_when_it_is_due() {
    let mut law = law(Direction::Rising, 100.0, 90.0);
    law.cool_down = SECOND * 5;
    let (_, state) = firings(&law, &[0.0, 100.0, 0.0]);
    assert_eq!(law.due(&state), None);
    let (_, state) = firings(&law, &[0.0, 100.0, 0.0, 100.0]);
    assert_eq!(law.due(&state), Some(SECOND * 6));
}

#[test]
fn after_its_last_firing_a_rule_only_counts() {
    let mut law = law(Direction::Rising, 100.0, 90.0);
    law.at_most = 2;
    let (fired, state) = firings(&law, &[100.0, 0.0, 100.0, 0.0, 100.0, 100.0, 0.0, 100.0]);
    assert_eq!((fired, state.suppressed_by_cap), (vec![0, 2], 2));
    assert!(!law.watches_a_rise(&state, SECOND * 100));
}

#[test]
fn only_a_rule_that_could_fire_wants_the_alarm() {
    let mut law = law(Direction::Rising, 100.0, 90.0);
    law.cool_down = SECOND * 5;
    let mut state = law.start();
    assert!(law.watches_a_rise(&state, Duration::ZERO));
    law.judge(&mut state, 100.0, Duration::ZERO);
    assert!(!law.watches_a_rise(&state, SECOND * 9), "not clear yet");
    law.judge(&mut state, 0.0, SECOND);
    assert!(!law.watches_a_rise(&state, SECOND * 4), "cools down");
    assert!(law.watches_a_rise(&state, SECOND * 5));
    law.direction = Direction::Falling;
    assert!(!law.watches_a_rise(&state, SECOND * 5));
}

#[test]
fn a_trigger_fires_each_time_it_is_pulled() {
    let law = Law::of_a_trigger(Duration::ZERO, 3);
    let mut state = law.start();
    let pulls = [false, true, true, false, true, true, true];
    let fired = pulls.map(|pulled| law.judge_trigger(&mut state, pulled, Duration::ZERO));
    let expected = [false, true, true, false, true, false, false];
    assert_eq!(fired.map(|verdict| verdict == Verdict::Fires), expected);
    assert_eq!(state.suppressed_by_cap, 2);
}

#[test]
fn a_trigger_pulled_during_its_cool_down_fires_after_it() {
    let law = Law::of_a_trigger(SECOND * 5, u64::MAX);
    let mut state = law.start();
    let mut judge = |pulled, second| law.judge_trigger(&mut state, pulled, SECOND * second);
    assert_eq!(judge(true, 0), Verdict::Fires);
    assert_eq!(judge(true, 1), Verdict::Quiet);
    assert_eq!(judge(false, 4), Verdict::Quiet);
    assert_eq!(judge(false, 5), Verdict::Fires);
    assert_eq!(judge(false, 10), Verdict::Quiet);
}

/// Says from all readings so far, and nothing remembered between calls, at which of them the rule fires.
///
/// A *stretch* is what lies between two readings that are clear. A rule fires in a stretch at the first reading past the
/// threshold that comes after the cool-down; once, and not in the stretch before the first clear reading if it falls.
fn naive(law: &Law, readings: &[(Duration, f64)]) -> (Vec<Duration>, u64, u64) {
    let rises = law.direction == Direction::Rising;
    let is_past = |value: f64| {
        if rises {
            value >= law.threshold
        } else {
            value <= law.threshold
        }
    };
    let is_clear = |value: f64| {
        let beyond = if rises {
            value <= law.clear_at
        } else {
            value >= law.clear_at
        };
        beyond && !is_past(value) && !value.is_nan()
    };
    let mut fired: Vec<Duration> = Vec::new();
    let (mut by_cool_down, mut by_cap) = (0, 0);
    let stretches: Vec<_> = readings.split(|&(_, value)| is_clear(value)).collect();
    for (index, stretch) in stretches.iter().enumerate() {
        if index == 0 && !rises {
            continue;
        }
        let past = || stretch.iter().filter(|(_, value)| is_past(*value));
        let last = fired.last().copied();
        if fired.len() as u64 >= law.at_most {
            by_cap += u64::from(past().next().is_some());
        } else if let Some(&(at, _)) =
            past().find(|(at, _)| last.is_none_or(|last| *at >= last + law.cool_down))
        {
            fired.push(at);
        } else if past().next().is_some() && index + 1 < stretches.len() {
            by_cool_down += 1;
        }
    }
    (fired, by_cool_down, by_cap)
}

#[test]
fn rules_agree_with_a_naive_model() {
    let seed = std::env::var("UNKAI_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0x5eed_u64);
    println!("UNKAI_SEED={seed}");
    let mut below = random::below(seed);
    let mut firings = 0;
    for round in 0..20_000 {
        let threshold = 10.0 + below(10) as f64;
        let gap = below(5) as f64;
        let (direction, clear_at) = if below(2) == 0 {
            (Direction::Rising, threshold - gap)
        } else {
            (Direction::Falling, threshold + gap)
        };
        let law = Law {
            direction,
            threshold,
            clear_at,
            cool_down: Duration::from_millis(below(3) * 1500),
            at_most: if below(3) == 0 {
                below(4) + 1
            } else {
                u64::MAX
            },
        };
        let mut now = Duration::ZERO;
        let readings: Vec<_> = (0..below(40))
            .map(|_| {
                now += Duration::from_millis(below(2000));
                let value = below(31) as f64;
                (now, if below(20) == 0 { f64::NAN } else { value })
            })
            .collect();
        let mut state = law.start();
        let fires =
            |&&(now, value): &&(Duration, f64)| law.judge(&mut state, value, now) == Verdict::Fires;
        let fired: Vec<_> = readings.iter().filter(fires).map(|&(now, _)| now).collect();
        let counts = (
            fired,
            state.suppressed_by_cool_down,
            state.suppressed_by_cap,
        );
        assert_eq!(
            counts,
            naive(&law, &readings),
            "round {round}: {law:?} {readings:?}"
        );
        firings += counts.0.len();
    }
    assert!(firings > 20_000, "the model was put to the test: {firings}");
}

/// A clock that jumps makes a rule fire late or early; it never makes it fire more often than it may, or twice without a clear
/// reading in between, and nothing overflows.
#[test]
fn a_clock_that_jumps_breaks_no_rule() {
    let mut below = random::below(0xc10c);
    let mut firings = 0;
    for _ in 0..2000 {
        let mut law = law(Direction::Rising, 10.0, 5.0);
        law.cool_down = [Duration::ZERO, SECOND, Duration::MAX][below(3) as usize];
        law.at_most = 1 + below(20);
        let mut state = law.start();
        let mut armed = true;
        for _ in 0..100 {
            let now = match below(6) {
                0 => Duration::ZERO,
                1 => Duration::MAX,
                2 => Duration::from_nanos(u64::MAX),
                _ => Duration::from_millis(below(10_000)),
            };
            let reading = below(20) as f64;
            let fires = law.judge(&mut state, reading, now) == Verdict::Fires;
            assert!(!fires || armed && reading >= 10.0);
            armed = (armed && !fires) || reading <= 5.0;
            assert!(law.due(&state).is_none_or(|due| due >= law.cool_down));
            law.watches_a_rise(&state, now);
        }
        assert!(state.fired <= law.at_most);
        firings += state.fired;
    }
    assert!(firings > 5000, "{firings}");
}
