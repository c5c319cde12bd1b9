use std::fs;

use tempfile::TempDir;

use super::*;
use crate::limit::LimitKind;

const MIB: u64 = 1 << 20;

/// A file system as a process might see it.
struct Root {
    dir: TempDir,
}

impl Root {
    /// With a machine of 1000 MiB, of which 400 are taken.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = Self { dir };
        root.put(
            "proc/meminfo",
            "MemTotal: 1024000 kB\nMemFree: 1 kB\nMemAvailable: 614400 kB\n",
        )
        .put("proc/self/limits", &limits("unlimited"))
    }

    fn put(self, path: &str, text: &str) -> Self {
        self.change(path, text);
        self
    }

    fn change(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.dir.path().join(path)).expect("it was there");
    }

    /// A group of version 2, in MiB.
    fn v2(self, dir: &str, max: &str, current: u64, inactive: u64) -> Self {
        let stat = format!(
            "anon 1\nfile 2\ninactive_file {}\nactive_file 9\n",
            inactive * MIB
        );
        self.put(&format!("{dir}/memory.max"), &format!("{max}\n"))
            .put(
                &format!("{dir}/memory.current"),
                &format!("{}\n", current * MIB),
            )
            .put(&format!("{dir}/memory.stat"), &stat)
    }

    /// A group of version 1, in MiB.
    fn v1(self, dir: &str, limit: u64, hierarchical: u64, usage: u64, inactive: u64) -> Self {
        let stat = format!(
            "cache 1\ninactive_file 7\nhierarchical_memory_limit {hierarchical}\ntotal_inactive_file {}\n",
            inactive * MIB
        );
        self.put(
            &format!("{dir}/memory.limit_in_bytes"),
            &format!("{limit}\n"),
        )
        .put(
            &format!("{dir}/memory.usage_in_bytes"),
            &format!("{}\n", usage * MIB),
        )
        .put(&format!("{dir}/memory.stat"), &stat)
    }

    fn limits(&self) -> Limits {
        Limits::find(self.dir.path())
    }

    fn largest(&self) -> Option<(LimitKind, u64, u64)> {
        in_mib(self.limits().read(None))
    }
}

fn in_mib(limit: Option<Limit>) -> Option<(LimitKind, u64, u64)> {
    limit.map(|limit| (limit.kind, limit.bytes / MIB, limit.used_bytes / MIB))
}

fn limits(address_space: &str) -> String {
    format!(
        "Limit                     Soft Limit           Hard Limit           Units     \n\
         Max open files            1024                 4096                 files     \n\
         Max address space         {address_space:<20} unlimited            bytes     \n"
    )
}

const V2_MOUNT: &str =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNT: &str = "34 30 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                        35 30 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n";
const NONE_V1: u64 = 9_223_372_036_854_771_712;
const MACHINE: Option<(LimitKind, u64, u64)> = Some((LimitKind::Machine, 1000, 400));

#[test]
fn version_2_is_found_and_inactive_pages_of_files_are_not_taken() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a.slice/b.service\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a.slice/b.service", "104857600", 90, 20);
    assert_eq!(root.largest(), Some((LimitKind::CgroupV2, 100, 70)));
    assert_eq!(root.limits().notes(), [] as [String; 0]);
}

#[test]
fn of_the_groups_above_the_one_with_the_largest_share_counts() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a/b/c\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a", "209715200", 190, 0)
        .v2("sys/fs/cgroup/a/b", "max", 150, 0)
        .v2("sys/fs/cgroup/a/b/c", "104857600", 50, 0);
    let mut limits = root.limits();
    assert_eq!(
        in_mib(limits.read(None)),
        Some((LimitKind::CgroupV2, 200, 190))
    );
    // 10 MiB until the group above is full, 50 until the own one is.
    assert_eq!(limits.room(1.0), (10 * MIB) as f64);
}

#[test]
fn no_limit_leaves_the_machine() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a", "max", 900, 0);
    assert_eq!(root.largest(), MACHINE);
}

