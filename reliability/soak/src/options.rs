//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::plant::{self, Plant};

/// What the user asks for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) lasts: Duration,
    pub(crate) json: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) plant: Option<Plant>,
}

/// Which half-minutes are too short for a trend.
const LEAST: Duration = Duration::from_secs(60);

impl Options {
    /// From the arguments of this process; what to say instead of a run, and whether that is an error, otherwise.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, (String, bool)> {
        let mut options = Self {
            lasts: Duration::from_secs(30 * 60),
            json: None,
            seed: 7,
            plant: None,
        };
        let mut arguments = arguments.peekable();
        let wrong = |words: String| (format!("soak: {words}\n\n{}", usage()), true);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| wrong(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--help" | "-h" => return Err((usage(), false)),
                "--json" => options.json = Some(value()?.into()),
                "--seed" => {
                    let seed = value()?;
                    options.seed = seed
                        .parse()
                        .map_err(|_| wrong(format!("a seed is a number, not `{seed}`")))?;
                }
                "--plant" => {
                    let name = value()?;
                    let plant = Plant::named(&name);
                    options.plant =
                        Some(plant.ok_or_else(|| wrong(format!("no fault is called `{name}`")))?);
                }
                minutes => {
                    let parsed: Option<f64> = minutes.parse().ok();
                    let lasts =
                        parsed.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok());
                    options.lasts = lasts.filter(|lasts| *lasts >= LEAST).ok_or_else(|| {
                        wrong(format!(
                            "`{minutes}` is not a number of minutes, of which one is the least"
                        ))
                    })?;
                }
            }
        }
        Ok(options)
    }
}

fn usage() -> String {
    let mut text = "\
Puts mixed load on a heap that unkai profiles, makes reports, fires rules, scrapes, changes the sampling, all at once, and
finds out whether memory stays flat, totals stay exact, rules keep their word, and what allocations wait for.

usage: soak [MINUTES] [--json FILE] [--seed NUMBER] [--plant FAULT]

  MINUTES        how long; 30 if not given
  --json FILE    writes all figures there
  --seed NUMBER  what the load does; 7 if not given
  --plant FAULT  adds a fault of its own, to show that it is found: the run must then fail

Ends with status 0 if all is well, and with 1 if anything is not. Faults:
"
    .to_owned();
    for (name, words, _) in plant::ALL {
        text += &format!("  {name:<14} {words}\n");
    }
    text
}
