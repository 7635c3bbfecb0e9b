"""The daemon without descriptors: what runs is left alone, nothing spins, and all is made good when there are some again."""

import os
import resource
import signal
import subprocess
import time

from apps import ENGINE, app_daemon, app_service, main_of
from failing import Faults, limited, lowest_free_descriptor, said
from harness import PLIMSOLLCTL, SLOW, alive, clean_environment, cpu_seconds, descriptors, wait_until
from hook_server import HookServer

QUICK = 'backoff = { first = "20ms", factor = 1.5, max = "200ms" }'
PLAIN = f"""
[services.plain]
command = ["@programs/crasher", "--after", "100000000"]
{QUICK}
"""


def test_without_any_descriptor_the_daemon_waits_and_then_makes_good(nest):
    daemon = app_daemon(nest, app_service() + PLAIN)
    main = main_of(nest, daemon)
    plain = daemon.wait_ready("plain")["pid"]
    with limited(daemon.pid, resource.RLIMIT_NOFILE, 3):
        engine = main.engine("plain", ENGINE, "-p", "PORT")
        os.kill(plain, signal.SIGKILL)
        wait_until(lambda: said(daemon, "plain: cannot start: ") and said(daemon, "/proc cannot be listed: Too many"),
                   what="word of both", report=daemon.log_text)
        asking = subprocess.Popen([PLIMSOLLCTL, "--socket", daemon.socket_path, "ping"], env=clean_environment(),
                                  stdout=subprocess.DEVNULL)
        spent, began = cpu_seconds(daemon.pid), time.monotonic()
        wait_until(lambda: time.monotonic() - began > 2, what="two seconds")
        busy = (cpu_seconds(daemon.pid) - spent) / (time.monotonic() - began)
        assert busy < 0.5, f"{busy:.0%} of a core while it waits"
        assert alive(main.pid) and alive(engine) and daemon.running()
        assert asking.poll() is None, "nobody can be let in"
    assert asking.wait(60 * SLOW) == 0, "who had to wait is answered"
    daemon.wait_ready("plain")
    found = daemon.wait_engines("app", 1)
    assert found[0]["pid"] == engine and daemon.service("app")["pid"] == main.pid
    assert len(said(daemon, "plain: cannot start: ")) == 1
    wait_until(lambda: said(daemon, "the census sees everything again"), what="the end of it", report=daemon.report)
    assert len(said(daemon, "the census sees everything again")) == 1
    assert len(said(daemon, "Too many open files")) <= 5, said(daemon, "Too many open files")


def test_status_is_answered_with_the_last_descriptor(nest):
    daemon = app_daemon(nest, app_service() + PLAIN)
    plain = daemon.wait_ready("plain")["pid"]
    before = descriptors(daemon.pid)
    with limited(daemon.pid, resource.RLIMIT_NOFILE, lowest_free_descriptor(daemon.pid)):
        os.kill(plain, signal.SIGKILL)
        wait_until(lambda: said(daemon, "plain: cannot start: "), what="a start that fails", report=daemon.log_text)
        for _ in range(20):
            assert "Too many open files" in daemon.service("plain")["note"]
    daemon.wait_ready("plain")
    daemon.wait(lambda: descriptors(daemon.pid) <= before + 1, what="nothing being leaked")


def test_a_reload_that_cannot_read_its_file_changes_nothing(nest):
    daemon = nest.daemon(PLAIN)
    plain = daemon.wait_ready("plain")["pid"]
    daemon.write(PLAIN + PLAIN.replace("plain", "second"))
    with limited(daemon.pid, resource.RLIMIT_NOFILE, 3):
        os.kill(daemon.pid, signal.SIGHUP)
        wait_until(lambda: said(daemon, "cannot reload, the plan stays as it is"), what="word of it",
                   report=daemon.log_text)
        assert "Too many open files" in said(daemon, "cannot reload")[0] and alive(plain)
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait(lambda: len(daemon.status()["services"]) == 2, what="the second service")
    assert daemon.service("plain")["pid"] == plain


def test_an_engine_whose_pidfd_cannot_be_had_is_found_when_it_can(nest):
    faults = Faults(nest, "pidfd_open")
    daemon = app_daemon(nest, app_service(), prefix=faults.prefix)
    main = main_of(nest, daemon)
    with faults.failing("pidfd_open", "EMFILE"):
        engine = main.engine("plain", ENGINE, "-p", "PORT")
        wait_until(lambda: said(daemon, "processes cannot be watched: Too many open files"), what="word of it",
                   report=daemon.report)
        looks = time.monotonic() + 2
        wait_until(lambda: time.monotonic() > looks, what="some more looks")
        assert daemon.engines("app") == []
        assert "incomplete" in daemon.status()["daemon"]["sources"]["census"]
    assert daemon.wait_engines("app", 1)[0]["pid"] == engine
    assert len(said(daemon, "processes cannot be watched")) == 1


def test_a_service_that_cannot_be_asked_is_not_taken_for_hung(nest):
    """The worst that want of ours could do: end what is well."""
    faults = Faults(nest, "socket")
    server = HookServer(lambda request: 200)
    nest.finally_(server.close)
    daemon = nest.daemon(f"""
[services.tcp]
command = ["@programs/crasher", "--after", "100000000"]
live    = {{ tcp = "127.0.0.1:{server.port}", interval = "100ms", timeout = "2s", failures = 2 }}
on_hung = ["restart"]
[services.http]
command = ["@programs/crasher", "--after", "100000000"]
live    = {{ http = "http://127.0.0.1:{server.port}/well", interval = "100ms", timeout = "2s", failures = 2 }}
on_hung = ["restart"]
""", prefix=faults.prefix)
    pids = {name: daemon.wait_ready(name)["pid"] for name in ("tcp", "http")}
    with faults.failing("socket", "EMFILE"):
        for name in pids:
            wait_until(lambda: said(daemon, f"{name}: it cannot be asked whether it is well"), what="word of it",
                       report=daemon.report)
        later = time.monotonic() + 2
        wait_until(lambda: time.monotonic() > later, what="twenty questions that could not be put")
    asked = len(server.requests)
    wait_until(lambda: len(server.requests) > asked + 3, what="being asked again", report=daemon.report)
    for name, pid in pids.items():
        assert daemon.wait_ready(name)["pid"] == pid
        assert len(said(daemon, f"{name}: it cannot be asked")) == 1
    server.close()
    # Now somebody is asked, and nobody answers.
    for name, pid in pids.items():
        daemon.wait(lambda: daemon.service(name)["run"] > 1, what=f"{name} being restarted")


def test_a_hook_that_gets_no_socket_fails_with_that_reason(nest):
    faults = Faults(nest, "socket")
    daemon = nest.daemon("""
[services.one]
command = ["@programs/crasher", "--after", "100000000"]
[services.one.hooks.tell]
to   = "service"
http = { url = "http://127.0.0.1:1/tell", method = "POST" }
""", prefix=faults.prefix)
    daemon.wait_ready("one")
    with faults.failing("socket", "EMFILE"):
        code, out, err = daemon.ctl("do", "tell", "one")
        assert code != 0 and "Too many open files" in out + err, (code, out, err)
    code, out, err = daemon.ctl("do", "tell", "one")
    assert code != 0 and "Connection refused" in out + err, (code, out, err)