#[test]
fn a_limit_that_changes_is_read_anew() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a", "max", 90, 0);
    let mut limits = root.limits();
    assert_eq!(in_mib(limits.read(None)), MACHINE);
    root.change("sys/fs/cgroup/a/memory.max", "104857600\n");
    assert_eq!(
        in_mib(limits.read(None)),
        Some((LimitKind::CgroupV2, 100, 90))
    );
    root.change("sys/fs/cgroup/a/memory.max", "max\n");
    assert_eq!(in_mib(limits.read(None)), MACHINE);
}

#[test]
fn version_1_is_found_with_the_limit_of_groups_that_cannot_be_seen() {
    let root = Root::new()
        .put(
            "proc/self/cgroup",
            "5:cpu,cpuacct:/x\n4:memory:/a/b\n1:name=systemd:/y\n",
        )
        .put("proc/self/mountinfo", V1_MOUNT)
        .v1("sys/fs/cgroup/memory/a/b", NONE_V1, 200 * MIB, 150, 30)
        .v1("sys/fs/cgroup/memory", NONE_V1, NONE_V1, 999, 0);
    assert_eq!(root.largest(), Some((LimitKind::CgroupV1, 200, 120)));
    let root = root.v1("sys/fs/cgroup/memory/a/b", 100 * MIB, 200 * MIB, 60, 0);
    assert_eq!(root.largest(), Some((LimitKind::CgroupV1, 100, 60)));
    let root = root.v1("sys/fs/cgroup/memory/a/b", NONE_V1, NONE_V1, 60, 0);
    assert_eq!(root.largest(), MACHINE);
}

#[test]
fn of_a_hybrid_system_version_1_has_the_memory() {
    let mounts = format!("{V1_MOUNT}41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    let root = Root::new()
        .put("proc/self/cgroup", "4:memory:/a\n0::/a\n")
        .put("proc/self/mountinfo", &mounts)
        .put("sys/fs/cgroup/unified/a/cgroup.procs", "")
        .v1("sys/fs/cgroup/memory/a", 100 * MIB, NONE_V1, 60, 10);
    assert_eq!(root.largest(), Some((LimitKind::CgroupV1, 100, 50)));
}

#[test]
fn a_container_sees_its_group_where_the_mount_begins() {
    let group = |root: Root| root.v2("sys/fs/cgroup", "104857600", 60, 0);
    for (name, cgroup, mount_root) in [
        // A namespace of control groups: all paths begin at the container.
        ("namespace", "0::/\n", "/"),
        // None, but a mount of the container's part.
        ("bind mount", "0::/docker/abc\n", "/docker/abc"),
        // The path is the host's, the mount is the container's.
        ("host's path", "0::/docker/abc\n", "/"),
        // The process is outside of the namespace that the mount was made in.
        ("above", "0::/../../other\n", "/"),
        ("another mount", "0::/docker/abcd\n", "/docker/abc"),
    ] {
        let mount = V2_MOUNT.replacen(" / ", &format!(" {mount_root} "), 1);
        let root =
            group(Root::new().put("proc/self/cgroup", cgroup)).put("proc/self/mountinfo", &mount);
        assert_eq!(
            root.largest(),
            Some((LimitKind::CgroupV2, 100, 60)),
            "{name}"
        );
    }
}

#[test]
fn of_several_mounts_the_one_that_shows_the_group_is_taken() {
    let mounts = format!(
        "{}{V2_MOUNT}",
        V2_MOUNT.replace(" / /sys/fs/cgroup", r" /x /mnt/a\040b")
    );
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", &mounts)
        .put("mnt/a b/cgroup.procs", "")
        .v2("sys/fs/cgroup/a", "104857600", 60, 0);
    assert_eq!(root.largest(), Some((LimitKind::CgroupV2, 100, 60)));
}

#[test]
fn missing_files_are_told_and_the_rest_is_used() {
    let root = Root::new();
    assert_eq!(root.largest(), MACHINE);
    let notes = root.limits().notes().join("\n");
    assert!(notes.contains("/proc/self/cgroup"), "{notes}");
    assert!(notes.contains("/proc/self/mountinfo"), "{notes}");

    let root = root
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", V2_MOUNT);
    assert_eq!(root.largest(), MACHINE);
    let notes = root.limits().notes().join("\n");
    assert!(notes.contains("no control group"), "{notes}");

    root.remove("proc/meminfo");
    root.remove("proc/self/limits");
    assert_eq!(root.largest(), None);
    let notes = root.limits().notes().join("\n");
    assert!(
        notes.contains("/proc/meminfo") && notes.contains("/proc/self/limits"),
        "{notes}"
    );
    assert_eq!(root.limits().room(0.9), f64::INFINITY);
}

#[test]
fn without_memory_stat_all_is_taken() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a", "104857600", 90, 20);
    root.remove("sys/fs/cgroup/a/memory.stat");
    assert_eq!(root.largest(), Some((LimitKind::CgroupV2, 100, 90)));
    assert!(root.limits().notes().join("\n").contains("memory.stat"));
}

