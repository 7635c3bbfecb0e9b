"""Engines that end without us: put away by their app, or lost; who heals, and when it is our turn."""

import os
import signal

import pytest

from apps import ENGINE, app_daemon, app_service, main_of, workers_with_engines
from harness import alive, is_zombie, wait_until
from puppets import ask_engine

HOOK = """
[services.app.hooks.reconnect]
signal  = "SIGRTMIN+1"
timeout = "20s"
"""
ONE = ["--workers", "1", "--replace", "1", "--reconnect", "SIGRTMIN+1"]
SOURCES = pytest.mark.parametrize("args", [[], ["--without", "exit_info"]], ids=["exit_info", "no_exit_info"])


def config(engine=f"plain {ENGINE} -p PORT", flags=(), heal="2s", rungs='["reconnect", "restart"]', more=""):
    return app_service(flags=[*ONE, "--engine", engine, *flags], hooks=HOOK,
                       more=f'heal = "{heal}"\ncool_down = "200ms"',
                       engine=f'reconnect = "hook:reconnect"\non_lost = {rungs}\nexpect = {{ within = "20s" }}\n{more}')


def acts(daemon):
    return [entry for entry in daemon.ledger("app") if entry["rungs"]]


def only(pairs):
    (worker, engine), = pairs.items()
    return worker, engine


def test_an_engine_that_its_app_heals_itself_is_lost_but_no_business_of_ours(nest):
    daemon = app_daemon(nest, config(flags=["--heal", "1500"], heal="20s"))
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    lost = daemon.wait_event("engine_lost", pid=engine)
    assert lost["exit"]["kind"] == "signaled" and lost["exit"]["signal"] == 9
    assert daemon.ctl("status")[0] == 3, "not well while it is lost"
    successor = daemon.wait(lambda: (e := daemon.wait_engines("app", 1)) and e[0]["pid"] != engine and e[0],
                            what="the successor")
    assert successor["owner_pid"] == worker.pid
    daemon.wait(lambda: daemon.status()["daemon"]["well"], what="being well again")
    assert not acts(daemon) and daemon.service("app")["budget_spent"] == 0


def test_an_engine_that_nobody_heals_is_ours_after_heal(nest):
    daemon = app_daemon(nest, config())
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    lost = daemon.wait_event("engine_lost", pid=engine)
    assert not daemon.status()["daemon"]["well"] and daemon.ctl("status")[0] == 3
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"]], what="the end of the ladder")[0]
    assert (entry["cause"], entry["pid"], entry["end"], entry["owner_pid"]) == ("lost", engine, "worked",
                                                                                worker.pid), entry
    assert len(entry["rungs"]) == 1
    assert daemon.wait_engines("app", 1)[0]["owner_pid"] == worker.pid
    begun = daemon.find_event("rung", lost["id"])
    assert begun is not None
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="being well again")


def test_an_app_that_cannot_be_healed_by_its_hook_is_restarted(nest):
    flags = ["--workers", "1", "--engine", f"plain {ENGINE} -p PORT"]  # catches no SIGRTMIN+1
    daemon = app_daemon(nest, app_service(flags=flags, hooks=HOOK, more='heal = "1s"',
                                          engine='reconnect = "hook:reconnect"\nexpect = { within = "20s" }'))
    _, engine = only(workers_with_engines(nest, daemon, 1))
    main = daemon.service("app")["pid"]
    os.kill(engine, signal.SIGKILL)
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"]], what="the end of the ladder")[0]
    assert [(rung["rung"], rung["outcome"]) for rung in entry["rungs"]][-1] == ("restart", "worked"), entry
    assert entry["rungs"][0]["outcome"] == "skipped"
    assert not alive(main)
    assert daemon.wait_engines("app", 1)[0]["pid"] != engine


@SOURCES
def test_a_zombie_engine_that_nobody_reaps_is_lost_and_never_green(nest, args):
    daemon = app_daemon(nest, config(flags=["--reap", "0"], heal="1s", rungs='["restart"]'), args=args)
    _, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: is_zombie(engine), what="a zombie")
    daemon.wait_event("engine_lost", pid=engine)
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"]], what="the end of the ladder")[0]
    assert (entry["cause"], entry["end"]) == ("lost", "worked"), entry
    assert not is_zombie(engine)
    daemon.wait(lambda: daemon.status()["daemon"]["well"], what="being well again")


