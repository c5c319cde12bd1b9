//! Who takes part: every subject with its binary and its settings.

use std::path::PathBuf;

use crate::options::Options;

/// An allocator as a program would install it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The package whose version belongs to the name.
    pub(crate) package: Option<&'static str>,
    pub(crate) over: Heap,
    pub(crate) role: Role,
    pub(crate) binary: &'static str,
    /// The one variable that switches it on.
    pub(crate) environment: Option<(&'static str, &'static str)>,
    /// What a reader of the tables must know of its settings.
    pub(crate) settings: &'static str,
}

/// What a subject's times are divided by: those of the bare subject over the same heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heap {
    MiMalloc,
    MiMallocPprof,
    Jemalloc,
    System,
    /// The system's allocator in a program that was built with frame pointers.
    SystemFramePointers,
}

impl Heap {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::MiMalloc => "over mimalloc",
            Self::MiMallocPprof => "over mimalloc-pprof's own mimalloc",
            Self::Jemalloc => "over jemalloc",
            Self::System => "over the system's allocator",
            Self::SystemFramePointers => "over the system's allocator, frame pointers",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Bare,
    /// The bare heap in a second process: its ratio is noise.
    BareAgain,
    Profiler,
    /// The bare binary, run by heaptrack.
    Heaptrack,
}

impl Subject {
    /// Its name in the tables.
    pub(crate) fn label(&self) -> String {
        let name = self.name;
        match (self.package.and_then(version), name.split_once(", ")) {
            (Some(version), Some((name, how))) => format!("{name} {version}, {how}"),
            (Some(version), None) => format!("{name} {version}"),
            (None, _) => name.to_owned(),
        }
    }

    /// Where it was built.
    pub(crate) fn path(&self, options: &Options) -> Option<PathBuf> {
        let folder = match self.over {
            Heap::SystemFramePointers => options.frame_pointers_folder.as_ref()?,
            _ => &options.folder,
        };
        Some(folder.join(self.binary))
    }

    const fn new(over: Heap, name: &'static str, binary: &'static str) -> Self {
        Self {
            name,
            package: None,
            over,
            role: Role::Profiler,
            binary,
            environment: None,
            settings: "",
        }
    }

    const fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    const fn version_of(mut self, package: &'static str) -> Self {
        self.package = Some(package);
        self
    }

    const fn with(mut self, variable: &'static str, value: &'static str) -> Self {
        self.environment = Some((variable, value));
        self
    }

    const fn settings(mut self, settings: &'static str) -> Self {
        self.settings = settings;
        self
    }
}

