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

/// What `keep` makes of each module that is loaded now and has unwind tables, and a number that changes when that set
/// changes.
///
/// `keep` is called within the loader's walk, which holds the lock that unloading takes: until it returns, the module stays
/// mapped. (A C library without such a lock, as musl, unloads nothing.) It must not unwind.
pub(super) fn loaded<T>(mut keep: impl FnMut(Module) -> T) -> (Vec<T>, u64) {
    let mut kept = Vec::new();
    let mut each = |module| kept.push(keep(module));
    let mut seen = Seen {
        each: Some(&mut each),
        ..Seen::default()
    };
    // SAFETY: `visit` has the signature that is asked for and does not unwind; `seen` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    let changes = seen.changes;
    (kept, changes)
}

/// The number of [`loaded`] alone.
pub(super) fn changes() -> u64 {
    let mut seen = Seen::default();
    // SAFETY: as in `loaded`.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    seen.changes
}

/// Whether this very module, which may be unloaded, is still where it was, with the tables that were copied from it. Asked
/// for a module that a running function of this thread stands in. No lock, no allocation.
///
/// Where the C library cannot say (glibc before 2.35, others), it is believed.
pub(super) fn is_still_there(module: &Module, header: &[u8], frames: &[u8]) -> bool {
    let Some(find_object) = find_object() else {
        return true;
    };
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

/// Whether any module that is loaded now has `address`, as far as the C library can say. No lock, no allocation.
pub(super) fn is_in_any(address: u64) -> bool {
    find_object().is_some_and(|find_object| {
        let mut found = FoundObject::default();
        // SAFETY: the function takes any address, and `found` is room for its answer.
        let failed = unsafe { find_object(address as *mut c_void, &mut found) };
        failed == 0
    })
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

/// The C library's function that knows which module an address belongs to, if it has one.
fn find_object() -> Option<FindObject> {
    let function = FIND_OBJECT.load(Ordering::Relaxed);
    // SAFETY: null, which is `None`, or the address of `_dl_find_object`, which has this signature wherever it exists.
    unsafe { std::mem::transmute::<*mut c_void, Option<FindObject>>(function) }
}

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
    let mut is_there = false;
    let mut each = |module: Module| is_there = module.memory.contains(&address);
    let mut seen = Seen {
        each: Some(&mut each),
        only_first: true,
        ..Seen::default()
    };
    // SAFETY: as in `loaded`.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut seen).cast()) };
    is_there
}

#[derive(Default)]
struct Seen<'a> {
    /// What is done with each module; without it, only the number of changes is wanted.
    each: Option<&'a mut dyn FnMut(Module)>,
    changes: u64,
    only_first: bool,
    has_begun: bool,
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: `data` is the `Seen` that a function above passed, borrowed by nobody else during the call.
    let seen = unsafe { &mut *data.cast::<Seen<'_>>() };
    // SAFETY: the loader passes a valid description, which lives during this call.
    let info = unsafe { &*info };
    seen.changes = info.dlpi_adds.wrapping_add(info.dlpi_subs << 32);
    let Some(each) = &mut seen.each else {
        return 1;
    };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader says that there are `dlpi_phnum` headers at `dlpi_phdr`, mapped while the module is.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    // The executable is named first.
    let is_executable = !std::mem::replace(&mut seen.has_begun, true);
    if let Some(module) = module(info.dlpi_addr, headers, is_executable) {
        each(module);
    }
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
    // The loader maps these, and takes no look at where else a header leads.
    let readable = || {
        segments()
            .filter(|header| header.p_flags & libc::PF_R != 0)
            .map(range)
    };
    let is_mapped = |part: &Range<u64>| {
        readable().any(|segment| segment.start <= part.start && part.end <= segment.end)
    };
    let header = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME)
        .map(range)
        .filter(is_mapped)?;
    let frames = frames_of(&header)?;
    // The section's own length is not stated: it ends before its segment does.
    let segment = readable().find(|segment| segment.contains(&frames))?;
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
    // SAFETY: this is part of a readable segment (`module`), which the loader maps for as long as the module is loaded; that the
    // loader's lock, held during the walk over the modules, guarantees. Eight bytes of it were checked to exist. Any bytes are valid.
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

    /// What `loaded` promises to `keep`, and whoever reads a module's memory relies on.
    #[cfg(target_env = "gnu")]
    #[test]
    fn no_module_is_unloaded_while_it_is_looked_at() {
        use std::sync::mpsc::{RecvTimeoutError, channel};
        use std::time::Duration;

        let ((go, gone), (told, heard)) = (channel(), channel());
        let other = std::thread::spawn(move || {
            gone.recv().expect("it is told to go");
            // Takes the lock that unloading takes.
            changes();
            told.send(()).expect("somebody listens");
        });
        let mut waits = None;
        loaded(|_| {
            waits.get_or_insert_with(|| {
                go.send(()).expect("it waits for that");
                heard.recv_timeout(Duration::from_millis(300))
            });
        });
        assert_eq!(waits, Some(Err(RecvTimeoutError::Timeout)));
        heard.recv().expect("it has the lock now");
        other.join().expect("it did not panic");
    }

    /// A header that leads elsewhere was followed: the program crashed before `main`.
    #[test]
    fn tables_that_no_readable_segment_has_are_not_read() {
        // An `.eh_frame_hdr` that says that `.eh_frame` is right behind it.
        let memory: [u8; 32] =
            std::array::from_fn(|at| *b"\x01\x1b\x03\x3b\x08".get(at).unwrap_or(&0));
        let start = memory.as_ptr() as u64;
        let header = |p_type, p_flags, p_vaddr, p_memsz| Header {
            p_type,
            p_flags,
            p_offset: 0,
            p_vaddr,
            p_paddr: 0,
            p_filesz: p_memsz,
            p_memsz,
            p_align: 0,
        };
        let of = |flags, at: u64, length| {
            let segment = header(libc::PT_LOAD, flags | libc::PF_X, start, 32);
            let tables = header(libc::PT_GNU_EH_FRAME, libc::PF_R, at, length);
            module(0, &[segment, tables], true)
        };
        let found = of(libc::PF_R, start, 12).expect("it is there");
        assert_eq!(found.frames, start + 12..start + 32);
        for at in [0, 4096, start - 1, start + 21, start + 32, u64::MAX - 11] {
            assert!(of(libc::PF_R, at, 12).is_none(), "{at:x}");
        }
        assert!(of(libc::PF_R, start, u64::MAX).is_none());
        assert!(of(0, start, 12).is_none());
    }

    #[test]
    fn this_function_is_in_a_module_with_tables() {
        let here = this_function_is_in_a_module_with_tables as fn() as usize as u64;
        let (modules, number) = loaded(|module| module);
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
        assert_eq!(is_in_any(here), can_tell);
        assert!(!is_in_any(4096) && !is_in_any(std::ptr::from_ref(&gone) as u64));
    }
}
