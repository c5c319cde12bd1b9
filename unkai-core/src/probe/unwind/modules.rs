//! The modules of this process: the executable and its shared libraries, with their unwind tables.
//!
//! Read with `dl_iterate_phdr`, which takes the loader's lock: never inside an allocation.

use std::ffi::c_void;
use std::ops::Range;

use crate::sync::{AtomicPtr, Ordering};

/// One loaded module, with views into its mapped image.
#[derive(Clone, Debug)]
pub(super) struct Module {
    /// Whether it is the executable itself, which is never unloaded.
    pub(super) is_executable: bool,
    /// All of its mapped memory.
    pub(super) memory: Range<u64>,
    /// Its executable memory.
    pub(super) code: Range<u64>,
    /// Where `.eh_frame_hdr` is mapped.
    pub(super) header: Range<u64>,
    /// Where `.eh_frame` is mapped, up to the end of its segment.
    pub(super) frames: Range<u64>,
}

/// The modules that are loaded now and have unwind tables, and a number that changes when that set changes.
pub(super) fn loaded() -> (Vec<Module>, u64) {
    let mut seen = Seen::default();
    // SAFETY: `visit` has the signature that is asked for and does not unwind; `seen` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    seen.modules.sort_by_key(|module| module.code.start);
    (seen.modules, seen.changes)
}

/// The number of [`loaded`] alone.
pub(super) fn changes() -> u64 {
    let mut seen = Seen {
        only_changes: true,
        ..Seen::default()
    };
    // SAFETY: as in `loaded`.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    seen.changes
}

/// Whether this very module, which may be unloaded, is still where it was, with the tables that were copied from it. Asked
/// for a module that a running function of this thread stands in. No lock, no allocation.
///
/// Where the C library cannot say (glibc before 2.35, others), it is believed.
pub(super) fn is_still_there(module: &Module, header: &[u8], frames: &[u8]) -> bool {
    let function = FIND_OBJECT.load(Ordering::Relaxed);
    if function.is_null() {
        return true;
    }
    // SAFETY: the address of `_dl_find_object`, which has this signature wherever it exists.
    let find_object = unsafe { std::mem::transmute::<*mut c_void, FindObject>(function) };
    let mut found = FoundObject::default();
    // SAFETY: the function takes any address, and `found` is room for its answer.
    let failed = unsafe { find_object(module.code.start as *mut c_void, &mut found) };
    let mapped = found.map_start..found.map_end;
    if failed != 0
        || found.header != module.header.start
        || !mapped.contains(&(module.frames.end - 1))
    {
        return false;
    }
    // The same place, but another library? The beginnings of the tables tell.
    let same = |start: u64, copy: &[u8]| {
        // SAFETY: a module whose memory holds these bytes is mapped here, and stays so while a function of it runs. They are
        // read only, and any bytes are valid.
        let bytes = unsafe { std::slice::from_raw_parts(start as *const u8, copy.len()) };
        bytes == copy
    };
    // The fixed part first: it says how long the rest is, and where the frames are.
    let part = |copy: &[u8], length: usize| copy.len().min(length);
    same(module.header.start, &header[..part(header, FIXED)])
        && same(module.header.start, &header[..part(header, TELLING)])
        && same(module.frames.start, &frames[..part(frames, TELLING)])
}

/// Bytes of `.eh_frame_hdr` that every module has: version, encodings, where the frames are, and how many.
const FIXED: usize = 12;

/// So many bytes of a module's tables tell it from others.
const TELLING: usize = 256;

/// Finds out whether the C library can tell which module an address belongs to. To be called before [`is_still_there`].
pub(super) fn prepare() {
    // SAFETY: the name ends with a zero.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
    FIND_OBJECT.store(function, Ordering::Relaxed);
}

type FindObject = unsafe extern "C" fn(*mut c_void, &mut FoundObject) -> libc::c_int;

static FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The C library's `struct dl_find_object`.
#[derive(Debug, Default)]
#[repr(C)]
struct FoundObject {
    flags: u64,
    map_start: u64,
    map_end: u64,
    link_map: u64,
    /// Where `.eh_frame_hdr` is mapped.
    header: u64,
    /// More than any version of it has.
    reserved: [u64; 11],
}

