"""plimsolld in a container of a real OCI runtime: as the entrypoint and with a file, with what containers take away.

Four places: PID 1 as root with what Docker leaves to it; PID 1 as another user with a root that is read-only, no
capability, a /proc that shows nobody else's processes and no cgroup to be seen; and both below a shell of root's that is
PID 1 in its stead. What is asked is the same everywhere. Processes have two numbers here: `inside` is the one that
plimsolld knows.
"""

import json
import os
import signal

import pytest

from apps import ENGINE, app_service
from container import Container
from harness import (BIN, PROGRAMS, alive, arguments, children_of, is_zombie, wait_until)
from puppets import Puppet

# What is there when plimsolld has ended is written down: its own number, then everybody's.
SHELL = ["sh", "-c", '"$@"; code=$?; echo /proc/[0-9]* > "$LEFT"; exit $code', "sh"]
BECOME = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"]
BARE = {"read_only": True, "hidepid": True, "cgroups": False}
BARE_AS_1 = {**BARE, "user": 1000, "capabilities": False}
BARE_BELOW = {**BARE, "init": [*SHELL, *BECOME, "--inh-caps", "-all", "--bounding-set", "-all", "--no-new-privs"]}
PLACES = {"root as PID 1": {}, "another user with nothing as PID 1": BARE_AS_1, "root below a shell": {"init": SHELL},
          "another user with nothing below a shell": BARE_BELOW}


@pytest.fixture(params=PLACES.values(), ids=PLACES.keys())
def box(nest, request):
    return Box(nest, **request.param)


def inside(pid):
    """Its number in the innermost of its namespaces."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[-1]) for line in file if line.startswith("NSpid:"))


class Box:
    def __init__(self, nest, **where):
        self.nest = nest
        self.is_root = not where.get("read_only")
        self.has_shell = "init" in where
        self.app_folder = nest.tmp / "app"
        self.app_folder.mkdir(exist_ok=True)
        for folder in (nest.tmp, self.app_folder):
            folder.chmod(0o777)
        shared = [str(nest.tmp)]
        # Where the sanitizers' reports go, when they are asked to write any.
        for options in (os.environ.get("ASAN_OPTIONS", ""), os.environ.get("UBSAN_OPTIONS", "")):
            shared += [os.path.dirname(word[len("log_path="):]) for word in options.split(":")
                       if word.startswith("log_path=/")]
        self.container = Container(str(nest.tmp), sorted({str(BIN), str(PROGRAMS)}), sorted(set(shared)), **where)

    def daemon(self, config_text="", command=None, start=True):
        made = self.nest.daemon(config_text, start=False, command=command, prefix=self.container.prefix(),
                                environment={"LEFT": str(self.nest.tmp / "left")})
        made.exit_codes = (0, 9, 143)
        if not self.is_root:  # plimsollctl trusts no socket of another user
            made.ctl_prefix = BECOME
        return made.start() if start else made.launch()

    def entrypoint(self, *command, start=True):
        return self.daemon(command=[str(word) for word in command], start=start)

    def app(self, *flags):
        return [PROGRAMS / "app", "--control", self.app_folder, *flags]

    def puppet(self, pid):
        """The app's main process or worker with that number outside, once it listens."""
        puppet = Puppet(self.app_folder, inside(pid))
        wait_until(puppet.listens, what=f"the app {pid} listening")
        return puppet

    def workers(self, main):
        return [pid for pid in children_of(main) if Puppet(self.app_folder, inside(pid)).listens()]

    def nothing_is_left(self):
        """Below a shell, by what it saw; where plimsolld was PID 1 the kernel has ended what there was, too."""
        if self.has_shell:
            # The shell itself, and plimsolld's number is free again.
            return (self.nest.tmp / "left").read_text().split() == ["/proc/1"]
        return not self.nest.left()


