"""A stop lets the application shut down as it likes to, and is over when nothing is left."""
import threading
import time

import pytest

from application import zombies_below
from figures import figure

DELAY = 2.0  # of the app's own shutdown: long enough to be seen if anybody cut it short


def stop_and_watch(daemon, nest):
    """`plimsollctl stop app`, the exit code, how long it took; what was alive whenever the daemon said "stopped"."""
    result, left = [], []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: result.append(daemon.ctl("stop", "app", deadline=120)))
    thread.start()
    while thread.is_alive():
        if daemon.service("app")["state"] == "stopped":  # asked first, looked at after
            left += nest.left()
        thread.join(0.02)
    left += nest.left()
    return result[0][0], time.monotonic() - began, left


def assert_stopped_well(daemon, application, nest):
    code, took, left = stop_and_watch(daemon, nest)
    assert code == 0 and left == []
    assert daemon.service("app")["state"] == "stopped" and zombies_below(daemon.pid) == []
    # A worker that was killed would have written neither; its engine was put away by itself before.
    assert len(application.journal("stopped")) == len(application.journal("disconnected")) == 2
    said = daemon.log_text() + daemon.out_text()
    assert said.count("Application shutdown complete.") == 2
    assert "SIGKILL" not in "".join(event["why"] for event in daemon.events())
    assert daemon.ledger("app") == []
    assert took >= DELAY
    return took


@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_each_worker_finishes_its_shutdown_and_stopped_is_said_when_nothing_is_left(launch, nest, server):
    daemon, application = launch(server=server, environment={"APP_SHUTDOWN_DELAY": str(DELAY)})
    took = assert_stopped_well(daemon, application, nest)
    ended = daemon.service("app")["last_exit"]
    assert (ended["kind"], ended["code"]) == ("exited", 0)
    each = " for each worker in turn" if server == "uvicorn" else ""
    figure(f"stop of {server} whose shutdown takes {DELAY:.0f} s{each}: {took:.2f} s")


def test_workers_below_a_shell_get_their_grace_too(launch, nest):
    """The shell is the main process and dies of the stop signal at once: what it leaves is stopped gently too."""
    daemon, application = launch(server="gunicorn", shell="{} & wait", environment={"APP_SHUTDOWN_DELAY": str(DELAY)})
    took = assert_stopped_well(daemon, application, nest)
    figure(f"stop of sh -c 'gunicorn … & wait' whose shutdown takes {DELAY:.0f} s: {took:.2f} s")


def test_the_daemons_own_end_stops_the_application_as_gently(launch, nest):
    daemon, application = launch(server="gunicorn", environment={"APP_SHUTDOWN_DELAY": str(DELAY)})
    assert daemon.stop() == 0
    assert nest.left() == []
    assert len(application.journal("stopped")) == len(application.journal("disconnected")) == 2
    assert (daemon.log_text() + daemon.out_text()).count("Application shutdown complete.") == 2
