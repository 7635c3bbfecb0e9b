"""Control groups that a test makes for itself, below its own, in whichever version this machine has them."""

import ctypes
import os
import pathlib
import subprocess

from harness import wait_until


def mounts(kind):
    """(mount point, root, options) of what is mounted and not hidden by another mount, the last first."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        if after.split()[0] == kind:
            found.append((pathlib.Path(before.split()[4]), before.split()[3], after.split()[-1].split(",")))
    return found[::-1]


def own_path(controller):
    """Our path in the hierarchy of that controller; in the second version's for an empty one."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(",") and (controller or not names):
            return path
    return None


class Group:
    """A folder of a hierarchy; its processes are moved up and it is removed when the test is over."""

    def __init__(self, nest, folder):
        self.folder = folder
        folder.mkdir()
        nest.finally_(self.remove)

    def write(self, name, value):
        (self.folder / name).write_text(f"{value}\n")

    def read(self, name):
        return (self.folder / name).read_text()

    def take(self, pid):
        self.write("cgroup.procs", pid)

    def remove(self):
        def gone():
            for pid in self.read("cgroup.procs").split():
                try:
                    (self.folder.parent / "cgroup.procs").write_text(pid)
                except ProcessLookupError:
                    pass  # it ended meanwhile
            try:
                self.folder.rmdir()
            except OSError:
                return False
            return True
        wait_until(gone, what=f"{self.folder} being removed")


def first_version(nest, controller):
    """A new group of that controller's own hierarchy; mounted for the test where nobody has."""
    for point, root, names in mounts("cgroup"):
        if controller in names and (point / "cgroup.procs").exists():
            path = own_path(controller)
            inside = os.path.relpath(path, root) if path.startswith(root) else "."
            return Group(nest, point / inside / f"plimsoll-{os.getpid()}-{nest.marker[:6]}")
    point = nest.tmp / f"cgroup-{controller}"
    point.mkdir()
    done = subprocess.run(["mount", "-t", "cgroup", "-o", controller, "cgroup", point], check=False)
    assert done.returncode == 0, f"this kernel has no {controller} controller of the first version of control groups"
    nest.finally_(lambda: subprocess.run(["umount", point], check=True))
    return Group(nest, point / f"plimsoll-{os.getpid()}-{nest.marker[:6]}")


def second_version(nest, needs="cgroup.procs"):
    """A new group in which there is that file: below our own group, or below the first above it that hands the
    controller down."""
    for point, root, _ in mounts("cgroup2"):
        if not (point / "cgroup.procs").exists():
            continue
        path = own_path("")
        folder = point / os.path.relpath(path, root) if path.startswith(root) else point
        while True:
            group = Group(nest, folder / f"plimsoll-{os.getpid()}-{nest.marker[:6]}")
            if (group.folder / needs).exists():
                return group
            if folder == point:
                break
            folder = folder.parent
    raise AssertionError(f"there is no control group of the second version with {needs} to be had here")


class LimitedGroup(Group):
    """With a memory limit, in the hierarchy that has the controller here."""

    def __init__(self, nest, limit):
        self.unified = own_path("memory") is None
        made = second_version(nest, "memory.max") if self.unified else first_version(nest, "memory")
        self.folder = made.folder
        if limit is not None:
            self.write("memory.max" if self.unified else "memory.limit_in_bytes", limit)

    def limit_above(self):
        """The smallest that the groups above it have; None where nobody has one."""
        name = "memory.max" if self.unified else "memory.limit_in_bytes"
        found = []
        for folder in self.folder.parents:
            if not (folder / name).exists():
                break
            text = (folder / name).read_text().strip()
            if text != "max" and int(text) < 1 << 62:
                found.append(int(text))
        return min(found, default=None)

    def used(self):
        """As docs/configuration.md says it: without the cache of files."""
        stat = dict(line.split() for line in self.read("memory.stat").splitlines())
        total = "" if self.unified else "total_"
        usage = int(self.read("memory.current" if self.unified else "memory.usage_in_bytes"))
        return usage - int(stat[f"{total}inactive_file"]) - int(stat[f"{total}active_file"])

    def prefix(self):
        """Words that put what follows them into it."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh"]


PTRACE_SEIZE = 0x4206
PTRACE_O_TRACEEXIT = 0x40


def hold_at_its_exit(pid):
    """Traces it, so that it stops on its way out and stays there until this process ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(PTRACE_SEIZE, pid, None, PTRACE_O_TRACEEXIT) != 0:
        raise OSError(ctypes.get_errno(), "cannot trace")
