"""Stopping: always answered, in order, gently first, and nothing is left."""

import os
import signal
import time

import pytest

from apps import ENGINE, app_daemon, app_service, main_of, workers_with_engines
from harness import alive, children_of, stat_fields, wait_until
from puppets import Puppet

GRACE = 'stop = { signal = "SIGTERM", grace = "1s" }'


def kills_said(daemon, since=0):
    return [event for event in daemon.events(since) if "SIGKILL" in event["why"]]


def stop(daemon, name):
    code, out, err = daemon.ctl("stop", name)
    assert code == 0, out + err + daemon.report()
    return daemon.service(name)


def test_an_app_that_listens_ends_its_engines_itself_and_no_sigkill_is_sent(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--engine",
                                                 f"plain {ENGINE} -p PORT --on-term 99 --on-int 0"]))
    pairs = workers_with_engines(nest, daemon, 2)
    main = main_of(nest, daemon)
    mark = daemon.mark()
    service = stop(daemon, "app")
    assert (service["state"], service["pid"], service["engines"]) == ("stopped", None, [])
    assert service["last_exit"]["kind"] == "exited" and service["last_exit"]["code"] == 0
    assert not any(alive(pid) for pid in [main.pid, *pairs.values(), *(worker.pid for worker in pairs)])
    assert not any(puppet.listens() for puppet in [main, *pairs]), "each ended by itself: it removed its socket"
    assert not kills_said(daemon, mark)
    assert not [event for event in daemon.events(mark) if event["kind"] in ("engine_lost", "engine_orphaned")]
    assert daemon.ctl("status")[0] == 0, "what an operator stopped is well"


def test_what_ignores_sigterm_is_killed_after_its_grace_and_only_then(nest):
    daemon = nest.daemon(f"""
[services.deaf]
command = ["@programs/stubborn", "--children", "2", "--ready", "@tmp/ready"]
{GRACE}
""")
    service = daemon.wait_ready("deaf")
    wait_until(lambda: (nest.tmp / "ready").exists(), what="its signals being ignored")
    pids = [service["pid"], *daemon.wait(lambda: len(c := children_of(service["pid"])) == 2 and c, what="its children")]
    began = time.monotonic()
    service = stop(daemon, "deaf")
    assert time.monotonic() - began >= 1
    assert service["state"] == "stopped" and service["last_exit"]["signal"] == signal.SIGKILL
    assert not any(alive(pid) for pid in pids)
    assert kills_said(daemon)


def test_stop_asked_twice_and_of_what_is_stopped_is_done(nest):
    daemon = nest.daemon('[services.one]\ncommand = ["@programs/crasher", "--after", "1000000"]\n')
    daemon.wait_ready("one")
    for _ in range(2):
        assert stop(daemon, "one")["state"] == "stopped"
    assert daemon.ctl("start", "one")[0] == 0
    assert daemon.wait_ready("one")["pid"]


def test_below_a_shell_that_dies_at_once_the_app_gets_its_grace_too(nest):
    (nest.tmp / "app").mkdir()
    daemon = nest.daemon(f"""
[services.app]
command = ["sh", "-c", "@programs/app --control @tmp/app --workers 2 --engine 'plain {ENGINE} -p PORT' & wait"]
[services.app.engines.prisma]
match = ["query-engine*"]
""")
    pairs = workers_with_engines(nest, daemon, 2)
    shell = daemon.service("app")["pid"]
    [app] = [Puppet(nest.tmp / "app", pid) for pid in children_of(shell)]
    assert app.listens()
    mark = daemon.mark()
    stop(daemon, "app")
    assert not any(puppet.listens() for puppet in [app, *pairs]), "app and workers ended by themselves"
    assert not any(alive(pid) for pid in [shell, app.pid, *pairs.values()])
    assert not kills_said(daemon, mark)


def test_an_engine_is_only_asked_when_no_worker_of_the_app_lives(nest):
    """The workers linger as they are told to stop; an engine asked too early would fail their last requests."""
    engine = f"plain {ENGINE} -p PORT --on-term 0"
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--term", "die", "--engine", engine], more=GRACE))
    pairs = workers_with_engines(nest, daemon, 2)
    stop(daemon, "app")
    assert not any(alive(pid) for pid in pairs.values())
    assert not kills_said(daemon)


def test_what_a_dead_main_process_leaves_is_ended_before_the_next_run(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--engine", f"plain {ENGINE} -p PORT"],
                                          more='backoff = { first = "100ms" }\n' + GRACE))
    pairs = workers_with_engines(nest, daemon, 2)
    service = daemon.service("app")
    old = [service["pid"], *pairs.values(), *(worker.pid for worker in pairs)]
    mark = daemon.mark()
    os.kill(service["pid"], signal.SIGKILL)
    daemon.wait(lambda: (s := daemon.service("app"))["run"] > service["run"] and s["pid"], what="the next run")
    assert not any(alive(pid) for pid in old), "two runs at the same time"
    named = " ".join(event["why"] for event in daemon.events(mark))
    assert any(str(worker.pid) in named for worker in pairs), "what was left is named"
    assert len(workers_with_engines(nest, daemon, 2)) == 2
    assert daemon.service("app")["budget_spent"] == 0


