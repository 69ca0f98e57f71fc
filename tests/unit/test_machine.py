"""Probes of the machine, against fake /proc and /sys trees and against the real one."""

import json
import os
import resource
from pathlib import Path

import pytest

from headrace.core import machine

GIB = 1 << 30


class Tree:
    """A fake root folder with the few files of /proc and /sys that the probes read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = str(folder)
        self.write("proc/meminfo", f"MemTotal: {16 * GIB // 1024} kB\nMemAvailable: {12 * GIB // 1024} kB\nx: 1\n")

    def write(self, path: str, text: str | int) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def v2(self, path: str = "/", mount_root: str = "/") -> None:
        self.write("proc/self/cgroup", f"0::{path}")
        self.write(
            "proc/self/mountinfo",
            f"30 23 0:26 {mount_root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate",
        )

    def v1(self, path: str = "/", mount_root: str = "/") -> None:
        self.write("proc/self/cgroup", f"4:memory:{path}\n3:cpu,cpuacct:{path}\n0::/")
        lines = [
            f"31 30 0:27 {mount_root} /sys/fs/cgroup/memory rw shared:7 - cgroup cgroup rw,memory",
            f"32 30 0:28 {mount_root} /sys/fs/cgroup/cpu rw shared:8 - cgroup cgroup rw,cpu,cpuacct",
        ]
        self.write("proc/self/mountinfo", "\n".join(lines))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(machine, "affinity_count", lambda: 8)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: unlimited)
    return Tree(tmp_path)


def test_without_control_groups_the_whole_machine_counts(tree: Tree) -> None:
    assert machine.cpu_count(root=tree.root) == 8
    assert machine.cpu_quota(root=tree.root) is None
    assert machine.memory_limit(root=tree.root) == 16 * GIB
    assert machine.memory_available(root=tree.root) == 12 * GIB
    assert machine.cgroup_memory_limit(root=tree.root) is None


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("1000 100000", 1),
        ("9900000 100000", 8),
    ],
)
def test_the_v2_quota_caps_the_processors_rounded_up(tree: Tree, quota: str, expected: int) -> None:
    tree.v2("/job")
    tree.write("sys/fs/cgroup/job/cpu.max", quota)
    assert machine.cpu_count(root=tree.root) == expected


@pytest.mark.parametrize(("quota", "expected"), [(-1, 8), (300000, 3), (50000, 1)])
def test_the_v1_quota_caps_the_processors(tree: Tree, quota: int, expected: int) -> None:
    tree.v1("/job")
    tree.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", quota)
    tree.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", 100000)
    assert machine.cpu_count(root=tree.root) == expected


def test_the_tightest_ancestor_binds(tree: Tree) -> None:
    tree.v2("/user.slice/job.scope/inner")
    tree.write("sys/fs/cgroup/user.slice/memory.max", 2 * GIB)
    tree.write("sys/fs/cgroup/user.slice/job.scope/memory.max", 3 * GIB)
    tree.write("sys/fs/cgroup/user.slice/job.scope/inner/memory.max", "max")
    tree.write("sys/fs/cgroup/user.slice/cpu.max", "100000 100000")
    tree.write("sys/fs/cgroup/user.slice/job.scope/inner/cpu.max", "400000 100000")
    assert machine.memory_limit(root=tree.root) == 2 * GIB
    assert machine.cgroup_memory_limit(root=tree.root) == 2 * GIB
    assert machine.cpu_count(root=tree.root) == 1


def test_a_v1_limit_is_found_and_its_word_for_unlimited_ignored(tree: Tree) -> None:
    tree.v1("/docker/abc")
    tree.write("sys/fs/cgroup/memory/memory.limit_in_bytes", 9223372036854771712)
    tree.write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", GIB)
    assert machine.memory_limit(root=tree.root) == GIB
    tree.write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", 9223372036854771712)
    assert machine.memory_limit(root=tree.root) == 16 * GIB
    assert machine.cgroup_memory_limit(root=tree.root) is None


def test_a_container_that_sees_only_its_own_part_of_the_hierarchy(tree: Tree) -> None:
    tree.v1("/docker/abc", mount_root="/docker/abc")
    tree.write("sys/fs/cgroup/memory/memory.limit_in_bytes", GIB)
    assert machine.memory_limit(root=tree.root) == GIB


def test_a_process_outside_the_mounted_part_is_bound_by_the_mount(tree: Tree) -> None:
    tree.v2("/../other", mount_root="/mine")
    tree.write("sys/fs/cgroup/memory.max", GIB)
    assert machine.memory_limit(root=tree.root) == GIB


def test_droppable_file_pages_of_the_group_count_as_available(tree: Tree) -> None:
    tree.v2("/job")
    tree.write("sys/fs/cgroup/job/memory.max", 2 * GIB)
    tree.write("sys/fs/cgroup/job/memory.current", 2 * GIB - 1000)
    tree.write("sys/fs/cgroup/job/memory.stat", f"anon 5\ninactive_file {GIB}\n")
    assert machine.memory_available(root=tree.root) == GIB + 1000


def test_a_group_over_its_limit_has_nothing_available_not_less(tree: Tree) -> None:
    tree.v1("/job")
    tree.write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", GIB)
    tree.write("sys/fs/cgroup/memory/job/memory.usage_in_bytes", 2 * GIB)
    assert machine.memory_available(root=tree.root) == 0


def test_the_process_limits_cap_the_memory(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    caps = {resource.RLIMIT_AS: (3 * GIB, 3 * GIB)}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: caps.get(which, unlimited))
    assert machine.memory_limit(root=tree.root) == 3 * GIB
    assert machine.limits(root=tree.root).address_space == 3 * GIB
    assert machine.limits(root=tree.root).data is None


@pytest.mark.parametrize(
    ("cgroup", "mountinfo"),
    [
        ("", ""),
        ("garbage", "garbage"),
        ("0::/x", "a - cgroup2"),
        ("::", " - "),
        ("4:memory:/x", "\x00 - \x00"),
    ],
)
def test_files_that_make_no_sense_are_as_if_absent(tree: Tree, cgroup: str, mountinfo: str) -> None:
    tree.write("proc/self/cgroup", cgroup)
    tree.write("proc/self/mountinfo", mountinfo)
    assert machine.memory_limit(root=tree.root) == 16 * GIB
    assert machine.cpu_count(root=tree.root) == 8


@pytest.mark.parametrize(
    ("release", "expected"), [("5.13.0-40", False), ("5.14-rc1", True), ("6.1.0", True), ("x", False)]
)
def test_populate_read_needs_kernel_5_14(tree: Tree, release: str, expected: bool) -> None:
    tree.write("proc/sys/kernel/osrelease", release)
    assert machine.limits(root=tree.root).populate_read is expected


def test_limits_read_the_kernel_files(tree: Tree) -> None:
    tree.write("proc/sys/vm/max_map_count", 65530)
    tree.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
    found = machine.limits(root=tree.root)
    assert (found.max_map_count, found.huge_pages, found.open_files) == (65530, "madvise", None)


def test_an_empty_tree_falls_back_to_what_the_system_calls_know(tmp_path: Path) -> None:
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    assert machine.memory_total(root=str(tmp_path)) == pages * page
    assert 0 < machine.memory_available(root=str(tmp_path)) <= pages * page
    assert machine.limits(root=str(tmp_path)).max_map_count is None


def test_this_machine_gives_sensible_answers() -> None:
    assert 1 <= machine.cpu_count() <= (os.cpu_count() or 1)
    assert 0 < machine.memory_available() <= machine.memory_limit() <= machine.memory_total()


def test_the_description_fits_json_and_names_no_host() -> None:
    text = json.dumps(machine.describe())
    assert json.loads(text)["cpu_count"] == machine.cpu_count()
    assert os.uname().nodename not in text or len(os.uname().nodename) < 4
