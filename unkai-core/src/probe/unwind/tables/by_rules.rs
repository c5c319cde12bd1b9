//! Walking by rules: how to find the caller's frame from a given place in the code, in one word.
//!
//! Most places in compiled code have a rule of the same simple form. It is looked up in the tables once, by `gimli`, and
//! kept in a cache that all threads share; from then on a frame costs a few loads.
//!
//! ```text
//!   caller's frame    │                  │
//!                     ├──────────────────┤ ◀── CFA = stack or frame pointer + offset
//!                     │ return address   │ ◀── CFA − 8
//!                     │ …                │
//!                     │ caller's rbp     │ ◀── CFA − saved, where it was saved
//!   this frame        │ …                │
//!                     └──────────────────┘ ◀── stack pointer
//! ```
//!
//! Where the tables say anything more complicated (signal frames, switches between stacks), the walk is left to the portable
//! way.

mod cache;

use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    Section, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::super::bounds::Readable;
use super::{CallStack, Code, Mapped, Registers, USUAL_ENCODINGS};
use cache::{RULE_BITS, Slot};

/// What knows the tables of some modules.
pub(super) struct Walker {
    /// The number of the list of modules, as it is in the words of the cache.
    number: u64,
    /// Sorted by the start of their code.
    modules: Vec<Tables>,
}

struct Tables {
    code: Range<u64>,
    bases: BaseAddresses,
    frames_start: u64,
    header: EhFrameHdr<EndianSlice<'static, LittleEndian>>,
    frames: EhFrame<EndianSlice<'static, LittleEndian>>,
}

/// How to get from a place in the code to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    kind: Kind,
    /// The caller's frame ends so many bytes above the register.
    offset: u32,
    /// The caller's rbp is saved so many bytes below that; 0 if rbp still is the caller's.
    saved: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// There is no caller: the thread begins here.
    Outermost,
    /// The register is the stack pointer.
    FromStackPointer,
    /// The register is rbp.
    FromFramePointer,
    /// The tables know this place, but it takes more than a rule.
    Complicated,
}

impl Walker {
    pub(super) fn new(number: u32, modules: &[Mapped]) -> Self {
        let tables = |mapped: &Mapped| Tables {
            code: mapped.module.code.clone(),
            bases: BaseAddresses::default()
                .set_eh_frame_hdr(mapped.module.header.start)
                .set_eh_frame(mapped.module.frames.start),
            frames_start: mapped.module.frames.start,
            header: EhFrameHdr::new(mapped.header, LittleEndian),
            frames: EhFrame::new(mapped.frames, LittleEndian),
        };
        Self {
            number: u64::from(number),
            modules: modules.iter().map(tables).collect(),
        }
    }

    /// Walks the stack. `false` if it leads through code that is not known, or is too complicated.
    #[inline]
    pub(super) fn walk(
        &self,
        registers: &Registers,
        stack: &mut CallStack,
        code_of: impl Fn(u64) -> Code,
    ) -> bool {
        let readable = Readable::from(registers);
        let (mut stack_pointer, mut frame_pointer) = (registers.stack, registers.frame);
        let mut place = registers.instruction;
        // A place, as a return address is one, comes just after what it stands for.
        let Code::Known(mut known) = code_of(place.wrapping_add(1)) else {
            return false;
        };
        loop {
            let Some(rule) = self.rule(place) else {
                return false;
            };
            let base = match rule.kind {
                Kind::FromStackPointer => stack_pointer,
                Kind::FromFramePointer => frame_pointer,
                Kind::Outermost => return true,
                Kind::Complicated => return false,
            };
            let end = base.wrapping_add(u64::from(rule.offset));
            let caller = readable.word(end.wrapping_sub(8));
            let (Ok(return_address), true) = (caller, end > stack_pointer) else {
                break;
            };
            if rule.saved != 0 {
                match readable.word(end.wrapping_sub(u64::from(rule.saved))) {
                    Ok(word) => frame_pointer = word,
                    Err(()) => break,
                }
            }
            if return_address == 0 {
                return true;
            }
            stack_pointer = end;
            // The call, not what comes after it: that may be another function.
            place = return_address - 1;
            // Most frames are of the same module as the one before.
            if !known.contains(&place) {
                match code_of(return_address) {
                    Code::Known(code) => known = code,
                    Code::Unknown => return false,
                    Code::None => {
                        stack.truncated = true;
                        return true;
                    }
                }
            }
            if !stack.push(return_address) {
                return true;
            }
        }
        // The outer frames could not be found.
        stack.truncated = true;
        !stack.frames().is_empty()
    }

