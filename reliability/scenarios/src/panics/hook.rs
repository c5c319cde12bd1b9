//! What a panic hook may do: allocate, take a snapshot, make a report. The process is aborted afterwards, with other threads at work.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::describe::{Format, Names, describe};
use crate::heap::Heap;
use crate::load::{Load, churn};

/// Says nothing, but formats what it would say.
#[cfg_attr(
    panic = "abort",
    expect(dead_code, reason = "no panic is survived then")
)]
pub(crate) fn be_silent() {
    panic::set_hook(Box::new(|panicked| {
        drop(std::hint::black_box(panicked.to_string()));
    }));
}

static REPORTED: AtomicBool = AtomicBool::new(false);

/// Ends by `SIGABRT`, if all of that was done; by another signal if not.
pub(crate) fn play(heap: &'static dyn Heap) {
    super::twice::abort_only_if(&REPORTED);
    let _load = Load::start(2, 8);
    churn(1, 1000);
    panic::set_hook(Box::new(move |panicked| {
        let words = panicked.to_string();
        for format in Format::ALL {
            describe(heap, Names::LeftOut, format);
        }
        describe(heap, Names::Found, Format::Text);
        assert!(words.contains("on a thread"));
        REPORTED.store(true, SeqCst);
        std::process::abort();
    }));
    let thread = std::thread::spawn(|| panic!("on a thread"));
    drop(thread.join());
}