def test_without_exit_information_an_engine_that_was_reaped_at_once_counts_as_disconnected(nest):
    daemon = app_daemon(nest, config(heal="500ms"), args=["--without", "exit_info"])
    _, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    event = daemon.wait_event("engine_disconnected", pid=engine)
    assert "unknown" in event["why"], event
    daemon.wait(lambda: daemon.ctl("status")[0] == 3, what="not well: its owner has been without one for heal")
    assert not acts(daemon)


@SOURCES
@pytest.mark.parametrize("how", ["0", "130", "143", "die"])
def test_a_disconnect_on_purpose_is_an_event_and_needs_no_remedy(nest, how, args):
    daemon = app_daemon(nest, config(f"plain {ENGINE} -p PORT --on-int {how}", heal="1s"), args=args)
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    worker.tell("disconnect")
    daemon.wait_event("engine_disconnected", pid=engine)
    daemon.wait(lambda: not daemon.engines("app"), what="an empty list")
    daemon.wait(lambda: not daemon.status()["daemon"]["well"], what="heal being over")
    assert daemon.find_event("engine_lost") is None and not acts(daemon)


def test_an_app_that_connects_lazily_is_well_without_an_engine(nest):
    daemon = app_daemon(nest, config(heal="300ms", more="").replace('within = "20s"',
                                                                    'within = "20s", successor = false'))
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    lost = daemon.wait_event("engine_lost", pid=engine)
    daemon.wait(lambda: not daemon.engines("app"), what="an empty list")
    worker.tell(f"engine plain {ENGINE} -p PORT")
    found = daemon.wait_event("engine_found", lost["id"])
    assert found["pid"] != engine
    assert not acts(daemon) and daemon.status()["daemon"]["well"]


def test_an_engine_that_leaves_with_another_code_is_lost(nest):
    daemon = app_daemon(nest, config(heal="20s", flags=["--heal", "300"]))
    _, engine = only(workers_with_engines(nest, daemon, 1))
    try:
        ask_engine(engine, "/exit?code=7")
    except OSError:
        pass  # it leaves instead of answering
    except Exception as error:  # http.client.RemoteDisconnected is an OSError, BadStatusLine is not
        assert "Status" in type(error).__name__
    lost = daemon.wait_event("engine_lost", pid=engine)
    assert (lost["exit"]["kind"], lost["exit"]["code"]) == ("exited", 7)


def test_an_engine_that_never_lived_past_settle_failed_to_start(nest):
    daemon = app_daemon(nest, app_service())
    worker = main_of(nest, daemon).fork()
    daemon.wait(lambda: worker.pid in daemon.recorded("app"), what="a census of the worker")
    engine = worker.engine("plain", ENGINE, "-p", "PORT", "--on-term", "3")
    daemon.wait(lambda: engine in daemon.recorded("app"), what="a census of the engine")
    os.kill(engine, signal.SIGTERM)
    gone = daemon.wait_event("engine_gone", pid=engine)
    assert "start" in gone["why"], gone


def test_the_version_run_before_each_connect_is_never_an_engine(nest):
    daemon = app_daemon(nest, config(flags=["--version", "1"]))
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    for _ in range(5):
        worker.tell("reconnect")
    daemon.wait(lambda: (e := daemon.wait_engines("app", 1)) and e[0]["pid"] != engine, what="the last successor")
    found = {event["pid"] for event in daemon.events() if event["kind"] == "engine_found"}
    assert found <= {engine, daemon.engines("app")[0]["pid"]}, "engines are listed when they are settle old"
    assert daemon.find_event("engine_lost") is None and not acts(daemon)


def test_a_dead_worker_takes_the_heal_clock_of_its_lost_engine_with_it(nest):
    daemon = app_daemon(nest, config(heal="3s"))
    worker, engine = only(workers_with_engines(nest, daemon, 1))
    os.kill(engine, signal.SIGKILL)
    daemon.wait_event("engine_lost", pid=engine)
    os.kill(worker.pid, signal.SIGKILL)  # its replacement brings an engine of its own
    new_worker, new_engine = only(workers_with_engines(nest, daemon, 1))
    assert new_worker.pid != worker.pid and new_engine != engine
    daemon.wait(lambda: daemon.engines("app")[0]["age_seconds"] > 4, what="the old heal clock's time")
    assert not acts(daemon) and daemon.status()["daemon"]["well"]
