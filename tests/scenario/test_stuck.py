"""What outlives its SIGKILL is named with what holds it, its service is `stuck`, and goes on when it is let go."""

import os
import subprocess

from cgroups import first_version, second_version
from harness import PYTHON, ROOT, alive, stat_fields, wait_until

TRACER = """
import os, sys
sys.path.insert(0, sys.argv[1])
from cgroups import hold_at_its_exit
hold_at_its_exit(int(sys.argv[2]))
print("holds it", flush=True)
sys.stdin.read()
"""


STOP = 'stop = { signal = "SIGTERM", grace = "200ms" }\n'
POLITE = ("[services.polite]\n"
          """command = ["sh", "-c", "trap 'exit 0' TERM; echo go > @tmp/go; while :; do sleep 0.05; done"]\n""" + STOP)


def deaf(name):
    return f'[services.{name}]\ncommand = ["sleep", "1000"]\n{STOP}'


def stop_and_find_it_stuck(daemon, name):
    """The note of the stuck service; the command that stopped it has failed and says so."""
    code, out, err = daemon.ctl("stop", name)
    assert code == 1 and "stuck" in out + err, out + err
    service = daemon.service(name)
    assert service["state"] == "stuck", service
    assert daemon.ctl("status")[0] == 3
    return daemon.wait(lambda: daemon.service(name)["note"], what="what holds it")


def test_what_a_freezer_of_the_first_version_holds_is_named_and_ends_when_it_thaws(nest):
    group = first_version(nest, "freezer")
    daemon = nest.daemon(deaf("frozen"))
    pid = daemon.wait_ready("frozen")["pid"]
    group.take(pid)
    group.write("freezer.state", "FROZEN")
    nest.finally_(lambda: group.write("freezer.state", "THAWED"))
    wait_until(lambda: group.read("freezer.state") == "FROZEN\n", what="the frost")
    note = stop_and_find_it_stuck(daemon, "frozen")
    assert f"{pid} (sleep)" in note and "frozen by cgroup v1 /" in note and group.folder.name in note, note
    assert alive(pid) and daemon.running()
    group.write("freezer.state", "THAWED")
    daemon.wait(lambda: daemon.service("frozen")["state"] == "stopped", what="its end after the thaw")
    assert not alive(pid)


def test_what_a_tracer_holds_is_named_with_the_tracer_and_ends_when_it_lets_go(nest):
    daemon = nest.daemon(deaf("traced"))
    pid = daemon.wait_ready("traced")["pid"]
    tracer = nest.spawn([PYTHON, "-c", TRACER, ROOT / "tests" / "scenario", pid], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    assert tracer.stdout.readline() == b"holds it\n"
    note = stop_and_find_it_stuck(daemon, "traced")
    assert f"{pid} (sleep) in state t" in note and f"traced by {tracer.pid} (python3" in note, note
    assert stat_fields(pid)[0] == "t"
    tracer.stdin.close()
    daemon.wait(lambda: daemon.service("traced")["state"] == "stopped", what="its end")


def test_a_freezer_of_the_second_version_lets_sigkill_through(nest):
    group = second_version(nest)
    daemon = nest.daemon(POLITE)
    pid = daemon.wait_ready("polite")["pid"]
    wait_until((nest.tmp / "go").exists, what="its trap")
    group.take(pid)
    group.write("cgroup.freeze", "1")
    wait_until(lambda: "frozen 1" in group.read("cgroup.events"), what="the frost")
    since = daemon.mark()
    code, out, err = daemon.ctl("stop", "polite")
    assert code == 0, out + err
    assert daemon.find_event("service_state", since, why=lambda why: "SIGKILL" in why), "frozen, it runs no handler"
    assert not alive(pid) and daemon.service("polite")["state"] == "stopped"


def test_a_shutdown_goes_on_beside_what_is_stuck_and_says_so_by_its_code(nest):
    group = first_version(nest, "freezer")
    daemon = nest.daemon(deaf("frozen") + deaf("other"))
    daemon.exit_codes = (81,)
    pid = daemon.wait_ready("frozen")["pid"]
    other = daemon.wait_ready("other")["pid"]
    group.take(pid)
    group.write("freezer.state", "FROZEN")
    nest.finally_(lambda: group.write("freezer.state", "THAWED"))
    assert daemon.stop() == 81, daemon.log_text()
    assert "frozen by cgroup v1" in daemon.log_text()
    assert not alive(other) and os.path.exists(f"/proc/{pid}")
    group.write("freezer.state", "THAWED")
    wait_until(lambda: not alive(pid), what="its end after the thaw")