def forks_so_far():
    with open("/proc/stat", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("processes "))


def test_an_endless_fork_and_exit_hopper_keeps_nobody_waiting_and_is_caught(nest):
    daemon = nest.daemon(f"""
[services.hopper]
command = ["@programs/hopper", "--hops", "1000000", "--pause", "300", "--first-stays"]
{GRACE}
""")
    daemon.wait_ready("hopper")
    mark = forks_so_far()
    daemon.wait(lambda: daemon.service("hopper")["state"] == "ready" and forks_so_far() > mark + 5_000,
                what="thousands of generations")
    for _ in range(5):
        assert daemon.ctl("hold", "--for", "1h")[0] == 0 and daemon.ctl("release")[0] == 0, "who asks is answered meanwhile"
    stop(daemon, "hopper")
    wait_until(lambda: not nest.left(), 10, "nothing of it being left", lambda: str(nest.left()))


def test_a_process_that_escaped_by_double_fork_ends_with_its_service(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    escaped = [worker.engine("double", "/bin/sleep", "1000"), worker.engine("hop", "/bin/sleep", "1000")]
    daemon.wait(lambda: set(escaped) <= daemon.recorded("app"), what="a census")
    stop(daemon, "app")
    assert not any(alive(pid) for pid in escaped)


@pytest.mark.parametrize("args", [[], ["--without", "connector"]], ids=["as it is", "the walk alone"])
def test_what_was_cloned_as_a_sister_of_the_main_process_ends_with_its_run(nest, args):
    """It is no orphan, so it is not in the list of them; and nobody has seen it when its cloner is gone."""
    quick = 'backoff = { first = "20ms", max = "20ms" }'
    daemon = app_daemon(nest, app_service(more=quick), args=args)
    for run in range(1, 6):
        main = main_of(nest, daemon)
        sister = main.abandon(0, "sister", "/bin/sleep", "1000")
        daemon.wait(lambda: (service := daemon.service("app"))["run"] > run and service["state"] == "ready",
                    what="the next run")
        assert not alive(sister)


def test_a_stopped_process_is_woken_to_hear_its_stop_signal(nest):
    daemon = app_daemon(nest, app_service(more='stop = { signal = "SIGTERM", grace = "20s" }'))
    main = main_of(nest, daemon)
    os.kill(main.pid, signal.SIGSTOP)
    wait_until(lambda: stat_fields(main.pid)[0] == "T", what="state T")
    service = stop(daemon, "app")
    assert service["last_exit"]["kind"] == "exited", service
    assert not main.listens()


def test_another_stop_signal_can_be_configured(nest):
    daemon = nest.daemon("""
[services.one]
command = ["sh", "-c", "trap 'exit 33' USR2; trap : TERM; while :; do sleep 0.1; done"]
stop = { signal = "SIGUSR2", grace = "20s" }
""")
    daemon.wait_ready("one")
    daemon.wait(lambda: len(daemon.tree("one")) > 1, what="the loop")
    assert stop(daemon, "one")["last_exit"]["code"] == 33


def test_the_daemons_own_stop_ends_everything_within_stop_within(nest):
    daemon = nest.daemon("""
[daemon]
stop_within = "2s"
[services.deaf]
command = ["@programs/stubborn", "--children", "3", "--ready", "@tmp/ready"]
stop = { signal = "SIGTERM", grace = "10m" }
[services.good]
command = ["@programs/crasher", "--after", "1000000"]
""")
    for name in ("deaf", "good"):
        daemon.wait_ready(name)
    wait_until(lambda: (nest.tmp / "ready").exists(), what="its signals being ignored")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began >= 2
    assert not nest.left()
    assert not os.path.exists(daemon.socket_path), "the socket is removed"


def test_sigint_stops_the_daemon_like_sigterm_and_an_empty_one_ends_at_once(nest):
    daemon = nest.daemon('[services.one]\ncommand = ["@programs/crasher", "--after", "1000000"]\n')
    daemon.wait_ready("one")
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait_exit() == 0


def test_stopping_while_a_service_is_in_its_backoff_and_starting_it_again(nest):
    daemon = nest.daemon("""
[services.crash]
command = ["@programs/crasher", "--exit", "1"]
backoff = { first = "1h", max = "1h" }
""")
    daemon.wait(lambda: daemon.service("crash")["state"] == "backoff", what="backoff")
    assert stop(daemon, "crash")["state"] == "stopped"
    run = daemon.service("crash")["run"]
    daemon.ctl("start", "crash")
    daemon.wait(lambda: daemon.service("crash")["run"] > run, what="a new run")
