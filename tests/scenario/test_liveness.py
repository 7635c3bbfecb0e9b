"""Still well? Services and engines that are asked, and what becomes of those that do not answer."""

import os
import signal

from apps import ENGINE, app_daemon, app_service, main_of
from harness import alive, wait_until

FOREVER = '["@programs/crasher", "--after", "1000000"]'


def test_a_service_that_stops_answering_is_restarted(nest):
    (nest.tmp / "up").touch()
    daemon = nest.daemon(f"""
[services.web]
command = {FOREVER}
live = {{ exec = ["test", "-e", "@tmp/up"], interval = "30ms", failures = 2 }}
cool_down = "50ms"
budget = {{ acts = 1000, per = "1h" }}
""")
    first = daemon.wait_ready("web")["pid"]
    (nest.tmp / "up").unlink()
    daemon.wait(lambda: daemon.service("web")["run"] >= 2, what="the next run")
    assert not alive(first)
    (nest.tmp / "up").touch()
    [act] = [entry for entry in daemon.ledger("web") if entry["cause"] == "hung"][:1]
    assert act["rungs"][0]["rung"] == "restart"
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="well again")


def test_an_engine_that_stops_answering_on_its_own_port_is_killed_and_its_worker_lives(nest):
    more = '''
live = { http = "/status", interval = "50ms", timeout = "200ms", failures = 2 }
on_hung = ["kill"]
expect = { successor = false }
'''
    daemon = app_daemon(nest, app_service(engine=more))
    worker = main_of(nest, daemon).fork()
    worker.engine("plain", ENGINE, "-p", "PORT")
    engine = daemon.wait_engines("app", 1)[0]["pid"]
    os.kill(engine, signal.SIGSTOP)
    daemon.wait_event("engine_hung", pid=engine)
    wait_until(lambda: not alive(engine), what="the end of a hung engine", report=daemon.report)
    assert alive(worker.pid)
    [act] = [entry for entry in daemon.ledger("app") if entry["cause"] == "hung"]
    assert (act["pid"], act["rungs"][0]["rung"], act["end"]) == (engine, "kill", "worked")
