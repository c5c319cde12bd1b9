//! On which cores threads run. A workload of two threads has one core for each, wherever the kernel would have put them.

use std::io;

/// The cores that the calling thread may use.
pub fn allowed() -> Vec<usize> {
    // SAFETY: an all-zero set is a valid, empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is as large as it is said to be.
    unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    (0..libc::CPU_SETSIZE as usize)
        // SAFETY: the core is within the set.
        .filter(|&core| unsafe { libc::CPU_ISSET(core, &set) })
        .collect()
}

/// Binds a thread, 0 for the calling one, to these cores. Threads that it starts later inherit that.
pub fn bind(thread: libc::pid_t, cores: &[usize]) -> io::Result<()> {
    // SAFETY: an all-zero set is a valid, empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        if core >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: the core is within the set.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: the set is as large as it is said to be.
    match unsafe { libc::sched_setaffinity(thread, size_of_val(&set), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Binds the calling thread to one of these cores: the first for the first of a workload's threads, and so on, in a circle
/// if there are too few.
pub(crate) fn bind_to_one_of(cores: &[usize], number: usize) {
    bind(0, &[cores[number % cores.len()]]).expect("a core that the process may use");
}
