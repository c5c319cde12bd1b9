//! The limit that the program runs into.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// What all runs get.
pub(crate) const LIMIT_BYTES: u64 = 256 << 20;

/// Who sets the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    ControlGroup,
    AddressSpace,
}

/// A limit that is in force for a program which is to be started.
#[derive(Debug)]
pub(crate) enum Limit {
    ControlGroup(ControlGroup),
    AddressSpace,
}

impl Limit {
    /// In `place`; if that is not said, in a control group if there can be one.
    pub(crate) fn new(place: Option<Place>) -> io::Result<Self> {
        match place {
            Some(Place::AddressSpace) => Ok(Self::AddressSpace),
            Some(Place::ControlGroup) => ControlGroup::new().map(Self::ControlGroup),
            None => Ok(ControlGroup::new().map_or(Self::AddressSpace, Self::ControlGroup)),
        }
    }

    /// Tells the program to begin with taking this limit upon itself.
    pub(crate) fn tell(&self, program: &mut Command) {
        match self {
            Self::ControlGroup(group) => program.arg("--join").arg(&group.path),
            Self::AddressSpace => program.args(["--address-space", &LIMIT_BYTES.to_string()]),
        };
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlGroup(group) => write!(f, "a control group of its own ({})", group.what),
            Self::AddressSpace => write!(f, "a limited address space (RLIMIT_AS)"),
        }
    }
}

/// A control group with the limit, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    path: PathBuf,
    what: &'static str,
}

impl ControlGroup {
    fn new() -> io::Result<Self> {
        let version_1 = (
            "/sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "version 1",
        );
        let version_2 = ("/sys/fs/cgroup", "memory.max", "version 2");
        Self::below(version_1).or_else(|_| Self::below(version_2))
    }

    fn below((root, limit, what): (&str, &str, &'static str)) -> io::Result<Self> {
        let path = Path::new(root).join(format!("near_oom-{}", std::process::id()));
        fs::create_dir(&path)?;
        // From here on, it is removed whatever happens.
        let group = Self { path, what };
        fs::write(group.path.join(limit), LIMIT_BYTES.to_string())?;
        // Without a control for swap there is none.
        for (swap, bytes) in [
            ("memory.swap.max", "0"),
            ("memory.memsw.limit_in_bytes", &LIMIT_BYTES.to_string()),
        ] {
            if group.path.join(swap).exists() {
                fs::write(group.path.join(swap), bytes)?;
            }
        }
        Ok(group)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.path) {
            eprintln!("near_oom: {} stays: {error}", self.path.display());
        }
    }
}

/// In the program that was started: takes the limit upon itself.
pub(crate) fn take(how: Option<&str>, what: Option<&str>) -> Result<(), Box<dyn Error>> {
    match (how, what) {
        (Some("--join"), Some(group)) => {
            // 0 is whoever writes it.
            fs::write(Path::new(group).join("cgroup.procs"), "0")?;
            Ok(())
        }
        (Some("--address-space"), Some(bytes)) => {
            set(libc::RLIMIT_AS, bytes.parse()?)?;
            // What is known of the end is in the dump.
            Ok(set(libc::RLIMIT_CORE, 0)?)
        }
        _ => Err("no limit was named".into()),
    }
}

fn set(what: libc::__rlimit_resource_t, bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: the limit lives as long as the call.
    match unsafe { libc::setrlimit(what, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
