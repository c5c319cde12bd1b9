//! Where the process's control group is to be found in the file system: `/proc/self/cgroup` and `/proc/self/mountinfo`.
//!
//! Both files speak of the same tree from different places. In a container a mount may show only the part of the tree
//! below `root`, and the path of the group may be the host's. So a path is taken relative to the mount's root, and where
//! that leads nowhere, the mount itself is the group.

use std::path::{Path, PathBuf};

/// Which tree of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Each controller has a tree: that of `memory`.
    One,
    /// All controllers share one.
    Two,
}

/// Where a control group is, and where its tree begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) mount: PathBuf,
    pub(super) group: PathBuf,
}

/// The path of the process's control group, as `/proc/self/cgroup` says it.
pub(super) fn path_of(version: Version, cgroup: &str) -> Option<&str> {
    cgroup.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = match version {
            Version::One => controllers.split(',').any(|name| name == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        is_it.then_some(path)
    })
}

/// Where below `root` the group `path` is, of all mounts of its tree the first that shows it.
pub(super) fn place(version: Version, path: &str, mountinfo: &str, root: &Path) -> Option<Place> {
    let mounts = || {
        mountinfo
            .lines()
            .filter_map(|line| Mount::parse(version, line))
    };
    let exact = mounts().find_map(|mount| mount.place(path, root));
    exact.or_else(|| {
        let mount = mounts().next()?.path_below(root);
        Some(Place {
            group: mount.clone(),
            mount,
        })
    })
}

/// One mount of a tree of control groups.
struct Mount {
    /// The part of the tree that it shows.
    root: String,
    point: String,
}

impl Mount {
    /// `36 35 98:0 /root /point options optional… - type source super-options`
    fn parse(version: Version, line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut file_system = file_system.split(' ');
        let (kind, _source, options) = (
            file_system.next()?,
            file_system.next()?,
            file_system.next()?,
        );
        let is_it = match version {
            Version::One => kind == "cgroup" && options.split(',').any(|name| name == "memory"),
            Version::Two => kind == "cgroup2",
        };
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        is_it.then(|| Self {
            root: unescape(root),
            point: unescape(point),
        })
    }

    fn place(&self, path: &str, root: &Path) -> Option<Place> {
        let mount = self.path_below(root);
        let relative = if self.root == "/" {
            path
        } else {
            let rest = path.strip_prefix(&self.root)?;
            if !(rest.is_empty() || rest.starts_with('/')) {
                return None;
            }
            rest
        };
        // Above the root of the namespace: not to be seen.
        if relative.split('/').any(|name| name == "..") {
            return None;
        }
        let relative = relative.trim_matches('/');
        let group = if relative.is_empty() {
            mount.clone()
        } else {
            mount.join(relative)
        };
        group.is_dir().then_some(Place { mount, group })
    }

    fn path_below(&self, root: &Path) -> PathBuf {
        root.join(self.point.trim_start_matches('/'))
    }
}

/// The kernel writes a space as `\040`, and so on.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_escapes_are_read() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
        for text in [r"\", r"\04", r"\999", "/plain"] {
            assert_eq!(unescape(text), text);
        }
    }

    #[test]
    fn lines_of_another_form_are_passed_over() {
        assert_eq!(
            path_of(Version::Two, "garbage\n0:x\n0::/a:b\n"),
            Some("/a:b")
        );
        assert_eq!(
            path_of(Version::One, "3:cpu,memory:/m\n0::/u\n"),
            Some("/m")
        );
        assert_eq!(path_of(Version::One, "3:cpu,memoryx:/m\n"), None);
        for line in ["", " - ", "1 2 3 / /p rw - cgroup2", "- cgroup2 x y"] {
            assert!(Mount::parse(Version::Two, line).is_none(), "{line:?}");
        }
    }
}
