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
//!
//!   word of the cache:  page of the code (35 bits) │ number of the list (6) │ rule (23)
//! ```
//!
//! The page and the place of the word together name the place in the code: a word is never taken for another's. Where the
//! tables say anything more complicated (signal frames, switches between stacks), the walk is left to the portable way.

use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Register, RegisterRule,
    UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use super::super::bounds::Readable;
use super::{CallStack, Mapped, Registers};
use crate::sync::{AtomicU64, Ordering};

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
        code_of: impl Fn(u64) -> Option<Range<u64>>,
    ) -> bool {
        let readable = Readable::from(registers);
        let (mut stack_pointer, mut frame_pointer) = (registers.stack, registers.frame);
        let mut place = registers.instruction;
        let mut known = 0..0;
        loop {
            // Most frames are of the same module as the one before.
            if !known.contains(&place) {
                // A place, as a return address is one, comes just after what it stands for.
                match code_of(place + 1) {
                    Some(code) => known = code,
                    None => return false,
                }
            }
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
            if return_address == 0 || !stack.push(return_address) {
                return true;
            }
            stack_pointer = end;
            // The call, not what comes after it: that may be another function.
            place = return_address - 1;
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
        let slot = Slot::of(place, self.number)?;
        slot.load().or_else(|| self.look_up(place, slot))
    }

    /// Looks a rule up in the tables, and keeps it.
    #[cold]
    #[inline(never)]
    fn look_up(&self, place: u64, slot: Slot) -> Option<Rule> {
        let tables = self.tables_of(place)?;
        let rule = tables.rule(place).unwrap_or(Rule::COMPLICATED);
        slot.store(rule);
        Some(rule)
    }
}

impl Tables {
    fn rule(&self, place: u64) -> gimli::Result<Rule> {
        let header = self.header.parse(&self.bases, 8)?;
        let table = header.table().ok_or(gimli::Error::NoUnwindInfoForAddress)?;
        let mut context = UnwindContext::<_, Small>::new_in();
        let row = table.unwind_info_for_address(
            &self.frames,
            &self.bases,
            &mut context,
            place,
            EhFrame::cie_from_offset,
        )?;
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
            Some(RegisterRule::Offset(offset)) if offset < 0 => u32::try_from(-offset).ok(),
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

/// Where the cache has a rule, or would have it.
#[derive(Clone, Copy, Debug)]
struct Slot {
    ways: &'static [AtomicU64; WAYS],
    /// The word without the rule.
    tag: u64,
}

impl Slot {
    #[inline]
    fn of(place: u64, number: u64) -> Option<Self> {
        let page = place >> PAGE_BITS;
        // Mixes the page into the set. For one page, each place has a set of its own.
        let mixed = (page.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) ^ place;
        let set = mixed as usize & (SETS - 1);
        (page < 1 << TAG_BITS).then(|| Self {
            ways: &CACHE.0[set],
            tag: (page << NUMBER_BITS | number) << RULE_BITS,
        })
    }

    #[inline]
    fn load(self) -> Option<Rule> {
        // Relaxed: a word says all there is to say.
        let mut words = self.ways.iter().map(|way| way.load(Ordering::Relaxed));
        let word = words.find(|word| word & !((1 << RULE_BITS) - 1) == self.tag && *word != 0)?;
        Some(Rule::unpacked(word))
    }

    /// Keeps the rule, in the place of the older of its set.
    fn store(self, rule: Rule) {
        if let Some(rule) = rule.packed() {
            let [newer, older] = self.ways;
            older.store(newer.load(Ordering::Relaxed), Ordering::Relaxed);
            newer.store(self.tag | rule, Ordering::Relaxed);
        }
    }
}

/// The cache lies beside the program's own variables: nothing has to be made, and pages that are not used cost nothing.
#[repr(align(64))]
struct Cache([[AtomicU64; WAYS]; SETS]);

static CACHE: Cache = Cache([const { [const { AtomicU64::new(0) }; WAYS] }; SETS]);

pub(super) fn prepare() {}

/// Bytes that the cache takes.
pub(super) fn own_bytes() -> usize {
    size_of::<Cache>()
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

/// A set for each place of a page.
const SETS: usize = 1 << PAGE_BITS;
const WAYS: usize = 2;
const PAGE_BITS: u32 = 12;

const TAG_BITS: u32 = 35;
const NUMBER_BITS: u32 = 6;
const RULE_BITS: u32 = 23;
const KIND_BITS: u32 = 2;
const OFFSET_BITS: u32 = 12;
const SAVED_BITS: u32 = 9;
const _: () = assert!(TAG_BITS + NUMBER_BITS + RULE_BITS == 64);
const _: () = assert!(KIND_BITS + OFFSET_BITS + SAVED_BITS == RULE_BITS);
const _: () = assert!(super::MOST_LISTS <= 1 << NUMBER_BITS);

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

    /// Two places share a word only if they share the page, the list and the set: and then they are the same place.
    #[test]
    fn a_word_names_one_place() {
        let name = |place, number| {
            let slot = Slot::of(place, number).unwrap();
            (slot.ways.as_ptr() as usize, slot.tag)
        };
        for page in [0x5555_5555_4000, 0x7fff_ffff_d000, 0x1000] {
            let mut names: Vec<_> = (0..4096).map(|low| name(page + low, 3)).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), 4096);
            assert_ne!(name(page, 3), name(page, 4));
            assert_ne!(name(page, 3), name(page + 4096, 3));
        }
        assert!(Slot::of(1 << 47, 0).is_none());
    }

    #[test]
    fn a_set_keeps_its_two_newest_rules() {
        // In a list that no walk of this process uses.
        let slots: Vec<Slot> = (1..)
            .map(|page| Slot::of(page << PAGE_BITS, 63).unwrap())
            .filter(|slot| std::ptr::eq(slot.ways, &CACHE.0[77]))
            .take(3)
            .collect();
        let rule = |offset| from_stack_pointer(offset, 0);
        slots[0].store(rule(8));
        slots[1].store(rule(16));
        assert_eq!(slots[0].load(), Some(rule(8)));
        assert_eq!(slots[1].load(), Some(rule(16)));
        assert_eq!(slots[2].load(), None);
        slots[2].store(rule(24));
        assert_eq!(slots[0].load(), None);
        assert_eq!(slots[2].load(), Some(rule(24)));
    }
}
