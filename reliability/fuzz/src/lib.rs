//! What the targets of fuzzing share.

pub mod checking;
pub mod choices;
pub mod formats;
pub mod heap;
pub mod text;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Removes `path` with all below it when the process ends well; what libFuzzer kills leaves it.
pub fn at_exit_remove(path: &Path) {
    static PATHS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    extern "C" fn remove() {
        for path in PATHS.lock().into_iter().flat_map(|paths| paths.clone()) {
            // One of the two fits; what cannot be removed stays.
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    PATHS.lock().expect("nobody panicked").push(path.to_owned());
    // SAFETY: the function neither unwinds nor needs anything but memory and a lock that nobody holds at exit.
    unsafe { libc::atexit(remove) };
}

#[path = "../../../unkai-report/tests/support/openmetrics.rs"]
mod openmetrics;