    fn tables_of(&self, place: u64) -> Option<&Tables> {
        let after = self
            .modules
            .partition_point(|tables| tables.code.start <= place);
        let tables = self.modules.get(after.checked_sub(1)?)?;
        tables.code.contains(&place).then_some(tables)
    }

    /// The rule for a place in the code. `None` if no known module has it.
    #[inline]
    fn rule(&self, place: u64) -> Option<Rule> {
        let slot = cache::slot(place, self.number)?;
        match slot.load() {
            Some(rule) => Some(Rule::unpacked(rule)),
            None => self.look_up(place, slot),
        }
    }

    /// Looks a rule up in the tables, and keeps it.
    #[cold]
    #[inline(never)]
    fn look_up(&self, place: u64, slot: Slot<'_>) -> Option<Rule> {
        let tables = self.tables_of(place)?;
        let rule = tables.rule(place).unwrap_or(Rule::COMPLICATED);
        if let Some(rule) = rule.packed() {
            slot.store(rule);
        }
        Some(rule)
    }
}

impl Tables {
    fn rule(&self, place: u64) -> gimli::Result<Rule> {
        let none = gimli::Error::NoUnwindInfoForAddress;
        // With other encodings than linkers write, what follows could overflow.
        if !self.header.reader().starts_with(&USUAL_ENCODINGS) {
            return Err(none);
        }
        let header = self.header.parse(&self.bases, 8)?;
        let table = header.table().ok_or(none)?;
        let entry = table.lookup(place, &self.bases)?.direct()?;
        // An entry may lie about where it leads to.
        let offset = entry.checked_sub(self.frames_start).ok_or(none)? as usize;
        let entry =
            self.frames
                .fde_from_offset(&self.bases, offset.into(), EhFrame::cie_from_offset)?;
        if !entry.contains(place) {
            return Err(none);
        }
        let mut context = UnwindContext::<_, Small>::new_in();
        let row = entry.unwind_info_for_address(&self.frames, &self.bases, &mut context, place)?;
        Ok(Rule::of(row))
    }
}

impl Rule {
    const OUTERMOST: Self = Self::without_frame(Kind::Outermost);
    const COMPLICATED: Self = Self::without_frame(Kind::Complicated);

    const fn without_frame(kind: Kind) -> Self {
        let (offset, saved) = (0, 0);
        Self {
            kind,
            offset,
            saved,
        }
    }

