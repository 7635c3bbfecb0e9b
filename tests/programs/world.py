"""Says in one line of JSON what it finds around it, and then waits: `world.py [FILE]`, to FILE or to stdout.

It stands beside the programs that are compiled; tests copy it to where the user of a service can read it.
"""

import ctypes
import json
import os
import resource
import signal
import sys

SYS_IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[os.uname().machine]
LIMITS = ("AS", "CORE", "CPU", "DATA", "FSIZE", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME",
          "SIGPENDING", "STACK")


def limit(name):
    return ["infinity" if value == resource.RLIM_INFINITY else value
            for value in resource.getrlimit(getattr(resource, "RLIMIT_" + name))]


def status():
    with open("/proc/self/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def writable(path):
    try:
        os.close(os.open(path, os.O_WRONLY))
        return True
    except OSError as error:
        return str(error)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def world():
    io_priority = ctypes.CDLL(None).syscall(SYS_IOPRIO_GET, 1, 0)
    facts = status()
    with open("/proc/self/oom_score_adj", encoding="utf-8") as file:
        oom_score_adj = int(file.read())
    return {
        "pid": os.getpid(), "uids": os.getresuid(), "gids": os.getresgid(), "groups": sorted(os.getgroups()),
        "umask": f"{umask():03o}", "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "ionice": [io_priority >> 13, io_priority & 0x1fff], "oom_score_adj": oom_score_adj,
        "rlimits": {name.lower(): limit(name) for name in LIMITS},
        "capabilities": {name: int(facts["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")},
        "no_new_privs": facts["NoNewPrivs"] == "1",
        "session": os.getsid(0), "group": os.getpgid(0),
        "environment": dict(os.environ), "cwd": os.getcwd(),
        "stdin": os.readlink("/proc/self/fd/0"),
        "stdout": writable("/dev/stdout"), "stderr": writable("/dev/stderr"),
        "stdout_owner": os.fstat(1).st_uid,
    }


def main():
    line = json.dumps(world()) + "\n"
    if len(sys.argv) > 1:
        with open(sys.argv[1] + ".new", "w", encoding="utf-8") as file:
            file.write(line)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        return
    sys.stdout.write(line)
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