/// Whether `address` lies in the executable itself, which the loader names first.
pub(super) fn is_in_executable(address: u64) -> bool {
    let mut seen = Seen {
        only_first: true,
        ..Seen::default()
    };
    // SAFETY: as in `loaded`.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    seen.modules
        .first()
        .is_some_and(|module| module.memory.contains(&address))
}

#[derive(Debug, Default)]
struct Seen {
    modules: Vec<Module>,
    changes: u64,
    only_changes: bool,
    only_first: bool,
    has_begun: bool,
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: `data` is the `Seen` that `loaded` or `changes` passed, borrowed by nobody else during the call.
    let seen = unsafe { &mut *data.cast::<Seen>() };
    // SAFETY: the loader passes a valid description, which lives during this call.
    let info = unsafe { &*info };
    seen.changes = info.dlpi_adds.wrapping_add(info.dlpi_subs << 32);
    if seen.only_changes {
        return 1;
    }
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader says that there are `dlpi_phnum` headers at `dlpi_phdr`, mapped while the module is.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // The executable is named first.
    let is_executable = !std::mem::replace(&mut seen.has_begun, true);
    seen.modules
        .extend(module(info.dlpi_addr, headers, is_executable));
    libc::c_int::from(seen.only_first)
}

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;

fn module(bias: u64, headers: &[Header], is_executable: bool) -> Option<Module> {
    let range = |header: &Header| {
        let start = bias.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    };
    let segments = || {
        headers
            .iter()
            .filter(|header| header.p_type == libc::PT_LOAD)
    };
    let memory = segments()
        .map(range)
        .reduce(|all, part| all.start.min(part.start)..all.end.max(part.end))?;
    let code = segments()
        .filter(|header| header.p_flags & libc::PF_X != 0)
        .map(range)
        .reduce(|all, part| all.start.min(part.start)..all.end.max(part.end))?;
    let header = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
        .map(range)?;
    let frames = frames_of(&header)?;
    // The section's own length is not stated: it ends before its segment does.
    let segment = segments()
        .map(range)
        .find(|segment| segment.contains(&frames))?;
    Some(Module {
        is_executable,
        memory,
        code,
        header,
        frames: frames..segment.end,
    })
}

/// Where `.eh_frame` begins, as its header says: a byte of version, three of encodings, then an encoded pointer.
fn frames_of(header: &Range<u64>) -> Option<u64> {
    const VERSION: u8 = 1;
    const RELATIVE_TO_ITSELF_32_BITS: u8 = 0x1b;
    if header.end - header.start < 12 {
        return None;
    }
    // SAFETY: the loader maps this segment for as long as the module is loaded, which the loader's lock, held during the
    // walk over the modules, guarantees; eight bytes of it were checked to exist. Any bytes are valid.
    let start: [u8; 8] = unsafe { std::ptr::read_unaligned(header.start as *const [u8; 8]) };
    let [version, encoding, _, _, a, b, c, d] = start;
    if version != VERSION || encoding != RELATIVE_TO_ITSELF_32_BITS {
        return None;
    }
    (header.start + 4).checked_add_signed(i64::from(i32::from_le_bytes([a, b, c, d])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_function_is_in_a_module_with_tables() {
        let here = this_function_is_in_a_module_with_tables as fn() as usize as u64;
        let (modules, number) = loaded();
        let module = modules
            .iter()
            .find(|module| module.code.contains(&here))
            .expect("our own module");
        assert!(module.memory.contains(&module.header.start));
        assert!(module.memory.contains(&module.frames.start));
        assert_eq!(number, changes());
        prepare();
        assert!(is_still_there(module, &[], &[]));
        let mut gone = module.clone();
        gone.code.start = 4096;
        let can_tell = !FIND_OBJECT.load(Ordering::Relaxed).is_null();
        assert_eq!(is_still_there(&gone, &[], &[]), !can_tell);
        assert_eq!(is_still_there(module, &[1, 2, 3, 4], &[]), !can_tell);
    }
}
