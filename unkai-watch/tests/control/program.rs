//! The program that is controlled: what a user would write, and a way to end for each test.

use std::hint::black_box;
use std::io::{BufRead, stdin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use unkai_core::process;
use unkai_watch::control::{self, Control};

pub(super) const ARGUMENT: &str = "--program";

/// What is leaked between two looks at the numbers.
pub(super) const LEAK_BYTES: usize = 16 << 20;

static HANDLED: AtomicU32 = AtomicU32::new(0);

pub(super) fn run(role: &str) {
    if role == "own handler" {
        handle_usr1();
    }
    let control = match control::from_env() {
        Ok(control) => Some(control),
        Err(error) => {
            eprintln!("{error}");
            None
        }
    };
    let before = process::totals();
    let sampled_before = sampled_bytes();
    leak_here();
    let leaked = process::totals().allocated.bytes - before.allocated.bytes;
    println!("leaked {leaked}");
    println!("sampled {}", sampled_bytes() - sampled_before);
    println!("sampling {:?}", process::sampling());
    println!(
        "watching {}",
        control
            .as_ref()
            .is_some_and(|control| control.watching().is_some())
    );
    if role == "fork with control" {
        // The watcher sleeps after that: a fork must not find it at work.
        control.iter().for_each(wait_for_the_rule);
    }
    // Dropping it changes nothing.
    drop(control);
    match role {
        "return" => {}
        "exit" => std::process::exit(3),
        "exit on a thread" => {
            let thread = std::thread::Builder::new().stack_size(32 << 10);
            let thread = thread.spawn(|| std::process::exit(4)).unwrap();
            drop(thread.join());
        }
        "panic" => panic!("as it was told to"),
        "abort" => std::process::abort(),
        "fork" => fork(|| {}),
        "fork with control" => fork(|| wait_for_the_rule(&control::from_env().unwrap())),
        "own handler" | "wait" => {
            // Goes on until it is told to end.
            for line in stdin().lock().lines().map_while(Result::ok) {
                match &*line {
                    "leak" => leak_here(),
                    "handled" => println!("handled {}", HANDLED.load(Ordering::SeqCst)),
                    _ => break,
                }
            }
        }
        other => panic!("there is no role {other}"),
    }
}

/// Its name is to be found in reports.
#[inline(never)]
fn leak_here() {
    for _ in 0..16 {
        black_box(Vec::leak(vec![1u8; LEAK_BYTES / 16]));
    }
}

fn sampled_bytes() -> u64 {
    let snapshot = process::snapshot(&unkai_core::Config::new());
    let bytes: f64 = snapshot.sites.iter().map(|site| site.live.bytes).sum();
    bytes as u64
}

/// Forks a child that does `work`, ends by `exit`, and is waited for.
fn fork(work: impl FnOnce()) {
    // SAFETY: no other thread holds a lock that the child needs: there are none but a watcher that is asleep.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        work();
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: the child is ours, and `status` is written to before this returns.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(waited, child);
    assert_eq!(status, 0, "the child failed");
    println!("child {child}");
}

/// Waits until the first rule has fired, if there is one.
fn wait_for_the_rule(control: &Control) {
    let limit = Instant::now() + Duration::from_secs(60);
    let fired = || {
        control
            .watching()
            .map(|watching| watching.status().rules[0].fired)
    };
    while fired() == Some(0) {
        assert!(Instant::now() < limit, "the rule does not fire");
        thread::yield_now();
    }
}

fn handle_usr1() {
    extern "C" fn handle(_signal: i32) {
        HANDLED.fetch_add(1, Ordering::SeqCst);
    }
    let handle: extern "C" fn(i32) = handle;
    // SAFETY: the handler does nothing but add to an atomic.
    let before = unsafe { libc::signal(libc::SIGUSR1, handle as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
}
