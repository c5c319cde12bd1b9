//! Rules that make no sense are refused before anything starts.

use std::time::Duration;

use unkai_core::MAX_INTERVAL;

use crate::condition::{Direction, Kind};
use crate::error::{RuleProblem, StartError};
use crate::judge::Law;
use crate::quantity::Unit;
use crate::rule::Rule;

/// The shortest time between two ticks.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest name of a rule.
const LONGEST_NAME: usize = 64;

/// What each rule demands, if all of them can be kept.
pub(crate) fn laws(every: Duration, rules: &[Rule]) -> Result<Vec<Law>, StartError> {
    if every < SHORTEST {
        return Err(StartError::EveryTooShort(every));
    }
    rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            let name = || rule.name.clone();
            if !is_fit_for_a_file(&rule.name) {
                return Err(StartError::Name(name()));
            }
            if rules[..index].iter().any(|other| other.name == rule.name) {
                return Err(StartError::DuplicateName(name()));
            }
            law(every, rule).map_err(|problem| StartError::Rule {
                name: name(),
                problem,
            })
        })
        .collect()
}

fn is_fit_for_a_file(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_fit)
}

fn law(every: Duration, rule: &Rule) -> Result<Law, RuleProblem> {
    if rule.at_most == 0 {
        return Err(RuleProblem::NeverFires);
    }
    if let Some(look) = rule.look {
        if !(1..=MAX_INTERVAL).contains(&look.interval) {
            return Err(RuleProblem::Interval(look.interval));
        }
        if look.lasts.is_zero() {
            return Err(RuleProblem::NoTime);
        }
    }
    let Kind::Crossing {
        quantity,
        direction,
        threshold,
    } = &rule.condition.kind
    else {
        return Ok(Law::of_a_trigger(rule.cool_down, rule.at_most));
    };
    let (direction, threshold) = (*direction, *threshold);
    if !threshold.is_finite() {
        return Err(RuleProblem::ThresholdNotFinite);
    }
    if threshold < 0.0 || threshold == 0.0 && direction == Direction::Rising {
        return Err(RuleProblem::ThresholdOutOfRange(threshold));
    }
    if quantity.unit() == Unit::Share && threshold > quantity.largest_share() {
        return Err(RuleProblem::ShareTooLarge(threshold));
    }
    if let Some(window) = quantity.window() {
        if window.is_zero() {
            return Err(RuleProblem::ZeroWindow);
        }
        if window < every {
            return Err(RuleProblem::WindowShorterThanTick { window, every });
        }
    }
    let clear_at = rule
        .clear_at
        .unwrap_or_else(|| Law::default_clear_at(direction, threshold));
    let is_on_its_side = match direction {
        Direction::Rising => clear_at <= threshold,
        Direction::Falling => clear_at >= threshold,
    };
    if !(clear_at.is_finite() && clear_at >= 0.0 && is_on_its_side) {
        return Err(RuleProblem::ClearAt(clear_at));
    }
    Ok(Law {
        direction,
        threshold,
        clear_at,
        cool_down: rule.cool_down,
        at_most: rule.at_most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quantity::{self, AllocationRate, Growth, LiveBytes, ShareOfLimit};

    const SECOND: Duration = Duration::from_secs(1);

    fn problem(rule: Rule) -> Option<RuleProblem> {
        match laws(SECOND, &[rule]) {
            Ok(_) => None,
            Err(StartError::Rule { problem, .. }) => Some(problem),
            Err(error) => panic!("{error}"),
        }
    }

    fn rises(quantity: Quantity, threshold: f64) -> Rule {
        Rule::new("r", quantity.rises_to(threshold))
    }

    #[test]
    fn thresholds_that_say_nothing_are_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let problem = problem(rises(LiveBytes, number));
            assert_eq!(problem, Some(RuleProblem::ThresholdNotFinite));
        }
        for number in [0.0, -1.0] {
            let expected = Some(RuleProblem::ThresholdOutOfRange(number));
            assert_eq!(problem(rises(LiveBytes, number)), expected);
        }
        assert_eq!(problem(Rule::new("r", LiveBytes.falls_to(0_u64))), None);
        assert_eq!(
            problem(rises(ShareOfLimit, 90.0)),
            Some(RuleProblem::ShareTooLarge(90.0))
        );
        assert_eq!(problem(rises(ShareOfLimit, 1.0)), None);
        assert_eq!(problem(rises(Quantity::ShareOfProcessLimit, 1.2)), None);
    }

    #[test]
    fn a_rule_is_clear_on_its_own_side() {
        for (rule, clear_at, fits) in [
            (LiveBytes.rises_to(100_u64), 100.0, true),
            (LiveBytes.rises_to(100_u64), 101.0, false),
            (LiveBytes.rises_to(100_u64), -1.0, false),
            (LiveBytes.falls_to(100_u64), 100.0, true),
            (LiveBytes.falls_to(100_u64), 99.0, false),
            (LiveBytes.falls_to(100_u64), f64::NAN, false),
        ] {
            let rule = Rule::new("r", rule).clear_at(clear_at);
            let problem = problem(rule);
            assert_eq!(problem.is_none(), fits, "{clear_at}: {problem:?}");
            if !fits {
                assert!(matches!(problem, Some(RuleProblem::ClearAt(_))));
            }
        }
    }

    #[test]
    fn windows_last_a_tick_at_least() {
        let zero = Duration::ZERO;
        let quantity = Growth { window: zero };
        assert_eq!(problem(rises(quantity, 1.0)), Some(RuleProblem::ZeroWindow));
        let window = SECOND / 2;
        let expected = RuleProblem::WindowShorterThanTick {
            window,
            every: SECOND,
        };
        assert_eq!(
            problem(rises(AllocationRate { window }, 1.0)),
            Some(expected)
        );
        assert_eq!(problem(rises(Growth { window: SECOND }, 1.0)), None);
    }

    #[test]
    fn what_would_never_happen_is_refused() {
        let rule = || rises(LiveBytes, 1.0);
        assert_eq!(problem(rule().at_most(0)), Some(RuleProblem::NeverFires));
        for interval in [0, MAX_INTERVAL + 1] {
            let expected = Some(RuleProblem::Interval(interval));
            assert_eq!(problem(rule().look_closer(interval, SECOND)), expected);
        }
        let look = rule().look_closer(1, Duration::ZERO);
        assert_eq!(problem(look), Some(RuleProblem::NoTime));
    }

    #[test]
    fn names_are_fit_for_files_and_differ() {
        let named = |names: &[&str]| {
            let rules: Vec<_> = names
                .iter()
                .map(|name| Rule::new(*name, LiveBytes.rises_to(1_u64)))
                .collect();
            laws(SECOND, &rules)
        };
        for name in [
            "",
            ".hidden",
            "a/b",
            "a b",
            "ü",
            "a\0b",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(
                matches!(named(&[name]), Err(StartError::Name(_))),
                "{name:?}"
            );
        }
        assert!(named(&["a-1_b.c", &"x".repeat(64)]).is_ok());
        assert!(matches!(
            named(&["a", "b", "a"]),
            Err(StartError::DuplicateName(name)) if name == "a"
        ));
    }

    #[test]
    fn ticks_are_a_millisecond_apart_at_least() {
        let short = Duration::from_micros(999);
        let refused = laws(short, &[]);
        assert!(matches!(refused, Err(StartError::EveryTooShort(every)) if every == short));
    }
}
