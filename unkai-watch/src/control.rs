//! Control of a program from outside, without a new build: by environment variables and a signal.
//!
//! Nothing happens by itself. A program opts in with one call at its start, and from then on whoever operates it can turn
//! sampling off or make it denser, state rules, and ask for reports:
//!
//! ```no_run
//! use unkai_watch::control;
//!
//! fn main() {
//!     let _control = match control::from_env() {
//!         Ok(control) => Some(control),
//!         // The program goes on as if no variable were set.
//!         Err(error) => {
//!             eprintln!("{error}");
//!             None
//!         }
//!     };
//! }
//! ```
//!
//! | variable | for example | does |
//! |---|---|---|
//! | `UNKAI` | `off` | pauses sampling; totals stay exact. `on` goes on |
//! | `UNKAI_INTERVAL` | `1MiB` | bytes between two samples; `every` for every block, `off` for none |
//! | `UNKAI_REPORT_AT_EXIT` | `/var/tmp/heap-%p.html` | writes a report when the program ends, in the format of the extension |
//! | `UNKAI_REPORTS` | `/var/reports,html,keep=5,max=64MiB` | where rules and the signal write reports |
//! | `UNKAI_SIGNAL` | `USR1` | writes a report to `UNKAI_REPORTS` at each such signal |
//! | `UNKAI_RULES` | `big: live > 2GiB -> report, log` | [rules](#rules) |
//!
//! A variable that is empty is not set. One that is malformed, or whose name is none of these, is an error, and then none
//! is applied: [`EnvError`] lists all that is wrong. `UNKAI_HTTP` is left to `unkai_http::from_env`. A program that has the same
//! strings from elsewhere, say a file, uses [`Settings`].
//!
//! A program with more rights than whoever starts it, such as one that is set-user-ID, takes all of them for not set: they
//! would have it write files, with its rights, for somebody who has none of these.
//!
//! # The report at exit
//! It is written when `main` returns or `exit` is called, by libc's `atexit`. Not when the process aborts, is killed, or
//! calls `_exit`; not in a forked child, unless the child calls [`from_env`] itself. In the path, `%p` is the process's
//! number, `%t` the time in UTC, as in `20261122T235959.123Z`, `%%` a percent sign. If it cannot be written, one line on standard error
//! says why: nobody is left to be told in another way.
//!
//! # The signal
//! `USR1`, `SIGUSR2` or `12`: of those signals that are free for programs, `HUP`, `USR1`, `USR2`, `WINCH`, and on Linux
//! `RTMIN` to `RTMAX`. Handlers that the program has set before are still called; those that it sets later through
//! `signal-hook`, `tokio` and the like are too. Signals that come while a report is being written ask for one more in all.
//!
//! # Rules
//! Rules are separated by `;`. White space is free.
//!
//! ```text
//! big: live > 2GiB -> report, log; leak: growth(10m) > 500MiB cooldown 1h max 5 -> report(html)
//! ```
//!
//! ```text
//! rules     = rule { ";" rule }
//! rule      = [ name ":" ] quantity ( ">" | "<" ) value { option } [ "->" action { "," action } ]
//! quantity  = "live" | "rss" | "share" | "limit" | "site" | "growth" "(" time ")" | "rate" "(" time ")"
//! value     = size            of live, rss, site and growth
//!           | number "%"      of share and limit
//!           | size "/s"       of rate
//! option    = "clear" value | "cooldown" time | "max" number
//! action    = "report" [ "(" format ")" ] | "dump" | "log" | "closer" "(" size "," time ")"
//! size      = number [ "B" | "KiB" | "MiB" | "GiB" | "TiB" | "kB" | "MB" | "GB" | "TB" ]
//! time      = number ( "ms" | "s" | "m" | "h" | "d" )
//! ```
//!
//! | word | is | see |
//! |---|---|---|
//! | `live` | bytes that are allocated and not freed | [`Quantity::LiveBytes`](crate::Quantity::LiveBytes) |
//! | `rss` | bytes of physical memory | [`Quantity::ResidentBytes`](crate::Quantity::ResidentBytes) |
//! | `share` | how much is taken of the memory there may be | [`Quantity::ShareOfLimit`](crate::Quantity::ShareOfLimit) |
//! | `limit` | live bytes, of the limit that the program has set itself | [`Quantity::ShareOfProcessLimit`](crate::Quantity::ShareOfProcessLimit) |
//! | `site` | live bytes of the largest call stack | [`Quantity::LargestSiteBytes`](crate::Quantity::LargestSiteBytes) |
//! | `growth(10m)` | by how much live bytes have grown within 10 minutes | [`Quantity::Growth`](crate::Quantity::Growth) |
//! | `rate(10s)` | bytes allocated each second, over 10 seconds | [`Quantity::AllocationRate`](crate::Quantity::AllocationRate) |
//! | `clear 1GiB` | it fires again only after the quantity was back here | [`Rule::clear_at`](crate::Rule::clear_at) |
//! | `cooldown 1h` | the least time between two firings | [`Rule::cool_down`](crate::Rule::cool_down) |
//! | `max 5` | how often it fires at most | [`Rule::at_most`](crate::Rule::at_most) |
//! | `report(json)` | a report in `UNKAI_REPORTS`, in this format instead of the directory's | [`Format`](crate::Format) |
//! | `dump` | a profile in `UNKAI_REPORTS` for which no memory is needed | [`Dump`](crate::Dump) |
//! | `log` | a line to the `log` crate, with the feature `log` | [`Event`](crate::Event) |
//! | `closer(64KiB, 60s)` | a sample every 64 KiB for a minute | [`Rule::look_closer`](crate::Rule::look_closer) |
//!
//! A rule without actions writes a report, and logs with the feature `log`. One without a name is called by its quantity.

mod amount;
mod error;
mod exit;
mod handle;
#[cfg(all(unkai_internals, target_os = "linux"))]
pub(crate) mod internals;
mod path;
mod plan;
mod rules;
mod settings;
mod signal;
mod start;
mod sys;
mod words;

#[cfg(test)]
mod tests;

use unkai_core::environment;

pub use error::{EnvError, Problem};
pub use handle::Control;
pub use rules::{RulesError, RulesProblem};
pub use settings::Settings;

/// Does what the environment variables of this process say: see the [module](self).
///
/// Costs nothing if none is set, and does nothing where the environment is not
/// [trusted](unkai_core::environment::is_trusted). To be called once, early in `main`.
///
/// # Errors
/// [`EnvError`] if a variable is malformed or unknown, or what it asks for is not possible. Then nothing is changed.
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let control = unkai_watch::control::from_env()?;
///     if let Some(watching) = control.watching() {
///         println!("{:?}", watching.status());
///     }
///     Ok(())
/// }
/// ```
pub fn from_env() -> Result<Control, EnvError> {
    let variables = environment::is_trusted().then(std::env::vars_os);
    Settings::from_vars(variables.into_iter().flatten()).start()
}
