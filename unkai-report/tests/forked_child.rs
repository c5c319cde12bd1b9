//! A child that was forked while its parent named functions does not wait for that to end, and says why it has no names.

#![cfg(all(target_os = "linux", feature = "json"))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::SystemTime;

use unkai_core::{Site, Snapshot};
use unkai_report::{NameCache, Report, ResolveLimit, SourceFunction, json, text};

/// A child that takes longer is ended by the system.
const SECONDS: u32 = 20;

#[test]
fn a_child_does_not_wait_for_a_thread_that_names_in_its_parent() {
    let mut snapshot = Snapshot::empty(SystemTime::now());
    let mut stack = Vec::new();
    backtrace::trace(|frame| {
        stack.push(frame.ip() as u64);
        false
    });
    snapshot.sites.push(Site::new(2, stack));

    let (begins, has_begun) = channel();
    let (end, ends) = channel();
    let cache = Arc::new(NameCache::by(move |_| {
        begins.send(()).expect("the test waits for it");
        ends.recv().expect("the test ends it");
        vec![SourceFunction {
            name: "my_app::slow".to_owned(),
            ..SourceFunction::default()
        }]
    }));
    let naming = thread::spawn({
        let (cache, snapshot) = (Arc::clone(&cache), snapshot.clone());
        move || cache.learn_now(&snapshot)
    });
    has_begun.recv().expect("a thread that names");
    in_a_child(|| {
        cache.learn(&snapshot);
        cache.learn_now(&snapshot);
        assert!(cache.report(snapshot.clone()).symbols().is_empty());

        let report = Report::new(snapshot.clone());
        let cost = report.symbols().cost().expect("it was to be named");
        assert_eq!((cost.addresses, cost.named), (1, 0));
        assert_eq!(cost.stopped_by, Some(ResolveLimit::Fork));
        let mut words = Vec::new();
        text::write(&report, &text::Options::new(), &mut words).expect("a Vec takes it");
        let words = String::from_utf8(words).expect("text");
        assert!(
            words.contains("was forked while its parent was naming"),
            "{words}"
        );
        let mut document = Vec::new();
        json::write(&report, &json::Options::new(), &mut document).expect("a Vec takes it");
        let read = json::read(&document[..]).expect("a document of our own is valid");
        assert_eq!(read.symbols().cost(), Some(cost));
    });
    end.send(()).expect("a thread that names");
    naming.join().expect("a thread that names");
    assert!(!cache.report(snapshot.clone()).symbols().is_empty());

    // Nobody names now: a child does as its parent.
    in_a_child(|| {
        let report = Report::new(snapshot.clone());
        let cost = report.symbols().cost().expect("it was named");
        assert_eq!((cost.addresses, cost.named, cost.stopped_by), (1, 1, None));
        assert!(!cache.report(snapshot.clone()).symbols().is_empty());
    });
}

fn in_a_child(work: impl FnOnce()) {
    // SAFETY: the child goes on with this thread alone, and ends within this call. No other thread is inside an allocator of
    // which the child would need a lock but that of the C library, which sees to it.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no child");
    if child == 0 {
        // SAFETY: has the system end this process after a while.
        unsafe { libc::alarm(SECONDS) };
        let done = catch_unwind(AssertUnwindSafe(work));
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(i32::from(done.is_err())) }
    }
    let mut status = 0;
    // SAFETY: our child, not yet waited for; `status` is room for the answer.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(
        status, 0,
        "the status of the child; 14 if it waited in vain"
    );
}
