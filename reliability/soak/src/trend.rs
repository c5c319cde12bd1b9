//! Whether a number grows: the slope of Theil and Sen, with an interval that holds with a stated confidence.
//!
//! The slope is the median of the slopes between every two points, so a few points that lie far off do not move it. The
//! interval is that of Kendall's test (Sen 1968): it takes no distribution for granted, but that what is left besides the
//! trend is independent from point to point.

use serde::Serialize;

/// A slope, in units of the number for each second.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Trend {
    /// The median slope.
    pub(crate) slope: f64,
    /// The true slope lies above this with a confidence of 99.5 %.
    pub(crate) at_least: f64,
    /// The true slope lies below this with a confidence of 99.5 %.
    pub(crate) at_most: f64,
}

/// The normal distribution's quantile for 99.5 % on one side: 99 % that the slope lies in the interval.
const Z: f64 = 2.576;

impl Trend {
    /// Of points (seconds, value), in the order of time. `None` for fewer than four.
    pub(crate) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let number = points.len();
        if number < 4 {
            return None;
        }
        let mut slopes = Vec::with_capacity(number * (number - 1) / 2);
        for (index, (later, high)) in points.iter().enumerate() {
            for (earlier, low) in &points[..index] {
                slopes.push((high - low) / (later - earlier));
            }
        }
        slopes.sort_by(f64::total_cmp);
        let count = slopes.len() as f64;
        let n = number as f64;
        // Kendall's variance. Ties would make it smaller, and so the interval narrower: they are left out, to be safe.
        let width = Z * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
        Some(Self {
            slope: median(&mut slopes.clone())?,
            at_least: at(((count - width) / 2.0).floor()),
            at_most: at(((count + width) / 2.0).ceil()),
        })
    }
}

/// Sorts `numbers`; `None` if there are none.
pub(crate) fn median(numbers: &mut [f64]) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        length if length % 2 == 1 => Some(numbers[middle]),
        _ => Some(f64::midpoint(numbers[middle - 1], numbers[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Noise of about ±1.7 around a line.
    fn points(number: usize, slope: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut random = Random::new(seed);
        let mut noise = || {
            (0..12)
                .map(|_| random.below(1000) as f64 / 1000.0 - 0.5)
                .sum::<f64>()
        };
        (0..number)
            .map(|index| (index as f64, slope * index as f64 + noise()))
            .collect()
    }

    #[test]
    fn the_interval_holds_the_slope_as_often_as_it_says() {
        // 99 % each: of 2000 runs 20 misses are expected, with a standard deviation of 4.4. Kendall's approximation is
        // conservative for few points, so there is no lower bound.
        for number in [14, 60] {
            let misses = (0..2000)
                .filter(|&seed| {
                    let trend = Trend::of(&points(number, 0.25, seed)).expect("enough points");
                    !(trend.at_least..=trend.at_most).contains(&0.25)
                })
                .count();
            assert!(
                misses <= 38,
                "{misses} of 2000 runs with {number} points missed (seeds from 0)"
            );
        }
    }

    #[test]
    fn points_far_off_do_not_move_it() {
        let mut points = points(60, 0.0, 7);
        for index in [3, 30, 58, 59] {
            points[index].1 += 1e6;
        }
        let trend = Trend::of(&points).expect("enough points");
        assert!(trend.at_least < 0.0 && trend.at_most < 1.0, "{trend:?}");
    }

    #[test]
    fn steps_that_go_on_are_growth_and_one_step_is_not_much() {
        let stairs: Vec<_> = (0..60)
            .map(|index| (f64::from(index), f64::from(index / 5)))
            .collect();
        assert!(Trend::of(&stairs).expect("enough points").at_least > 0.15);
        let one: Vec<_> = (0..60)
            .map(|index| (f64::from(index), f64::from(index / 50)))
            .collect();
        assert_eq!(Trend::of(&one).expect("enough points").at_least, 0.0);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
