//! The program that is killed: it answers requests, and keeps what it should not.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use unkai::watch::{Dump, Quantity, Rule, Watcher};

use super::limit;

/// The argument that makes it this program.
pub(crate) const CHILD: &str = "--until-killed";

/// Works until it is killed. The arguments: how it comes by its limit, and where dumps go.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Box<dyn Error>> {
    let (how, what) = (arguments.next(), arguments.next());
    limit::take(how.as_deref(), what.as_deref())?;
    let folder = arguments.next().ok_or("no folder for dumps was named")?;
    let keeps = arguments.next().ok_or("it was not said how much to keep")?;

    // These lines are all that a program needs for it.
    let nearly_full = Quantity::ShareOfLimit.rises_to(0.9);
    let rule = Rule::new("near-oom", nearly_full).dump(Dump::to(folder)?);
    let _watching = Watcher::new()
        .every(Duration::from_millis(100))
        .rule(rule)
        .start()?;

    let mut service = Service {
        keeps: keeps.parse()?,
        ..Service::default()
    };
    for number in 0.. {
        service.serve(number);
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts words, and holds on to every request.
#[derive(Default)]
struct Service {
    words: HashMap<String, u64>,
    log: Vec<Vec<u8>>,
    /// Bytes of each entry of the log, about.
    keeps: usize,
}

impl Service {
    fn serve(&mut self, number: u64) {
        let request = request(number);
        self.answer(&request);
        self.remember(&request);
    }

    /// Some memory that comes and goes, and some that stays and is small.
    fn answer(&mut self, request: &str) {
        let words: Vec<String> = request.split(' ').map(str::to_uppercase).collect();
        for word in words.iter().take(4) {
            *self.words.entry(word.clone()).or_default() += 1;
        }
        black_box(words);
    }

    /// "For debugging, until next week."
    #[inline(never)]
    fn remember(&mut self, request: &str) {
        let times = self.keeps / request.len();
        self.log.push(request.as_bytes().repeat(times));
    }
}

fn request(number: u64) -> String {
    let words = ["find", "the", "price", "of", "each", "book", "on", "shelf"];
    format!("{} {}", words.join(" "), number % 100)
}
