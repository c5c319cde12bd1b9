//! jemalloc: bare, or with its own profiler if `_RJEM_MALLOC_CONF` says so.

use std::ffi::{CString, c_char};
use std::fs;

use tikv_jemalloc_ctl::raw;
use tikv_jemallocator::Jemalloc;
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: Jemalloc = Jemalloc;

fn main() {
    serve(proof)
}

/// What the profiler's own dump says, if it is active.
fn proof() -> Proof {
    // SAFETY: jemalloc's manual has this name as a bool.
    let built: bool = unsafe { raw::read(b"opt.prof\0") }.map_err(|error| error.to_string())?;
    if !built {
        return Ok("records nothing".to_owned());
    }
    // SAFETY: the same.
    let active: bool = unsafe { raw::read(b"prof.active\0") }.map_err(|error| error.to_string())?;
    // SAFETY: jemalloc's manual has this name as a size_t.
    let interval: usize =
        unsafe { raw::read(b"prof.lg_sample\0") }.map_err(|error| error.to_string())?;
    if !active {
        return Err("the profiler is not active".to_owned());
    }
    let path = std::env::temp_dir().join(format!("unkai-peers-{}.heap", std::process::id()));
    let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("paths hold no zero");
    // SAFETY: jemalloc's manual has this name as a string, which lives until the call is over.
    unsafe { raw::write::<*const c_char>(b"prof.dump\0", name.as_ptr()) }
        .map_err(|error| error.to_string())?;
    let dump = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    fs::remove_file(&path).map_err(|error| error.to_string())?;
    let stacks = dump.lines().filter(|line| line.starts_with('@')).count();
    if stacks == 0 {
        return Err("its dump holds no stack".to_owned());
    }
    Ok(format!(
        "{stacks} stacks of live samples, one every 2^{interval} bytes"
    ))
}
