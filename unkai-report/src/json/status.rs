//! Everything of a snapshot but its sites, to and from the wire.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use unkai_core::{self as core, Cause, Losses};

use super::error::ReadError;
use super::wire::{
    Amount, CrowdedTable, LimitStatus, Mode, Moment, OwnMemory, Sampling, Span, TableUse, Totals,
    Unwinder, Unwinding, Widened,
};
use crate::words::losses::name;

pub(super) fn moment(moment: SystemTime) -> Moment {
    let (seconds, nanoseconds) = match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            match before.subsec_nanos() {
                0 => (-i128::from(before.as_secs()), 0),
                part => (-i128::from(before.as_secs()) - 1, NANOSECONDS - part),
            }
        }
    };
    let unix_seconds = seconds.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
    Moment {
        unix_seconds,
        nanoseconds,
    }
}

pub(super) fn read_moment(moment: &Moment) -> Result<SystemTime, ReadError> {
    let whole = Duration::from_secs(moment.unix_seconds.unsigned_abs());
    let whole = match moment.unix_seconds {
        0.. => UNIX_EPOCH.checked_add(whole),
        _ => UNIX_EPOCH.checked_sub(whole),
    };
    let part = Duration::from_nanos(u64::from(moment.nanoseconds));
    let moment = whole.filter(|_| moment.nanoseconds < NANOSECONDS);
    moment
        .and_then(|whole| whole.checked_add(part))
        .ok_or_else(|| ReadError::malformed("taken_at", "not a moment that this system can tell"))
}

pub(super) fn span(duration: Duration) -> Span {
    Span {
        seconds: duration.as_secs(),
        nanoseconds: duration.subsec_nanos(),
    }
}

pub(super) fn read_span(span: &Span, position: &str) -> Result<Duration, ReadError> {
    if span.nanoseconds >= NANOSECONDS {
        return Err(ReadError::malformed(
            position,
            "a second has fewer nanoseconds",
        ));
    }
    Ok(Duration::new(span.seconds, span.nanoseconds))
}

pub(super) fn totals(totals: &core::Totals) -> Totals {
    let amount = |amount: core::Amount| Amount {
        bytes: amount.bytes,
        blocks: amount.blocks,
    };
    Totals {
        allocated: amount(totals.allocated),
        freed: amount(totals.freed),
        peak_live_bytes: totals.peak_live_bytes,
        peak_error_bytes: totals.peak_error_bytes,
        refused_requests: totals.refused_requests,
    }
}

pub(super) fn read_totals(totals: &Totals) -> core::Totals {
    let amount = |amount: &Amount| core::Amount {
        bytes: amount.bytes,
        blocks: amount.blocks,
    };
    let mut read = core::Totals::default();
    read.allocated = amount(&totals.allocated);
    read.freed = amount(&totals.freed);
    read.peak_live_bytes = totals.peak_live_bytes;
    read.peak_error_bytes = totals.peak_error_bytes;
    read.refused_requests = totals.refused_requests;
    read
}

pub(super) fn limit(limit: core::LimitStatus) -> LimitStatus {
    LimitStatus {
        limit_bytes: limit.limit_bytes,
        live_bytes: limit.live_bytes,
        refuses: limit.refuses,
        refused_requests: limit.refused_requests,
    }
}

pub(super) fn read_limit(limit: &LimitStatus) -> core::LimitStatus {
    core::LimitStatus {
        limit_bytes: limit.limit_bytes,
        live_bytes: limit.live_bytes,
        refuses: limit.refuses,
        refused_requests: limit.refused_requests,
    }
}

pub(super) fn sampling(sampling: &core::SamplingStatus) -> io::Result<Sampling> {
    Ok(Sampling {
        mode: mode(sampling.mode)?,
        widened: sampling.widened.as_ref().map(widened).transpose()?,
        paused: sampling.paused,
        threshold_bytes: sampling.threshold_bytes,
    })
}

pub(super) fn read_sampling(sampling: &Sampling, read: &mut core::SamplingStatus) {
    read.mode = read_mode(&sampling.mode);
    read.widened = sampling.widened.as_ref().map(read_widened);
    read.paused = sampling.paused;
    read.threshold_bytes = sampling.threshold_bytes;
}

fn mode(sampling: core::Sampling) -> io::Result<Mode> {
    Ok(match sampling {
        core::Sampling::Off => Mode::Off,
        core::Sampling::EveryBlock => Mode::EveryBlock,
        core::Sampling::Bytes { interval } => Mode::Bytes { interval },
        core::Sampling::Blocks { one_in } => Mode::Blocks { one_in },
        _ => return Err(unsupported("way of sampling")),
    })
}