/// Those that sample or count, meant to stay on.
pub(crate) fn sampled() -> Vec<Subject> {
    use Heap::{Jemalloc, MiMalloc, MiMallocPprof, System};
    const JEMALLOC_PROFILER: (&str, &str) = (
        "_RJEM_MALLOC_CONF",
        "prof:true,prof_active:true,lg_prof_sample:19",
    );
    vec![
        Subject::new(MiMalloc, "bare", "subject-mimalloc").role(Role::Bare),
        Subject::new(MiMalloc, "bare again (noise)", "subject-mimalloc").role(Role::BareAgain),
        Subject::new(MiMalloc, "pass-through wrapper", "subject-pass-through"),
        Subject::new(MiMalloc, "unkai", "subject-unkai-mimalloc").version_of("unkai"),
        Subject::new(MiMalloc, "unkai, counting only", "subject-unkai-mimalloc")
            .version_of("unkai")
            .with("UNKAI_PEERS_COUNT_ONLY", "1"),
        Subject::new(MiMalloc, "dial9", "subject-dial9")
            .version_of("dial9")
            .settings("live set on, stacks by frame pointers"),
        Subject::new(MiMalloc, "pprof-alloc", "subject-pprof-alloc")
            .version_of("pprof-alloc")
            .settings("pprof and stats on, stacks by frame pointers"),
        Subject::new(MiMalloc, "libdd-profiling-heap", "subject-libdd")
            .version_of("libdd-profiling-heap-allocator")
            .settings("live heap on, its probe taken as attached; nobody takes the stacks"),
        Subject::new(MiMalloc, "re_memory", "subject-re-memory")
            .version_of("re_memory")
            .settings("stacks of one in 64 blocks of 1 KiB and more: it knows no interval"),
        Subject::new(MiMalloc, "tracking-allocator", "subject-tracking-allocator")
            .version_of("tracking-allocator")
            .settings("a tracker that counts blocks and bytes; no stacks"),
        Subject::new(MiMalloc, "cap", "subject-cap")
            .version_of("cap")
            .settings("totals only"),
        Subject::new(MiMallocPprof, "bare", "subject-mimalloc-pprof").role(Role::Bare),
        Subject::new(
            MiMallocPprof,
            "bare again (noise)",
            "subject-mimalloc-pprof",
        )
        .role(Role::BareAgain),
        Subject::new(MiMallocPprof, "mimalloc-pprof", "subject-mimalloc-pprof")
            .version_of("mimalloc-pprof")
            .with("MIMALLOC_PROF", "1")
            .settings("started, at its default of 512 KiB; its bare heap is the same build, idle"),
        Subject::new(Jemalloc, "bare", "subject-jemalloc").role(Role::Bare),
        Subject::new(Jemalloc, "bare again (noise)", "subject-jemalloc").role(Role::BareAgain),
        Subject::new(Jemalloc, "unkai", "subject-unkai-jemalloc").version_of("unkai"),
        Subject::new(Jemalloc, "unkai, counting only", "subject-unkai-jemalloc")
            .version_of("unkai")
            .with("UNKAI_PEERS_COUNT_ONLY", "1"),
        Subject::new(Jemalloc, "jemalloc's profiler", "subject-jemalloc")
            .version_of("tikv-jemallocator")
            .with(JEMALLOC_PROFILER.0, JEMALLOC_PROFILER.1)
            .settings("prof:true,prof_active:true,lg_prof_sample:19"),
        Subject::new(System, "bare", "subject-system").role(Role::Bare),
        Subject::new(System, "bare again (noise)", "subject-system").role(Role::BareAgain),
        Subject::new(System, "unkai", "subject-unkai-system").version_of("unkai"),
        Subject::new(System, "stats_alloc", "subject-stats-alloc")
            .version_of("stats_alloc")
            .settings("totals only; wraps no other allocator in a static"),
    ]
}

/// Those that record every block.
pub(crate) fn every_block() -> Vec<Subject> {
    use Heap::{System, SystemFramePointers};
    vec![
        Subject::new(System, "bare", "subject-system").role(Role::Bare),
        Subject::new(System, "bare again (noise)", "subject-system").role(Role::BareAgain),
        Subject::new(System, "unkai, unwind tables", "subject-unkai-every-block")
            .version_of("unkai"),
        Subject::new(System, "dhat", "subject-dhat").version_of("dhat"),
        Subject::new(System, "heaptrack", "subject-system").role(Role::Heaptrack),
        Subject::new(SystemFramePointers, "bare", "subject-system").role(Role::Bare),
        Subject::new(SystemFramePointers, "bare again (noise)", "subject-system")
            .role(Role::BareAgain),
        Subject::new(
            SystemFramePointers,
            "unkai, frame pointers",
            "subject-unkai-every-block",
        )
        .version_of("unkai"),
        Subject::new(SystemFramePointers, "dhat", "subject-dhat").version_of("dhat"),
        Subject::new(SystemFramePointers, "heaptrack", "subject-system").role(Role::Heaptrack),
    ]
}

/// The bare subject that this one is compared with.
pub(crate) fn bare_of(subjects: &[Subject], subject: &Subject) -> Option<usize> {
    subjects
        .iter()
        .position(|other| other.role == Role::Bare && other.over == subject.over)
}

/// The version of a package in the lock files that the subjects were built from: the latest, if there are several.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    const LOCKS: [&str; 2] = [
        include_str!("../Cargo.lock"),
        include_str!("../mimalloc-pprof/Cargo.lock"),
    ];
    let name = format!("name = \"{package}\"");
    LOCKS.iter().find_map(|lock| {
        let lines = lock.lines().zip(lock.lines().skip(1));
        let (_, line) = lines.filter(|(line, _)| *line == name).last()?;
        line.strip_prefix("version = \"")?.strip_suffix('"')
    })
}
