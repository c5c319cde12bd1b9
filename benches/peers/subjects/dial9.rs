//! dial9 over mimalloc, live set on, one sample every 512 KiB. Its events go to memory, and from there to a stage that only
//! counts them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use dial9::core::pipeline::{ProcessError, SegmentData, SegmentProcessor};
use dial9::memory::{Dial9Allocator, MemoryProfiler, MemoryProfilingConfig};
use dial9::{MemoryBuffer, Recorder, recorder};
use mimalloc::MiMalloc;
use unkai_peers::child::{Proof, serve};

#[global_allocator]
static HEAP: Dial9Allocator<MiMalloc> = Dial9Allocator::new(MiMalloc);

static SEGMENT_BYTES: AtomicUsize = AtomicUsize::new(0);

fn main() -> io::Result<()> {
    let recorder = recorder(MemoryBuffer::new(16 << 20)?).pipe(Count).build();
    let config = MemoryProfilingConfig::builder()
        .sample_rate_bytes(512 << 10)
        .track_liveset(true)
        // Without frame pointers its stacks are short; `run.sh --frame-pointers` gives it some.
        .fail_on_missing_frame_pointers(false)
        .build();
    let guard = MemoryProfiler::from_config(config).install(recorder.handle().clone());
    let _guard = guard.map_err(io::Error::other)?;
    serve(move || proof(recorder))
}

fn proof(recorder: Recorder) -> Proof {
    if !dial9::memory::is_installed() || !recorder.handle().is_enabled() {
        return Err("it is not recording".to_owned());
    }
    recorder.graceful_shutdown(Duration::from_secs(10));
    match SEGMENT_BYTES.load(Relaxed) {
        0 => Err("it recorded no event".to_owned()),
        bytes => Ok(format!("{bytes} bytes of events")),
    }
}

/// Counts what was recorded, and lets it go.
#[derive(Debug)]
struct Count;

impl SegmentProcessor for Count {
    fn name(&self) -> &'static str {
        "Count"
    }

    fn process(
        &mut self,
        data: SegmentData,
    ) -> Pin<Box<dyn Future<Output = Result<SegmentData, ProcessError>> + Send + '_>> {
        SEGMENT_BYTES.fetch_add(data.payload().len(), Relaxed);
        Box::pin(async move { Ok(data) })
    }
}
