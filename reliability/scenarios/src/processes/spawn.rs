//! Programs are started while all threads allocate: by the C library's `posix_spawn`, which is a `vfork`, and by `fork` and
//! `exec` where something is to be done in between.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::heap::{Heap, totals_are_exact};
use crate::load::Load;

const PROGRAMS: usize = 100;

pub(crate) fn play(heap: &'static dyn Heap) {
    let load = Load::start(4, 3);
    for _ in 0..PROGRAMS {
        let status = Command::new("/bin/true").status().expect("a program");
        assert!(status.success(), "{status}");
    }
    for _ in 0..PROGRAMS {
        let mut command = Command::new("/bin/true");
        // SAFETY: the function runs in a forked child. It allocates, which is what is under test, and does nothing else.
        unsafe {
            command.pre_exec(|| {
                drop(std::hint::black_box(vec![1_u8; 70_000]));
                Ok(())
            })
        };
        let output = command.output().expect("a program");
        assert!(output.status.success(), "{}", output.status);
    }
    load.stop();
    totals_are_exact(heap, "after programs that were started");
}
