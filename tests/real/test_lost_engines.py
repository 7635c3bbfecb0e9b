"""An engine dies without us: put away on purpose, replaced by its app, or lost; and where its end cannot be read."""
import os
import signal
import threading
import time

import pytest

from figures import figure
from application import outcomes
from harness import alive, is_zombie, wait_until

BUDGET = 'budget = { acts = 1000, per = "1h" }'
RULE = 'settle = "500ms"\non_lost = ["reconnect", "restart"]'
WITHOUT_EXIT_INFO = ["--without", "exit_info"]


def service(heal):
    return f'{BUDGET}\nheal = "{heal}s"'


def two_engines(daemon, application):
    """Both engines as (worker, engine), in the order of the workers."""
    return [(worker, one["pid"]) for worker, one in sorted(application.wait_serving(daemon).items())]


class Greens:
    """Asks `plimsollctl status` again and again: what it exited with, and when."""

    def __init__(self, daemon):
        self.daemon, self.seen, self._over = daemon, [], threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._over.wait(0.1):
            asked = time.monotonic()
            self.seen.append((asked, self.daemon.ctl("status")[0], time.monotonic()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(60)

    def between(self, begin, end):
        """Exit codes of those asked after `begin` and answered before `end`."""
        return [code for asked, code, answered in self.seen if asked > begin and answered < end]


def no_acts_for(daemon, worker, engine):
    acts = [entry for entry in daemon.ledger("app") if entry["pid"] == engine or entry["owner_pid"] == worker]
    asked = [event for event in daemon.events() if event["kind"] in ("rung", "hook") and event["pid"] == engine]
    return acts == [] and asked == []


def wait_past(instant, daemon, what):
    wait_until(lambda: time.monotonic() > instant, 120, what, daemon.report)


def test_a_disconnect_on_purpose_is_an_event_and_no_remedy(launch):
    daemon, application = launch(service=service(2), rule=RULE)
    (worker, engine), (_, other) = two_engines(daemon, application)
    since = daemon.mark()
    assert application.ask(worker, "POST", "/admin/disconnect")[0] == 200
    put_away = time.monotonic()
    daemon.wait_event("engine_disconnected", since, pid=engine)
    wait_past(put_away + 4, daemon, "twice the time to heal")
    assert no_acts_for(daemon, worker, engine) and alive(worker) and alive(other)
    assert not application.journal("asked") and not daemon.find_event("engine_lost", since)
    # A worker that had an engine and has none is said to be not well, though nothing is done about it.
    assert daemon.ctl("status")[0] == 3
    assert application.ask(worker, "POST", "/admin/connect")[0] == 200
    application.wait_serving(daemon)
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="a green status")


def test_an_engine_that_its_app_replaces_within_heal_is_not_acted_on(launch):
    daemon, application = launch(service=service(6), rule=RULE, environment={"APP_HEAL": "3"})
    (worker, engine), (_, other) = two_engines(daemon, application)
    since = daemon.mark()
    os.kill(engine, signal.SIGKILL)
    killed = time.monotonic()
    daemon.wait_event("engine_lost", since, pid=engine)
    wait_until(lambda: application.journal("reconnected", why="healed itself", before=engine), 60,
               "the app's own healing", daemon.report)
    found = application.wait_serving(daemon)
    assert found[worker]["pid"] != engine
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="a green status")
    wait_past(killed + 9, daemon, "heal being over")
    assert no_acts_for(daemon, worker, engine) and not application.journal("asked")
    assert {one["pid"] for one in daemon.engines("app")} == {found[worker]["pid"], other}


@pytest.mark.parametrize("reap, args", [("never", []), ("at_once", []), ("never", WITHOUT_EXIT_INFO)],
                         ids=["zombie", "reaped", "zombie without exit_info"])
def test_an_engine_that_its_app_never_replaces_is_remedied_after_heal_and_never_green_before(launch, reap, args):
    daemon, application = launch(service=service(4), rule=RULE, args=args, environment={"APP_REAP": reap})
    (worker, engine), (_, other) = two_engines(daemon, application)
    since = daemon.mark()
    with Greens(daemon) as greens:
        os.kill(engine, signal.SIGKILL)
        killed = time.monotonic()
        daemon.wait_event("engine_lost", since, pid=engine)
        lost = time.monotonic()
        assert is_zombie(engine) == (reap == "never")
        wait_until(lambda: application.journal("asked", engine=engine), 60, "the app being asked", daemon.report)
        asked = time.monotonic()
        entry = daemon.wait(lambda: next(e for e in daemon.ledger("app") if e["pid"] == engine and e["end"]))
        daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="a green status")
    assert asked - killed >= 4
    codes = greens.between(lost, asked)
    assert codes and set(codes) == {3}
    assert (entry["cause"], entry["end"]) == ("lost", "worked")
    assert outcomes(entry) == [("reconnect", "worked")]
    found = application.wait_serving(daemon)
    assert found[worker]["pid"] == entry["successor_pid"] != engine
    assert {one["pid"] for one in found.values()} == {found[worker]["pid"], other}
    case = ("zombie" if reap == "never" else "reaped") + (", without exit_info" if args else "")
    figure(f"engine killed, app does not heal (heal 4 s, {case}): lost after {lost - killed:.2f} s, app asked after "
           f"{asked - killed:.2f} s, {entry['seconds_without_engine']:.2f} s without an engine")


def test_without_exit_info_an_engine_reaped_at_once_counts_as_disconnected_and_is_not_acted_on(launch):
    daemon, application = launch(service=service(2), rule=RULE, args=WITHOUT_EXIT_INFO,
                                 environment={"APP_REAP": "at_once"})
    (worker, engine), _ = two_engines(daemon, application)
    since = daemon.mark()
    os.kill(engine, signal.SIGKILL)
    killed = time.monotonic()
    daemon.wait_event("engine_disconnected", since, pid=engine)
    wait_past(killed + 4, daemon, "twice the time to heal")
    assert no_acts_for(daemon, worker, engine) and not application.journal("asked") and alive(worker)
    assert not daemon.find_event("engine_lost", since)


def test_a_worker_that_never_heals_is_restarted_with_its_service_where_it_cannot_be_asked(launch):
    daemon, application = launch(service=service(2), rule=RULE, environment={"APP_HOOK": "404"})
    (worker, engine), _ = two_engines(daemon, application)
    run = daemon.service("app")["run"]
    os.kill(engine, signal.SIGKILL)
    entry = daemon.wait(lambda: next(e for e in daemon.ledger("app") if e["pid"] == engine and e["end"]), 120)
    assert entry["end"] == "worked"
    assert outcomes(entry) == [("reconnect", "failed"), ("restart", "worked")]
    assert daemon.service("app")["run"] == run + 1 and not alive(worker)
    application.wait_serving(daemon)
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="a green status")
