"""A start that fails for want of something is tried again until it succeeds, and said once."""

import os
import shutil
import signal
import subprocess

import pytest

from failing import Faults, said
from harness import PROGRAMS, alive, wait_until

QUICK = 'backoff = { first = "20ms", factor = 1.5, max = "200ms" }'
BESIDE = f"""
[services.beside]
command = ["@programs/crasher", "--after", "100000000"]
{QUICK}
"""


def tries(daemon, name, least):
    """Waits until so many starts have failed; the note that status shows."""
    def ask():
        service = daemon.service(name)
        note = service.get("note") or ""
        number = int(note.split(" tries)")[0].rsplit("(", 1)[1]) if " tries)" in note else 0
        return number >= least and service
    return daemon.wait(ask, what=f"{least} failed starts of {name}")


def own_copy(nest):
    """A program that can be written to or changed."""
    copy = nest.tmp / "program"
    shutil.copy(PROGRAMS / "crasher", copy)
    return copy


def test_a_program_that_is_being_written_is_started_when_it_is_whole(nest):
    program = own_copy(nest)
    config = f"""
[services.app]
command = ["@tmp/program", "--after", "100000000"]
restart = "never"
essential = true
{QUICK}
""" + BESIDE
    with open(program, "ab"):
        daemon = nest.daemon(config)
        beside = daemon.wait_ready("beside")["pid"]
        service = tries(daemon, "app", 8)
        assert service["state"] == "backoff" and "exec: Text file busy" in service["note"]
        assert len(said(daemon, "cannot start: exec: Text file busy")) == 1
    assert daemon.wait_ready("app")["restarts"] == 0
    assert len(said(daemon, "can be started again, after")) == 1
    assert len(said(daemon, " app: ")) <= 6, "not a line a try"
    assert daemon.service("beside")["pid"] == beside


def test_a_program_that_may_not_be_executed_is_said_once_and_started_when_it_may(nest):
    program = own_copy(nest)
    program.chmod(0o644)
    daemon = nest.daemon(f'[services.app]\ncommand = ["@tmp/program", "--after", "100000000"]\n{QUICK}\n')
    tries(daemon, "app", 8)
    assert len(said(daemon, "cannot start: exec: Permission denied")) == 1
    program.chmod(0o755)
    daemon.wait_ready("app")


def test_a_program_that_may_not_be_executed_goes_by_its_policy(nest):
    own_copy(nest).chmod(0o644)
    daemon = nest.daemon(f"""
[services.app]
command = ["@tmp/program"]
give_up = {{ after = 3, within = "1h" }}
{QUICK}
""")
    daemon.wait(lambda: daemon.service("app")["state"] == "failed", what="giving up")
    assert daemon.service("app")["last_exit"]["kind"] == "spawn_failed"


@pytest.mark.parametrize("call, error, text", [
    ("clone", "EAGAIN", "clone: Resource temporarily unavailable"),
    ("clone", "ENOMEM", "clone: Cannot allocate memory"),
    ("epoll_ctl", "ENOMEM", "record: Cannot allocate memory"),
])
def test_without_processes_or_memory_in_the_kernel_nothing_is_given_up(nest, call, error, text):
    faults = Faults(nest, call)
    daemon = nest.daemon(f"""
[services.app]
command = ["@programs/crasher", "--after", "100000000"]
give_up = {{ after = 2, within = "1h" }}
{QUICK}
[services.once]
command = ["@programs/crasher", "--after", "100000000"]
restart = "never"
{QUICK}
""" + BESIDE, prefix=faults.prefix)
    beside = daemon.wait_ready("beside")["pid"]
    app = daemon.wait_ready("app")["pid"]
    daemon.wait_ready("once")
    assert daemon.ctl("stop", "once")[0] == 0
    with faults.failing(call, error):
        os.kill(app, signal.SIGKILL)
        if call == "clone":
            # A connection is watched by epoll, too.
            assert tries(daemon, "app", 10)["state"] == "backoff"
            assert daemon.ctl("start", "once")[0] == 1
        wait_until(lambda: said(daemon, f"app: cannot start: {text}"), what="word of it", report=daemon.log_text)
        assert daemon.running() and alive(beside)
    assert daemon.wait_ready("app")["pid"] != app
    assert len(said(daemon, f"app: cannot start: {text}")) == 1
    if call == "clone":
        daemon.wait_ready("once")
    assert daemon.service("beside")["pid"] == beside
    assert daemon.ctl("status")[0] == 0


def test_a_user_who_has_used_up_his_processes_is_started_for_when_he_has_one_again(nest):
    """RLIMIT_NPROC, as it happens: of an ordinary user, as root is let through."""
    as_user = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    nest.tmp.chmod(0o777)
    daemon = nest.daemon(f"""
[services.app]
command = ["@programs/crasher", "--after", "100000000"]
{QUICK}
""" + BESIDE, prefix=as_user, start=False)
    daemon.ctl_prefix = as_user
    daemon.start()
    beside = daemon.wait_ready("beside")["pid"]
    app = daemon.wait_ready("app")["pid"]
    # Another user's limits are his own to read and to change.
    prlimit = [*as_user, "prlimit", "--pid", str(daemon.pid)]
    shown = subprocess.run([*prlimit, "--nproc", "--raw", "--noheadings", "-o", "SOFT,HARD"], check=True,
                           capture_output=True, text=True).stdout
    soft, hard = shown.split()
    subprocess.run([*prlimit, f"--nproc=1:{hard}"], check=True)
    os.kill(app, signal.SIGKILL)
    tries(daemon, "app", 5)
    assert len(said(daemon, "app: cannot start: clone: Resource temporarily unavailable")) == 1
    subprocess.run([*prlimit, f"--nproc={soft}:{hard}"], check=True)
    daemon.wait_ready("app")
    assert daemon.service("beside")["pid"] == beside