fn read_mode(mode: &Mode) -> core::Sampling {
    match *mode {
        Mode::Off => core::Sampling::Off,
        Mode::EveryBlock => core::Sampling::EveryBlock,
        Mode::Bytes { interval } => core::Sampling::Bytes { interval },
        Mode::Blocks { one_in } => core::Sampling::Blocks { one_in },
    }
}

fn widened(widened: &core::Widened) -> io::Result<Widened> {
    let by = match widened.by {
        core::CrowdedTable::Stacks => CrowdedTable::Stacks,
        core::CrowdedTable::Sites => CrowdedTable::Sites,
        core::CrowdedTable::LiveSamples => CrowdedTable::LiveBlocks,
        _ => return Err(unsupported("crowded table")),
    };
    let set = mode(widened.set)?;
    Ok(Widened { set, by })
}

fn read_widened(widened: &Widened) -> core::Widened {
    let by = match widened.by {
        CrowdedTable::Stacks => core::CrowdedTable::Stacks,
        CrowdedTable::Sites => core::CrowdedTable::Sites,
        CrowdedTable::LiveBlocks => core::CrowdedTable::LiveSamples,
    };
    core::Widened::new(read_mode(&widened.set), by)
}

pub(super) fn unwinding(unwinding: &core::UnwindingStatus) -> io::Result<Unwinding> {
    let kind = match unwinding.kind {
        core::UnwinderKind::None => Unwinder::None,
        core::UnwinderKind::FramePointers => Unwinder::FramePointers,
        core::UnwinderKind::Tables => Unwinder::Tables,
        core::UnwinderKind::Portable => Unwinder::Portable,
        _ => return Err(unsupported("unwinder")),
    };
    Ok(Unwinding {
        kind,
        frame_pointers: unwinding.frame_pointers,
        max_frames: unwinding.max_frames,
        skipped_frames: unwinding.skipped_frames,
        modules: unwinding.modules,
    })
}

pub(super) fn read_unwinding(unwinding: &Unwinding, read: &mut core::UnwindingStatus) {
    read.kind = match unwinding.kind {
        Unwinder::None => core::UnwinderKind::None,
        Unwinder::FramePointers => core::UnwinderKind::FramePointers,
        Unwinder::Tables => core::UnwinderKind::Tables,
        Unwinder::Portable => core::UnwinderKind::Portable,
    };
    read.frame_pointers = unwinding.frame_pointers;
    read.max_frames = unwinding.max_frames;
    read.skipped_frames = unwinding.skipped_frames;
    read.modules = unwinding.modules;
}

pub(super) fn losses(losses: &Losses) -> io::Result<BTreeMap<String, u64>> {
    let named = named_losses(losses);
    named
        .map(|named| named.map(|(name, count)| (name.to_owned(), count)))
        .collect()
}

pub(super) fn named_losses(
    losses: &Losses,
) -> impl Iterator<Item = io::Result<(&'static str, u64)>> {
    losses.iter().map(|(cause, count)| {
        let name = name(cause).ok_or_else(|| unsupported("cause of loss"))?;
        Ok((name, count))
    })
}

pub(super) fn read_losses(losses: &BTreeMap<String, u64>) -> Result<Losses, ReadError> {
    let mut read = Losses::default();
    for (cause, count) in losses {
        let unknown =
            || ReadError::malformed(format!("losses.{cause}"), "an unknown cause of loss");
        let mut known = Cause::ALL.into_iter();
        let cause = known.find(|&known| name(known) == Some(cause));
        read.set(cause.ok_or_else(unknown)?, *count);
    }
    Ok(read)
}

pub(super) fn own_memory(own: &core::OwnMemory) -> OwnMemory {
    let table = |table: core::TableUse| TableUse {
        entries: table.entries,
        capacity: table.capacity,
        used_bytes: table.used_bytes,
        capacity_bytes: table.capacity_bytes,
    };
    OwnMemory {
        threads: table(own.threads),
        stacks: table(own.stacks),
        sites: table(own.sites),
        live_blocks: table(own.live_blocks),
        unwinder_bytes: own.unwinder_bytes,
    }
}

pub(super) fn read_own_memory(own: &OwnMemory) -> core::OwnMemory {
    let table = |table: &TableUse| {
        let mut read = core::TableUse::default();
        read.entries = table.entries;
        read.capacity = table.capacity;
        read.used_bytes = table.used_bytes;
        read.capacity_bytes = table.capacity_bytes;
        read
    };
    let mut read = core::OwnMemory::default();
    read.threads = table(&own.threads);
    read.stacks = table(&own.stacks);
    read.sites = table(&own.sites);
    read.live_blocks = table(&own.live_blocks);
    read.unwinder_bytes = own.unwinder_bytes;
    read
}

fn unsupported(what: &str) -> io::Error {
    let text = format!("this version of unkai-report has no name for a {what} of the snapshot");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

const NANOSECONDS: u32 = 1_000_000_000;
