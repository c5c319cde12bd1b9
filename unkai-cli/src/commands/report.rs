//! `unkai report`: everything, as text.

use std::path::PathBuf;

use clap::Args;
use unkai_report::text;

use crate::arguments::examples;
use crate::failure::Failure;
use crate::input;
use crate::output::Output;
use crate::terminal::Layout;

/// Show a whole profile: totals, top sites, call tree, lifetimes, losses
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The profile; "-" is standard input
    profile: PathBuf,
    /// Sites in each table at most [default: 10]
    #[arg(
        short = 'n',
        long = "number",
        value_name = "N",
        default_value_t = 10,
        hide_default_value = true
    )]
    number: usize,
    /// Leave out of the call tree what has a smaller share [default: 1]
    #[arg(long, value_name = "PERCENT", default_value = "1", hide_default_value = true, value_parser = percent)]
    min_share: f64,
    #[command(flatten)]
    layout: Layout,
}

const EXAMPLES: &str = examples!(
    "  unkai report heap.json | less
  unkai report heap.json --width 160 -n 30 --min-share 0.1"
);

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = input::profile(&arguments.profile)?;
    let output = Output::Standard;
    let options = arguments
        .layout
        .text(&output)
        .top_sites(arguments.number)
        .min_share(arguments.min_share / 100.0);
    output.put(|mut out| text::write(&report, &options, &mut out))
}

fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim_end().parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0 to 100 is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_is_read_as_it_is_written() {
        for thousandths in 0..=100_000 {
            let share = f64::from(thousandths) / 1000.0;
            for text in [
                format!("{share}"),
                format!("{share:.3}%"),
                format!("{share} %"),
            ] {
                assert_eq!(percent(&text), Ok(share), "{text}");
            }
        }
    }

    /// All texts of up to four characters that numbers, and what looks like one, are made of.
    #[test]
    fn whatever_is_read_is_a_share() {
        let alphabet = b"01.9-+eEinfNa %";
        let longer = |text: &String| alphabet.map(|byte| format!("{text}{}", char::from(byte)));
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            texts = texts.iter().flat_map(longer).collect();
            for text in &texts {
                if let Ok(share) = percent(text) {
                    assert!((0.0..=100.0).contains(&share), "{text}");
                    let number = text.trim_end_matches(['%', ' ']);
                    assert_eq!(number.parse(), Ok(share), "{text}");
                }
            }
        }
        for text in ["", "%", "NaN", "inf", "-1", "100.1", "1e3", "0x1", "١"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
