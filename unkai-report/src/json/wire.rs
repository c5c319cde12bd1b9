//! The document as it is written: every field name and type here is a promise to other programs.
//!
//! These types repeat the core types on purpose. A change of the core must not change the format by accident.
//!
//! Writing any of them allocates nothing: [`Stream`](super::Stream) relies on it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A document; the parameters are for [`Stream`](super::Stream), which has no memory for what it writes there.
#[derive(Serialize, Deserialize)]
pub(super) struct Document<
    Losses = BTreeMap<String, u64>,
    Modules = Vec<Module>,
    Sites = Vec<Site<'static>>,
> {
    pub(super) schema: Cow<'static, str>,
    pub(super) version: u64,
    pub(super) taken_at: Moment,
    pub(super) uptime: Span,
    pub(super) window: Option<Span>,
    pub(super) totals: Totals,
    /// Missing if the system does not say, and in documents from before it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) resident_bytes: Option<u64>,
    /// Missing without a limit, and in documents from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<LimitStatus>,
    pub(super) sampling: Sampling,
    pub(super) unwinding: Unwinding,
    pub(super) losses: Losses,
    pub(super) own_memory: OwnMemory,
    /// Missing if none is known.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub(super) modules: Option<Modules>,
    /// Missing if the process that allocated named nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) naming: Option<Naming>,
    pub(super) functions: Vec<Function>,
    pub(super) addresses: Vec<Address>,
    pub(super) sites: Sites,
}

/// Since 1970-01-01 UTC; a moment before that has negative seconds and nanoseconds that count forward from there.
#[derive(Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) unix_seconds: i64,
    pub(super) nanoseconds: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) allocated: Amount,
    pub(super) freed: Amount,
    pub(super) peak_live_bytes: u64,
    pub(super) peak_error_bytes: u64,
    pub(super) refused_requests: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LimitStatus {
    pub(super) limit_bytes: u64,
    pub(super) live_bytes: u64,
    pub(super) refuses: bool,
    pub(super) refused_requests: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Amount {
    pub(super) bytes: u64,
    pub(super) blocks: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Sampling {
    pub(super) mode: Mode,
    /// Missing if sampling is as set, and in documents from before there was another case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) widened: Option<Widened>,
    pub(super) paused: bool,
    pub(super) threshold_bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Widened {
    pub(super) set: Mode,
    pub(super) by: CrowdedTable,
}

/// The tables by their names in `own_memory`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CrowdedTable {
    Stacks,
    Sites,
    LiveBlocks,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Off,
    EveryBlock,
    Bytes { interval: u64 },
    Blocks { one_in: u64 },
}

#[derive(Serialize, Deserialize)]
pub(super) struct Unwinding {
    pub(super) kind: Unwinder,
    pub(super) frame_pointers: Option<bool>,
    pub(super) max_frames: u32,
    pub(super) skipped_frames: u32,
    pub(super) modules: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unwinder {
    None,
    FramePointers,
    Tables,
    Portable,
}

#[derive(Serialize, Deserialize)]
pub(super) struct OwnMemory {
    pub(super) threads: TableUse,
    pub(super) stacks: TableUse,
    pub(super) sites: TableUse,
    pub(super) live_blocks: TableUse,
    pub(super) unwinder_bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TableUse {
    pub(super) entries: u64,
    pub(super) capacity: u64,
    pub(super) used_bytes: u64,
    pub(super) capacity_bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Module {
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub(super) start: u64,
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub(super) end: u64,
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub(super) file_offset: u64,
    pub(super) path: String,
    /// In hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Naming {
    pub(super) addresses: u64,
    pub(super) named: u64,
    pub(super) elapsed: Span,
    /// Missing if the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory_bytes: Option<u64>,
    /// Missing if no limit ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stopped_by: Option<Limit>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    MemoryBytes(u64),
    Time(Span),
    Fork,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Address {
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    pub(super) address: u64,
    /// Innermost first; empty if the address has no name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) frames: Vec<Frame>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Frame {
    /// Index in `functions`.
    pub(super) function: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Site<'a> {
    pub(super) id: u32,
    /// Indices in `addresses`, innermost first. Missing if the site has `stack_addresses`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stack: Option<Vec<u32>>,
    /// The return addresses themselves, innermost first.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_hexes",
        deserialize_with = "read_hexes"
    )]
    pub(super) stack_addresses: Option<Cow<'a, [u64]>>,
    pub(super) truncated: bool,
    pub(super) prefix_only: bool,
    pub(super) allocated: Estimate,
    pub(super) live: Estimate,
    pub(super) at_peak: Estimate,
    /// Pairs of bucket and blocks; buckets without blocks are left out.
    pub(super) lifetimes: Cow<'a, [(u32, Number)]>,
    pub(super) ages: Cow<'a, [(u32, Number)]>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Estimate {
    pub(super) samples: i64,
    pub(super) bytes: Number,
    pub(super) blocks: Number,
    pub(super) bytes_variance: Number,
    pub(super) blocks_variance: Number,
}

/// A float; `null` if it is not a finite number, which JSON cannot write. Read back, `null` is NaN.
#[derive(Clone, Copy, Default)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.serialize_none()
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(
            Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN),
        ))
    }
}

/// Addresses are text, because many readers of JSON keep numbers as floats and would round them.
fn write_hex<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}

fn write_hexes<S: Serializer>(
    addresses: &Option<Cow<'_, [u64]>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let addresses = addresses.as_deref().unwrap_or_default();
    serializer.collect_seq(addresses.iter().map(|&address| Hex(address)))
}

fn read_hexes<'de, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, [u64]>>, D::Error> {
    let addresses = Vec::<Hex>::deserialize(deserializer)?;
    Ok(Some(
        addresses.into_iter().map(|Hex(address)| address).collect(),
    ))
}

/// One address in a list of them.
#[derive(Serialize, Deserialize)]
struct Hex(#[serde(serialize_with = "write_hex", deserialize_with = "read_hex")] u64);

fn read_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text
        .strip_prefix("0x")
        .filter(|digits| !digits.starts_with('+'));
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .ok_or_else(|| de::Error::custom("expected an address such as \"0x7f00\""))
}
