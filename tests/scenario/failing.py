"""Makes a running daemon run out of something, from outside and by the kernel's own means, and gives it back.

Nothing in the daemon knows of this. Limits are those of prlimit(2); a full disk is a small tmpfs; /proc is covered in a mount
namespace of the daemon's own; and where the kernel has no limit that can be raised again, tests/programs/fault.cpp holds the
daemon's own system calls and lets them fail for as long as a file says so.
"""

import contextlib
import ctypes
import os
import resource
import subprocess

from harness import PROGRAMS, PYTHON

LIBC = ctypes.CDLL(None, use_errno=True)
LAZILY = 2


class Faults:
    """For `nest.daemon(..., prefix=faults.prefix)`: calls that can be made to fail, "clone" or "socket,pidfd_open"."""

    def __init__(self, nest, calls):
        self.file = nest.tmp / "faults"
        self.prefix = [str(PROGRAMS / "fault"), calls, str(self.file), "--"]

    @contextlib.contextmanager
    def failing(self, call, error):
        self.set(f"{call} {error}\n")
        try:
            yield
        finally:
            self.set("")

    def set(self, text):
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.rename(self.file)


@contextlib.contextmanager
def limited(pid, kind, soft):
    """The soft limit of a running process; its hard one stays, so that the old soft one can come back."""
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (soft, before[1]))
    try:
        yield
    finally:
        if os.path.exists(f"/proc/{pid}"):
            resource.prlimit(pid, kind, before)


def lowest_free_descriptor(pid):
    taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


OWN_MOUNTS = ["unshare", "--mount", "--propagation", "private"]

COVER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
space = os.open(f"/proc/{sys.argv[2]}/ns/mnt", os.O_RDONLY)
if libc.setns(space, 0) != 0:
    raise OSError(ctypes.get_errno(), "setns")
done = libc.mount(b"none", b"/proc", b"tmpfs", 0, None) if sys.argv[1] == "cover" else libc.umount2(b"/proc", 2)
if done != 0:
    raise OSError(ctypes.get_errno(), sys.argv[1])
"""


def uncover(pid):
    subprocess.run([PYTHON, "-c", COVER, "uncover", str(pid)], check=True)


@contextlib.contextmanager
def proc_covered(pid):
    """An empty file system over /proc of a daemon that was started behind OWN_MOUNTS, and of all that it starts."""
    subprocess.run([PYTHON, "-c", COVER, "cover", str(pid)], check=True)
    try:
        yield
    finally:
        if os.path.exists(f"/proc/{pid}"):
            uncover(pid)


def small_disk(nest, name, options):
    """A tmpfs of its own, gone with the test."""
    folder = nest.tmp / name
    folder.mkdir()
    if LIBC.mount(b"none", str(folder).encode(), b"tmpfs", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    nest.finally_(lambda: LIBC.umount2(str(folder).encode(), LAZILY))
    return folder


def fill(folder):
    """The file that takes all of its space."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


def said(daemon, text):
    """Lines of the daemon's own log that hold `text`."""
    return [line for line in daemon.log_text().splitlines() if text in line]
