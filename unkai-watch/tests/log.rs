//! What a rule tells the `log` crate.
#![cfg(all(target_os = "linux", feature = "log"))]

use std::alloc::System;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use unkai_core::Config;
use unkai_global::UnkaiGlobalAlloc;
use unkai_watch::{Rule, Trigger, Watcher};

#[global_allocator]
static HEAP: UnkaiGlobalAlloc<System> = UnkaiGlobalAlloc::with_config(System, Config::new());

/// Passes on what is logged; the first time, it panics.
struct Logger(Mutex<(u64, Sender<Line>)>);

/// Level, target and text.
type Line = (Level, String, String);

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (
            record.level(),
            record.target().to_owned(),
            record.args().to_string(),
        );
        let times = {
            let mut state = self.0.lock().expect("it is not locked while it panics");
            state.0 += 1;
            _ = state.1.send(line);
            state.0
        };
        assert!(times > 1, "a logger of little use");
    }

    fn flush(&self) {}
}

#[test]
fn a_firing_is_logged_and_a_logger_that_panics_hurts_nobody() {
    let (tell, told) = channel();
    let logger = Box::leak(Box::new(Logger(Mutex::new((0, tell)))));
    log::set_logger(logger).expect("there is none yet");
    log::set_max_level(LevelFilter::Warn);
    let trigger = Trigger::new();
    let watching = Watcher::new()
        .rule(Rule::new("told", trigger.pulled()).log())
        .start()
        .expect("it starts");
    for firing in 1..=2 {
        trigger.pull();
        let (level, target, line) = told
            .recv_timeout(Duration::from_secs(30))
            .expect("it is logged");
        assert_eq!((level, target.as_str()), (Level::Warn, "unkai"));
        assert!(line.starts_with("told: asked for; live "), "{line}");
        assert_eq!(line.ends_with("fired 2 times"), firing == 2, "{line}");
    }
    let status = watching.status();
    let failed = status.rules[0]
        .actions
        .first()
        .expect("the logger has panicked");
    assert_eq!((failed.action, failed.failed), ("log", 1));
    assert_eq!(failed.last_error.as_deref(), Some("a logger of little use"));
    watching.stop();
}
