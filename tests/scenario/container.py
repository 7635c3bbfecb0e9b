"""Containers for tests: what stands before the words `plimsolld …` so that they run inside of one.

The container is made by crun, a real OCI runtime, from a bundle written here: no image, no registry, no network. Its root
is empty but for links and mount points; the machine's own /usr is bound into it read-only, beside the folders of plimsolld
and of the test programs and the test's own folder, each at its own path. So a configuration, a socket and a log have one
path inside and outside, and plimsollctl can ask from outside.

What Docker takes away by default is taken away here: all capabilities but its fourteen, and by seccomp the calls that a
supervisor might have thought of (`clone3` is answered by ENOSYS, as a libc without it would have it; the others by
EPERM). It is written as the list of what is refused, where Docker's is the list of what is let through: for what plimsolld
and its children call they say the same.

    container.py SPEC -- ARGV…      SPEC: JSON, the fields of `Container`; becomes the runtime, whose exit code is ARGV's

crun will not touch a machine whose cgroup hierarchies are mixed. So it starts in a mount and a cgroup namespace of its own,
in which /sys/fs/cgroup is the second version's hierarchy alone, or, for a container with the first version's controllers,
with `hidden_cgroups`, what the bundle binds. In a chroot pivot_root(2) is refused, which is why it moves the root instead.
"""

import dataclasses
import json
import os
import pathlib
import sys
import uuid

PYTHON = "/usr/bin/python3"

DOCKERS = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE").split()]

REFUSED = """acct add_key bpf clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig fsmount fsopen
fspick init_module io_uring_enter io_uring_register io_uring_setup kcmp kexec_load keyctl lookup_dcookie mbind mount
mount_setattr move_mount move_pages open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_madvise
quotactl reboot request_key set_mempolicy setdomainname sethostname setns settimeofday swapoff swapon syslog umount2 unshare
userfaultfd vhangup""".split()

ENOSYS, EPERM = 38, 1


@dataclasses.dataclass
class Container:
    """`binds`: what is at the same path inside, writable. `init`: words before ARGV, such as those of a shell as PID 1.
    `cgroup`: a folder of the machine's hierarchy that is shown at /sys/fs/cgroup, read-only; with `cgroup_name` at
    /sys/fs/cgroup/NAME, as the first version has it; None: no cgroup can be seen."""
    folder: str
    read_only_binds: list
    binds: list
    user: int = 0
    read_only: bool = False
    capabilities: bool = True
    hidepid: bool = False
    init: list = dataclasses.field(default_factory=list)
    cgroups: bool = True

    def prefix(self):
        return [PYTHON, os.path.abspath(__file__), json.dumps(dataclasses.asdict(self)), "--"]


def mount(where, kind, source, *options):
    return {"destination": where, "type": kind, "source": source, "options": list(options)}


def mounts_of(spec):
    quiet = ("nosuid", "noexec", "nodev")
    found = [mount("/proc", "proc", "proc", *quiet, *(["hidepid=2"] if spec.hidepid else [])),
             mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
             mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
             mount("/dev/shm", "tmpfs", "shm", *quiet, "mode=1777", "size=65536k"),
             mount("/usr", "bind", "/usr", "rbind", "ro")]
    if spec.cgroups:
        found += [mount("/sys", "sysfs", "sysfs", *quiet, "ro"),
                  mount("/sys/fs/cgroup", "cgroup", "cgroup", *quiet, "relatime", "ro")]
    if not spec.read_only:
        found.append(mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777"))
    found += [mount(path, "bind", path, "bind", "ro") for path in spec.read_only_binds]
    found += [mount(path, "bind", path, "bind", "rw") for path in spec.binds]
    return found


def process_of(spec, argv):
    capabilities = DOCKERS if spec.capabilities else []
    held = capabilities if spec.user == 0 else []
    return {"terminal": False, "user": {"uid": spec.user, "gid": spec.user}, "args": [*spec.init, *argv], "cwd": "/",
            "env": [f"{name}={value}" for name, value in os.environ.items()],
            "capabilities": {"bounding": capabilities, "effective": held, "permitted": held},
            "noNewPrivileges": not spec.capabilities}


def configuration(spec, argv):
    refusals = [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
                {"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": EPERM}]
    return {"ociVersion": "1.0.2", "process": process_of(spec, argv), "hostname": "container",
            "root": {"path": "root", "readonly": spec.read_only}, "mounts": mounts_of(spec),
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network", "cgroup")],
                      "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
                      "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
                      "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": refusals}}}


def write_root(root):
    """What the machine has as links into /usr is so here; /etc knows a root and another user."""
    for name in ("proc", "dev", "sys", "usr", "etc", "tmp", "run"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            (root / name).symlink_to(os.readlink(f"/{name}"))
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nuser:x:1000:\n")


def run(spec, argv):
    name = f"plm-{uuid.uuid4().hex[:12]}"
    bundle = pathlib.Path(spec.folder) / name
    bundle.mkdir(mode=0o755)
    write_root(bundle / "root")
    for path in (*spec.read_only_binds, *spec.binds):  # crun cannot make them in a root that is read-only
        (bundle / "root" / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (bundle / "config.json").write_text(json.dumps(configuration(spec, argv)))
    inner = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
    words = ["unshare", "--mount", "--cgroup", "--propagation", "private", "sh", "-c", inner, "sh", "crun",
             "--cgroup-manager=disabled", "--root", str(bundle / "state"), "run", "--no-pivot", "--bundle", str(bundle),
             name]
    os.execvp(words[0], words)


if __name__ == "__main__":
    run(Container(**json.loads(sys.argv[1])), sys.argv[sys.argv.index("--") + 1:])