#[test]
fn garbage_is_no_limit() {
    let root = || {
        Root::new()
            .put("proc/self/cgroup", "0::/a\n")
            .put("proc/self/mountinfo", V2_MOUNT)
    };
    for garbage in [
        "",
        "\n",
        "many\n",
        "-5\n",
        "0\n",
        "1e9\n",
        "99999999999999999999999\n",
        "\u{0}",
    ] {
        let root = root().v2("sys/fs/cgroup/a", garbage, 90, 20);
        assert_eq!(root.largest(), MACHINE, "{garbage:?}");
        root.change("sys/fs/cgroup/a/memory.max", "104857600\n");
        root.change("sys/fs/cgroup/a/memory.current", garbage);
        let largest = root.largest();
        let nothing_taken = garbage == "0\n";
        assert!(
            largest == MACHINE,
            "{garbage:?} {nothing_taken}: {largest:?}"
        );
    }
    for name in ["cgroup", "mountinfo", "limits"] {
        let root = root().v2("sys/fs/cgroup/a", "104857600", 10, 0);
        let path = root.dir.path().join("proc/self").join(name);
        fs::write(&path, [0xff, b'\n', b':', b'-', 0, b' ']).expect("a file");
        assert_eq!(root.largest(), MACHINE, "{name}");
    }
    let root = root().put("proc/meminfo", "MemTotal: lots kB\nMemAvailable: 1 kB\n");
    assert_eq!(root.largest(), None);
}

#[test]
fn more_inactive_pages_than_are_taken_leave_nothing() {
    let root = Root::new()
        .put("proc/self/cgroup", "0::/a\n")
        .put("proc/self/mountinfo", V2_MOUNT)
        .v2("sys/fs/cgroup/a", "104857600", 10, 20);
    let mut limits = root.limits();
    limits.read(None);
    assert!(limits.read.iter().any(|limit| limit.used_bytes == 0));
}

#[test]
fn the_address_space_is_a_limit_when_there_is_one() {
    let root = Root::new();
    let own = OwnMemory {
        address_space: 900 * MIB,
        resident: 1,
    };
    let largest = |root: &Root| in_mib(root.limits().read(Some(own)));
    assert_eq!(largest(&root), MACHINE);
    root.change("proc/self/limits", &limits("1048576000"));
    assert_eq!(largest(&root), Some((LimitKind::AddressSpace, 1000, 900)));
    assert_eq!(root.largest(), MACHINE, "its own size is not known");
}

#[test]
fn this_machine_has_limits() {
    let mut limits = Limits::find(Path::new("/"));
    let limit = limits.read(None).expect("a machine has memory");
    assert!(limit.bytes > MIB && limit.used_bytes > 0, "{limit:?}");
    assert!((0.0..=1.5).contains(&limit.share()), "{limit:?}");
}
