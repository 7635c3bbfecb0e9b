"""What follows when a service ends by itself: restart, backoff, giving up, and who needs whom."""

import datetime
import os
import signal

import pytest

from harness import alive, wait_until

LONG = '["@programs/crasher", "--after", "1000000"]'


def at(event):
    return datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))


def states(daemon, name):
    return [event for event in daemon.events() if event["kind"] == "service_state" and event["service"] == name]


def test_a_crashing_service_is_restarted_with_growing_backoff(nest):
    daemon = nest.daemon("""
[services.crash]
command = ["sh", "-c", "date +%s%N >> @tmp/starts; exit 3"]
backoff = { first = "200ms", factor = 2.0, max = "800ms" }
""")
    daemon.wait(lambda: daemon.service("crash")["run"] >= 5, what="five runs")
    service = daemon.service("crash")
    assert service["restarts"] >= 4
    assert (service["last_exit"]["kind"], service["last_exit"]["code"]) == ("exited", 3)
    assert daemon.ctl("status")[0] == 3
    starts = wait_until(lambda: len(lines := (nest.tmp / "starts").read_text().split()) >= 5 and lines,
                        what="five starts")
    gaps = [(int(b) - int(a)) / 1e9 for a, b in zip(starts, starts[1:])]
    for gap, least in zip(gaps, (0.2, 0.4, 0.8, 0.8)):
        assert gap >= least, gaps


def test_a_run_that_lived_long_enough_is_forgiven(nest):
    daemon = nest.daemon("""
[services.crash]
command = ["@programs/crasher", "--after", "700", "--exit", "3"]
backoff = { first = "50ms", factor = 1000.0, max = "1h", forgive = "300ms" }
""")
    daemon.wait(lambda: daemon.service("crash")["run"] >= 4, what="four runs, each with the first delay")


@pytest.mark.parametrize("command,kind,field,value", [
    ('["@programs/crasher", "--exit", "4"]', "exited", "code", 4),
    ('["@programs/crasher", "--signal", "SEGV"]', "signaled", "signal", 11),
    ('["@programs/crasher", "--signal", "KILL"]', "signaled", "signal", 9),
    ('["@tmp/no-such-program"]', "spawn_failed", "code", 2),
    ('["/etc/passwd"]', "spawn_failed", "code", 13),
], ids=["exit 4", "SIGSEGV", "SIGKILL", "not found", "not executable"])
def test_how_it_ended_is_told_exactly(nest, command, kind, field, value):
    daemon = nest.daemon(f'[services.one]\ncommand = {command}\nbackoff = {{ first = "1h", max = "1h" }}\n')
    service = daemon.wait(lambda: (s := daemon.service("one"))["state"] == "backoff" and s, what="backoff")
    assert service["last_exit"]["kind"] == kind and service["last_exit"][field] == value, service["last_exit"]
    assert any(event.get("exit", {}) and event["exit"]["kind"] == kind for event in states(daemon, "one"))
    if kind == "spawn_failed":
        said = " ".join(event["why"] for event in states(daemon, "one"))
        assert "exec" in said and os.strerror(value).lower() in said.lower(), said


def test_a_missing_working_directory_is_named_as_the_step_that_failed(nest):
    daemon = nest.daemon(f'[services.one]\ncommand = {LONG}\nworking_directory = "@tmp/absent"\n')
    service = daemon.wait(lambda: (s := daemon.service("one"))["last_exit"] and s, what="its end")
    assert service["last_exit"]["kind"] == "spawn_failed"
    assert "working_directory" in " ".join(event["why"] for event in states(daemon, "one"))


@pytest.mark.parametrize("policy,code,follows", [
    ("on-failure", 0, False), ("on-failure", 1, True), ("always", 0, True), ("never", 1, False)])
def test_the_restart_policy_decides_what_an_exit_means(nest, policy, code, follows):
    daemon = nest.daemon(f"""
[services.one]
command = ["@programs/crasher", "--exit", "{code}"]
restart = "{policy}"
backoff = {{ first = "10ms" }}
""")
    if follows:
        daemon.wait(lambda: daemon.service("one")["run"] >= 3, what="three runs")
    else:
        service = daemon.wait(lambda: (s := daemon.service("one"))["state"] in ("stopped", "failed") and s,
                              what="its end")
        assert service["run"] == 1
        assert daemon.ctl("status")[0] == 3, "nobody stopped it: not well"