    fn of(row: &UnwindTableRow<usize, Small>) -> Self {
        match row.register(RETURN_ADDRESS) {
            Some(RegisterRule::Offset(-8)) => {}
            Some(RegisterRule::Undefined) => return Self::OUTERMOST,
            _ => return Self::COMPLICATED,
        }
        let (kind, offset) = match *row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } if register == RSP => {
                (Kind::FromStackPointer, offset)
            }
            CfaRule::RegisterAndOffset { register, offset } if register == RBP => {
                (Kind::FromFramePointer, offset)
            }
            _ => return Self::COMPLICATED,
        };
        let saved = match row.register(RBP) {
            None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(0),
            Some(RegisterRule::Offset(offset)) if offset < 0 => {
                u32::try_from(offset.unsigned_abs()).ok()
            }
            _ => None,
        };
        match (u32::try_from(offset), saved) {
            (Ok(offset), Some(saved)) if offset % 8 == 0 && saved % 8 == 0 => Self {
                kind,
                offset,
                saved,
            },
            _ => Self::COMPLICATED,
        }
    }

    /// The rule in [`RULE_BITS`] bits. `None` if it takes more.
    fn packed(self) -> Option<u64> {
        let kind = match self.kind {
            Kind::Outermost => OUTERMOST,
            Kind::FromStackPointer => FROM_STACK_POINTER,
            Kind::FromFramePointer => FROM_FRAME_POINTER,
            Kind::Complicated => COMPLICATED,
        };
        let (offset, saved) = (u64::from(self.offset) / 8, u64::from(self.saved) / 8);
        let fits = offset < 1 << OFFSET_BITS && saved < 1 << SAVED_BITS;
        fits.then_some(kind | offset << KIND_BITS | saved << (KIND_BITS + OFFSET_BITS))
    }

    #[inline]
    fn unpacked(word: u64) -> Self {
        let kind = match word & ((1 << KIND_BITS) - 1) {
            OUTERMOST => Kind::Outermost,
            FROM_STACK_POINTER => Kind::FromStackPointer,
            FROM_FRAME_POINTER => Kind::FromFramePointer,
            _ => Kind::Complicated,
        };
        Self {
            kind,
            offset: (word >> KIND_BITS & ((1 << OFFSET_BITS) - 1)) as u32 * 8,
            saved: (word >> (KIND_BITS + OFFSET_BITS) & ((1 << SAVED_BITS) - 1)) as u32 * 8,
        }
    }
}

pub(super) fn prepare() {}

/// Empties the cache.
#[cfg(unkai_internals)]
pub(super) fn forget() {
    cache::forget();
}

/// Bytes that the cache takes.
pub(super) fn own_bytes() -> usize {
    cache::bytes()
}

/// Room for the rows of a table: more registers than this architecture has rules for.
struct Small;

impl UnwindContextStorage<usize> for Small {
    type Rules = [(Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 4];
}

// Numbers of registers in the tables.
const RBP: Register = Register(6);
const RSP: Register = Register(7);
const RETURN_ADDRESS: Register = Register(16);

const KIND_BITS: u32 = 2;
const OFFSET_BITS: u32 = 12;
const SAVED_BITS: u32 = 9;
const _: () = assert!(KIND_BITS + OFFSET_BITS + SAVED_BITS == RULE_BITS);
const _: () = assert!(super::MOST_LISTS <= cache::MOST_NUMBERS);

const OUTERMOST: u64 = 0;
const FROM_STACK_POINTER: u64 = 1;
const FROM_FRAME_POINTER: u64 = 2;
const COMPLICATED: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_survives_its_word() {
        for kind in [Kind::FromStackPointer, Kind::FromFramePointer] {
            for offset in [8, 16, 4096, 32_760] {
                for saved in [0, 16, 56, 4088] {
                    let rule = Rule {
                        kind,
                        offset,
                        saved,
                    };
                    assert_eq!(Rule::unpacked(rule.packed().unwrap()), rule);
                }
            }
        }
        for rule in [Rule::OUTERMOST, Rule::COMPLICATED] {
            assert_eq!(Rule::unpacked(rule.packed().unwrap()), rule);
        }
        assert_eq!(from_stack_pointer(32_768, 0).packed(), None);
        assert_eq!(from_stack_pointer(8, 4096).packed(), None);
    }

    fn from_stack_pointer(offset: u32, saved: u32) -> Rule {
        Rule {
            kind: Kind::FromStackPointer,
            offset,
            saved,
        }
    }

    /// Where the tables and the code of [`a_module`] would be mapped.
    const HEADER: u64 = 0x1000;
    const FRAMES: u64 = HEADER + 0x100;
    const CODE: u64 = HEADER + 0x1000;

    /// The tables of one function, whose rows say `instructions`.
    fn a_module(instructions: &[u8]) -> Tables {
        a_module_with(instructions, |_| ())
    }

