"""Processes, seen through /proc from outside of the daemon: what a test believes when the daemon says something."""

import os
import pathlib
import select
import signal

MARKER = "PLIMSOLL_TEST_MARKER"


def stat_fields(pid):
    """/proc/PID/stat from the state on (index 0), or None when there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()


def alive(pid):
    """A process that runs; a zombie is not."""
    fields = stat_fields(pid)
    return fields is not None and fields[0] not in "ZX"


def is_zombie(pid):
    fields = stat_fields(pid)
    return fields is not None and fields[0] == "Z"


def parent_of(pid):
    fields = stat_fields(pid)
    return int(fields[1]) if fields else None


def start_ticks(pid):
    """With the pid, the identity of a process: an unchanged pair is the same process."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else None


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and parent_of(int(entry)) == pid:
            found.append(int(entry))
    return found


def cpu_seconds(pid):
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def statm_bytes(pid):
    """(resident, of that pages of files)."""
    return tuple(int(word) * os.sysconf("SC_PAGE_SIZE") for word in pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1:3])


def rss_bytes(pid):
    return statm_bytes(pid)[0]


def own_bytes(pid):
    """Resident, without pages of files: how much of its program the kernel has mapped is no growth of the process."""
    resident, shared = statm_bytes(pid)
    return resident - shared


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def arguments(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def engine_port(pid):
    words = arguments(pid)
    return int(words[words.index("-p") + 1])


def carries(pid, marker):
    try:
        return f"{MARKER}={marker}".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def carriers(marker):
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and carries(int(entry), marker)]


def kill_carrier(pid, marker):
    """SIGKILL through a pidfd, after a second look: the pid may be another's by now."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if carries(pid, marker):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 10)
    except OSError:
        pass
    finally:
        os.close(handle)