def test_give_up_leaves_it_failed_until_somebody_starts_it(nest):
    daemon = nest.daemon("""
[services.crash]
command = ["@programs/crasher", "--exit", "1"]
backoff = { first = "10ms", factor = 1.0 }
give_up = { after = 3, within = "1m" }
""")
    service = daemon.wait(lambda: (s := daemon.service("crash"))["state"] == "failed" and s, what="failed")
    assert service["run"] in (3, 4), "three failures"
    assert daemon.running() and daemon.ctl("status")[0] == 3
    assert daemon.ctl("start", "crash")[0] in (0, 1)
    daemon.wait(lambda: daemon.service("crash")["run"] > service["run"], what="a new run")


@pytest.mark.parametrize("more,code", [('restart = "never"', 5),
                                       ('restart = "on-failure"\ngive_up = { after = 2, within = "1m" }', 82)],
                         ids=["its own code", "gave up"])
def test_the_end_of_an_essential_service_ends_the_daemon(nest, more, code):
    daemon = nest.daemon(f"""
[services.main]
command = ["@programs/crasher", "--after", "300", "--exit", "5"]
essential = true
backoff = {{ first = "10ms" }}
{more}
[services.beside]
command = {LONG}
""", start=False).launch()
    exit_code = daemon.wait_exit()
    assert exit_code in ({5} if code == 5 else {5, 82}), daemon.log_text()
    assert not nest.left()


def test_services_start_after_what_they_require_and_stop_before_it(nest):
    one = '["sh", "-c", "echo +{0} >> @tmp/order; trap \'echo -{0} >> @tmp/order; exit 0\' TERM; while :; do sleep 0.05; done"]'
    daemon = nest.daemon("".join(f"[services.{name}]\ncommand = {one.format(name)}\n{more}\n" for name, more in (
        ("web", 'requires = ["cache", "db"]'), ("cache", 'requires = ["db"]'), ("db", ""), ("alone", ""))))
    for name in ("web", "cache", "db", "alone"):
        daemon.wait_ready(name)
    order = nest.tmp / "order"

    def lines():
        return [line for line in order.read_text().split() if not line.endswith("alone")]
    wait_until(lambda: len(lines()) == 3, what="three starts")
    started = [event["service"] for event in daemon.events() if event["kind"] == "service_state" and event["pid"]]
    assert started.index("db") < started.index("cache") < started.index("web")

    assert daemon.ctl("stop", "db")[0] == 0
    assert lines()[3:] == ["-web", "-cache", "-db"], "stop X stops first what requires it"
    assert {s["name"]: s["state"] for s in daemon.status()["services"]} == {
        "web": "stopped", "cache": "stopped", "db": "stopped", "alone": "ready"}

    assert daemon.ctl("start", "web")[0] == 0
    assert {s["state"] for s in daemon.status()["services"]} == {"ready"}, "start X starts what it requires"
    wait_until(lambda: len(lines()) == 9, what="three more starts")

    assert daemon.stop() == 0
    assert lines()[9:] == ["-web", "-cache", "-db"]


def test_a_crash_of_what_is_required_leaves_its_dependents_alone(nest):
    daemon = nest.daemon(f"""
[services.db]
command = {LONG}
backoff = {{ first = "50ms" }}
[services.web]
command = {LONG}
requires = ["db"]
""")
    web = daemon.wait_ready("web")
    db = daemon.service("db")
    os.kill(db["pid"], signal.SIGKILL)
    daemon.wait(lambda: daemon.service("db")["run"] > db["run"] and daemon.service("db")["state"] == "ready",
                what="its next run")
    assert daemon.service("web")["pid"] == web["pid"]


def test_an_operators_restart_is_a_new_run_and_no_crash(nest):
    daemon = nest.daemon(f'[services.one]\ncommand = {LONG}\n')
    before = daemon.wait_ready("one")
    code, out, err = daemon.ctl("restart", "one")
    assert code == 0, out + err
    after = daemon.service("one")
    assert after["state"] == "ready" and after["run"] == before["run"] + 1 and after["pid"] != before["pid"]
    assert after["restarts"] == 0 and not alive(before["pid"])
    code, _, _ = daemon.ctl("restart")
    assert code == 0, "the name may be left out when there is one"
    assert daemon.service("one")["run"] == before["run"] + 2
    operator = daemon.find_event("operator", service="one")
    assert operator is not None and "0" in operator["why"], "who asked is said"