    /// As before, with a change of `.eh_frame_hdr`.
    fn a_module_with(instructions: &[u8], damage: impl FnOnce(&mut Vec<u8>)) -> Tables {
        let relative = |to: u64, from: u64| (to.wrapping_sub(from) as i32).to_le_bytes();
        let mut frames = Vec::new();
        let mut entry = |parts: &[&[u8]]| {
            let mut body = parts.concat();
            body.resize(body.len().next_multiple_of(8) + 4, 0);
            frames.extend((body.len() as u32).to_le_bytes());
            frames.extend(body);
            frames.len() as u64
        };
        // Version 1; units of one byte; the return address is register 16; addresses are relative, 32 bits.
        let common: &[u8] = b"\0\0\0\0\x01zR\0\x01\x01\x10\x01\x1b";
        let at = entry(&[common, instructions]);
        let to_common = (at as u32 + 4).to_le_bytes();
        let start = relative(CODE, FRAMES + at + 8);
        entry(&[&to_common, &start, &0x100_u32.to_le_bytes(), &[0]]);
        // Sorted by address, relative to itself.
        let mut header: Vec<u8> = [
            &b"\x01\x1b\x03\x3b"[..],
            &relative(FRAMES, HEADER + 4),
            &1_u32.to_le_bytes(),
            &relative(CODE, HEADER),
            &relative(FRAMES + at, HEADER),
        ]
        .concat();
        damage(&mut header);
        Tables {
            code: CODE..CODE + 0x100,
            bases: BaseAddresses::default()
                .set_eh_frame_hdr(HEADER)
                .set_eh_frame(FRAMES),
            frames_start: FRAMES,
            header: EhFrameHdr::new(header.leak(), LittleEndian),
            frames: EhFrame::new(frames.leak(), LittleEndian),
        }
    }

    /// The frame ends 16 bytes above the stack pointer, with the return address below that.
    const USUAL: &[u8] = b"\x0c\x07\x10\x11\x10\x78";
    /// rbp is saved at the offset that follows.
    const SAVES_RBP_AT: &[u8] = b"\x11\x06";

    #[test]
    fn a_register_that_is_saved_absurdly_far_away_is_complicated() {
        let rule = |at: &[u8]| a_module(&[USUAL, SAVES_RBP_AT, at].concat()).rule(CODE + 8);
        assert_eq!(rule(b"\x70"), Ok(from_stack_pointer(16, 16)));
        let least = b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f";
        assert_eq!(rule(least), Ok(Rule::COMPLICATED));
    }

    #[test]
    fn a_damaged_header_gives_no_rule() {
        let rule = |damage: fn(&mut Vec<u8>)| a_module_with(USUAL, damage).rule(CODE + 8);
        assert_eq!(rule(|_| ()), Ok(from_stack_pointer(16, 0)));
        // The entry leads to before the frames.
        assert!(rule(|header| header[16..20].fill(0)).is_err());
        // More entries than any address space has room for.
        assert!(
            rule(|header| {
                header[2] = 0x04;
                header.splice(8..12, u64::MAX.to_le_bytes());
            })
            .is_err()
        );
        assert!(rule(|header| header.truncate(14)).is_err());
        assert!(rule(Vec::clear).is_err());
    }

    /// What `reliability/fuzz` does for longer, and with a nightly compiler.
    #[test]
    fn instructions_of_any_bytes_give_a_rule_or_an_error() {
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let mut rules = 0;
        for _ in 0..20_000 {
            let wild = (0..next(24)).map(|_| next(256) as u8);
            let instructions: Vec<u8> = USUAL.iter().copied().chain(wild).collect();
            if let Ok(rule) = a_module(&instructions).rule(CODE + next(0x100)) {
                assert!(rule.offset % 8 == 0 && rule.saved % 8 == 0, "{rule:?}");
                rules += 1;
            }
        }
        assert!(rules > 1_000, "{rules}");
    }
}