def main_of(daemon):
    """The command, outside."""
    found = wait_until(lambda: children_of(daemon.pid), what="the command", report=daemon.report)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("script,code", [("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
def test_the_commands_exit_code_is_the_containers(box, script, code):
    daemon = box.entrypoint("sh", "-c", script, start=False)
    assert daemon.wait_exit() == code, daemon.log_text()
    assert box.nothing_is_left()


def test_signals_are_forwarded_and_the_last_is_its_exit_code(box):
    daemon = box.entrypoint("sh", "-c", "trap 'echo HUP' HUP; trap 'echo USR1' USR1; echo go; while :; do sleep 0.05; done")
    wait_until(lambda: "go" in daemon.out_text(), what="its traps", report=daemon.report)
    for name in ("HUP", "USR1"):
        os.kill(daemon.pid, getattr(signal, "SIG" + name))
        wait_until(lambda: name in daemon.out_text().splitlines(), what=f"SIG{name} arriving", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 143, daemon.log_text()
    assert box.nothing_is_left()


def test_zombies_are_reaped_at_a_rate(box):
    """Bursts of 200 processes whose parents are gone, one after the other and without a pause."""
    bursts = box.nest.tmp / "bursts"
    daemon = box.entrypoint(PROGRAMS / "burst", "--count", "200", "--life", "20", "--abandon", "--ready", bursts)
    main = main_of(daemon)
    for number in range(5):
        wait_until(lambda: bursts.exists() and int(bursts.read_text()) == number, what=f"{number} bursts",
                   report=daemon.report)
        os.kill(daemon.pid, signal.SIGUSR1)
    wait_until(lambda: int(bursts.read_text()) == 5, what="five bursts", report=daemon.report)
    wait_until(lambda: children_of(daemon.pid) == [main], what="a thousand zombies reaped", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 143, daemon.log_text()
    assert box.nothing_is_left()


def kill_a_worker(box, daemon, main):
    """Its engine is ended as an orphan; the other's lives, and it is the replacement's engine that is found."""
    box.puppet(main)
    victim, bystander = wait_until(lambda: len(w := box.workers(main)) == 2 and w, what="two workers",
                                   report=daemon.report)
    [engine], [other] = children_of(victim), children_of(bystander)
    known = inside(engine)
    os.kill(victim, signal.SIGKILL)
    daemon.wait_event("engine_orphaned", pid=known)
    wait_until(lambda: not alive(engine) and not is_zombie(engine), what="the orphan's end", report=daemon.report)
    daemon.wait(lambda: known not in {e["pid"] for e in daemon.wait_engines("app", 2)}, what="the next engine")
    assert alive(other) and alive(bystander), daemon.report()


def test_an_entrypoint_ends_orphans_and_leaves_nothing(box):
    daemon = box.entrypoint(*box.app("--workers", "2", "--replace", "1", "--code", "9", "--engine",
                                     f"plain {ENGINE} -p PORT"))
    daemon.wait_engines("app", 2)
    kill_a_worker(box, daemon, main_of(daemon))
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9, daemon.log_text()
    assert box.nothing_is_left()


def test_with_a_file_it_ends_orphans_restarts_and_leaves_nothing(box):
    daemon = box.daemon(app_service(flags=["--workers", "2", "--replace", "1", "--engine", f"plain {ENGINE} -p PORT"])
                        + '[services.words]\ncommand = ["sh", "-c", "echo some words; exec sleep 1000"]\n')
    daemon.wait_engines("app", 2)
    wait_until(lambda: "some words" in daemon.out_text().splitlines(), what="its output", report=daemon.report)
    [main] = [pid for pid in children_of(daemon.pid) if arguments(pid)[:1] == [str(PROGRAMS / "app")]]
    kill_a_worker(box, daemon, main)
    os.kill(main, signal.SIGKILL)
    daemon.wait(lambda: daemon.service("app")["run"] == 2 and daemon.wait_engines("app", 2), what="the next run")
    if not box.has_shell:
        # What it does not answer to would end any other process, and the first one of a container never.
        os.kill(daemon.pid, signal.SIGUSR1)
        os.kill(daemon.pid, signal.SIGALRM)
        assert daemon.ctl("ping")[0] == 0
    assert daemon.stop() == 0, daemon.log_text()
    assert box.nothing_is_left()


def test_the_main_processs_children_that_ignore_everything_are_killed(box):
    daemon = box.daemon('[services.deaf]\ncommand = ["@programs/stubborn", "--children", "3", "--ready", "@tmp/ready"]\n'
                        'stop = { signal = "SIGTERM", grace = "300ms" }\n')
    wait_until((box.nest.tmp / "ready").exists, what="its deafness", report=daemon.report)
    assert daemon.stop() == 0, daemon.log_text()
    assert box.nothing_is_left()


PROBE = r"""
import ctypes, errno, json, os
clone3 = 435
failed = ctypes.CDLL(None, use_errno=True).syscall(clone3, 0, 0) == -1
found = {"clone3": errno.errorcode[ctypes.get_errno()] if failed else "done", "uid": os.getuid()}
with open("/proc/self/status") as file:
    found["capabilities"] = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff"))
try:
    os.mkdir("/var")
    found["root"] = "writable"
except OSError as error:
    found["root"] = errno.errorcode[error.errno]
found["sees 1"] = os.path.exists("/proc/1")
found["cgroups"] = os.path.exists("/sys/fs/cgroup/cgroup.procs")
print(json.dumps(found))
"""


def test_the_containers_take_away_what_they_are_said_to(nest):
    """Asked of a process inside. Without this the others might pass in no container at all."""
    def found(**where):
        daemon = Box(nest, **where).entrypoint("/usr/bin/python3", "-c", PROBE, start=False)
        assert daemon.wait_exit() == 0, daemon.log_text()
        return json.loads(daemon.out_text())
    nothing = {"clone3": "ENOSYS", "uid": 1000, "capabilities": 0, "root": "EROFS", "cgroups": False}
    assert found() == {"clone3": "ENOSYS", "uid": 0, "capabilities": 0xa80425fb, "root": "writable", "sees 1": True,
                       "cgroups": True}
    assert found(**BARE_AS_1) == {**nothing, "sees 1": True}, "it is PID 1 itself"
    assert found(**BARE_BELOW) == {**nothing, "sees 1": False}, "root's shell is hidden from it"



def test_with_no_place_to_write_it_runs_without_control(nest):
    where = Container(str(nest.tmp), sorted({str(BIN), str(nest.tmp)}), [], user=1000, **BARE, capabilities=False)
    daemon = nest.daemon('[services.once]\ncommand = ["sh", "-c", "echo its words; exit 3"]\nessential = true\n'
                         'restart = "never"\n', start=False, prefix=where.prefix()).launch()
    assert daemon.wait_exit() == 3, daemon.log_text()
    assert "its words" in daemon.out_text().splitlines() and "running without control" in daemon.log_text()
