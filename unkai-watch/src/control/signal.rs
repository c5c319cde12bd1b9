//! Which signal asks for a report.

use super::words::{list, nearest, quoted};

/// A signal that programs may use as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal(i32);

impl Signal {
    /// Reads `USR1`, `SIGUSR1` or a number.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let number = number_of(name).ok_or_else(|| unknown(text, name))?;
        if let Some((taken, _, why)) = TAKEN.iter().find(|(_, taken, _)| *taken == number) {
            return Err(format!("SIG{taken} {why}: use {}", free()));
        }
        if FREE.iter().any(|(_, free)| *free == number) || is_real_time(number) {
            Ok(Self(number))
        } else {
            Err(unknown(text, name))
        }
    }

    pub(super) fn number(self) -> i32 {
        self.0
    }
}

fn number_of(name: &str) -> Option<i32> {
    let taken = TAKEN.iter().map(|(name, number, _)| (*name, *number));
    let mut known = FREE.iter().copied().chain(taken);
    let by_name = known.find(|(known, _)| *known == name);
    let number = by_name.map(|(_, number)| number);
    number.or_else(|| name.parse().ok())
}

fn unknown(text: &str, name: &str) -> String {
    let text = quoted(text);
    match nearest(name, FREE.iter().map(|(name, _)| *name)) {
        Some(meant) => format!("there is no signal {text}, did you mean {meant}?"),
        None if FREE.is_empty() => "this system has no signals for programs".to_owned(),
        None => format!("there is no signal {text}: use {}", free()),
    }
}

/// The signals to choose from.
fn free() -> String {
    let names = FREE.iter().map(|(name, _)| (*name).to_owned());
    let numbers = real_time().map(|(least, most)| format!("{least} to {most}"));
    let all: Vec<String> = names.chain(numbers).collect();
    list(all.iter().map(String::as_str), "or")
}

fn is_real_time(number: i32) -> bool {
    real_time().is_some_and(|(least, most)| (least..=most).contains(&number))
}

#[cfg(target_os = "linux")]
fn real_time() -> Option<(i32, i32)> {
    Some((libc::SIGRTMIN(), libc::SIGRTMAX()))
}

#[cfg(not(target_os = "linux"))]
fn real_time() -> Option<(i32, i32)> {
    None
}

/// Signals that have no meaning but what a program gives them.
#[cfg(unix)]
const FREE: &[(&str, i32)] = &[
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("HUP", libc::SIGHUP),
    ("WINCH", libc::SIGWINCH),
];

/// Signals that a report would be in the way of, and why.
#[cfg(unix)]
const TAKEN: &[(&str, i32, &str)] = &[
    ("KILL", libc::SIGKILL, UNCATCHABLE),
    ("STOP", libc::SIGSTOP, UNCATCHABLE),
    ("SEGV", libc::SIGSEGV, FAULT),
    ("BUS", libc::SIGBUS, FAULT),
    ("FPE", libc::SIGFPE, FAULT),
    ("ILL", libc::SIGILL, FAULT),
    ("TRAP", libc::SIGTRAP, FAULT),
    ("SYS", libc::SIGSYS, FAULT),
    ("ABRT", libc::SIGABRT, FAULT),
    ("TERM", libc::SIGTERM, ENDS),
    ("INT", libc::SIGINT, ENDS),
    ("QUIT", libc::SIGQUIT, ENDS),
    ("PIPE", libc::SIGPIPE, SYSTEM),
    ("ALRM", libc::SIGALRM, SYSTEM),
    ("VTALRM", libc::SIGVTALRM, SYSTEM),
    ("PROF", libc::SIGPROF, SYSTEM),
    ("CHLD", libc::SIGCHLD, SYSTEM),
    ("CONT", libc::SIGCONT, SYSTEM),
    ("TSTP", libc::SIGTSTP, SYSTEM),
    ("TTIN", libc::SIGTTIN, SYSTEM),
    ("TTOU", libc::SIGTTOU, SYSTEM),
    ("URG", libc::SIGURG, SYSTEM),
    ("IO", libc::SIGIO, SYSTEM),
    ("XCPU", libc::SIGXCPU, SYSTEM),
    ("XFSZ", libc::SIGXFSZ, SYSTEM),
];

#[cfg(not(unix))]
const FREE: &[(&str, i32)] = &[];

#[cfg(not(unix))]
const TAKEN: &[(&str, i32, &str)] = &[];

#[cfg(unix)]
const UNCATCHABLE: &str = "cannot be caught";
#[cfg(unix)]
const FAULT: &str = "comes with a fault of the program, in which no report can be written";
#[cfg(unix)]
const ENDS: &str = "ends programs, and would no longer";
#[cfg(unix)]
const SYSTEM: &str = "has a meaning of its own";

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_name_and_number() {
        for text in ["USR1", "SIGUSR1", "sigusr1", &libc::SIGUSR1.to_string()] {
            assert_eq!(Signal::read(text), Ok(Signal(libc::SIGUSR1)), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_time_signal_is_known_by_its_number() {
        let number = libc::SIGRTMIN() + 3;
        assert_eq!(Signal::read(&number.to_string()), Ok(Signal(number)));
        // Those below the first are the C library's.
        assert!(Signal::read("32").is_err());
    }

    #[test]
    fn every_signal_that_the_registry_refuses_is_refused_here() {
        for signal in signal_hook_registry::FORBIDDEN {
            assert!(Signal::read(&signal.to_string()).is_err(), "{signal}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_used_says_why() {
        let use_ = "use USR1, USR2, HUP, WINCH or 34 to 64";
        let cases = [
            ("KILL", format!("SIGKILL cannot be caught: {use_}")),
            ("9", format!("SIGKILL cannot be caught: {use_}")),
            (
                "sigterm",
                format!("SIGTERM ends programs, and would no longer: {use_}"),
            ),
            (
                "USR3",
                "there is no signal `USR3`, did you mean USR1?".to_owned(),
            ),
            ("banana", format!("there is no signal `banana`: {use_}")),
            ("-1", format!("there is no signal `-1`: {use_}")),
            (
                "99999999999",
                format!("there is no signal `99999999999`: {use_}"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Signal::read(text), Err(expected));
        }
    }
}
