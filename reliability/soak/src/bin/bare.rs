//! Measures as `soak` does, in a process without unkai. Started by it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static HEAP: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match unkai_soak::bare::serve(&HEAP) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak-bare: {error}");
            ExitCode::FAILURE
        }
    }
}
