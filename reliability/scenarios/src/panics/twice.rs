//! A panic while another unwinds: the process is aborted, after destructors and hooks that allocate. So it is at the first one
//! in builds that do not unwind.

use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};

use crate::heap::{Heap, totals_are_exact};
use crate::load::churn;

static HOOKS: AtomicUsize = AtomicUsize::new(0);
static ALL_WELL: AtomicBool = AtomicBool::new(false);

/// One for each panic, and one for the panic that is not allowed to leave the destructor.
const PANICS: usize = if cfg!(panic = "abort") { 1 } else { 2 };

/// Ends by `SIGABRT`, if the totals were exact up to the last hook; by another signal if not.
pub(crate) fn play(heap: &'static dyn Heap) {
    abort_only_if(&ALL_WELL);
    panic::set_hook(Box::new(move |panicked| {
        churn(1, 500);
        drop(std::hint::black_box(panicked.to_string()));
        let hooks = HOOKS.fetch_add(1, SeqCst) + 1;
        if hooks == PANICS {
            totals_are_exact(heap, "in the last hook");
            ALL_WELL.store(true, SeqCst);
        }
    }));
    let _panics = Panics;
    panic!("the first");
}

struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        churn(2, 500);
        panic!("the second");
    }
}

static CONDITION: AtomicPtr<AtomicBool> = AtomicPtr::new(ptr::null_mut());

/// From now on `SIGABRT` ends this process only if `condition` is true; otherwise it ends by `SIGKILL`.
pub(super) fn abort_only_if(condition: &'static AtomicBool) {
    CONDITION.store(ptr::from_ref(condition).cast_mut(), SeqCst);
    // SAFETY: zeros are a valid action, with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = at_abort as extern "C" fn(libc::c_int) as *const () as usize;
    // SAFETY: a handler for any number, which is async-signal-safe. When it returns, `abort` goes on.
    let failed = unsafe { libc::sigaction(libc::SIGABRT, &action, ptr::null_mut()) };
    assert_eq!(failed, 0, "no handler");
}

extern "C" fn at_abort(_: libc::c_int) {
    // SAFETY: stored before this handler was set: a static.
    let condition = unsafe { &*CONDITION.load(SeqCst) };
    if !condition.load(SeqCst) {
        // SAFETY: sends a signal to this process.
        unsafe { libc::raise(libc::SIGKILL) };
    }
}
