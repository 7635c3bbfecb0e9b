"""From wanted to ready and back: readiness by each way of asking, tasks, who waits for whom, stops by steps and drains."""

import os
import signal
import socket
import threading

import pytest

from harness import alive, wait_until

FOREVER = '["@programs/crasher", "--after", "1000000"]'


def kinds(daemon, service):
    return [event["why"] for event in daemon.events() if event["kind"] == "service_state" and event["service"] == service]


def state(daemon, name):
    return daemon.service(name)["state"]


def answering_http(nest, status):
    """A tiny server: the list that is handed back holds the status to answer with, and is changed by the test."""
    answers = [status]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(f"HTTP/1.1 {answers[0]} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def close():
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
    nest.finally_(close)
    return listener.getsockname()[1], answers


def test_ready_by_http_is_asked_until_2xx_and_what_requires_it_waits(nest):
    port, answers = answering_http(nest, 503)
    daemon = nest.daemon(f"""
[services.web]
command = {FOREVER}
ready = {{ http = "http://127.0.0.1:{port}/health", interval = "20ms" }}
[services.proxy]
command = {FOREVER}
requires = ["web"]
""")
    daemon.wait(lambda: daemon.service("web")["pid"], what="the launch")
    assert (state(daemon, "web"), state(daemon, "proxy")) == ("starting", "starting")
    assert "waits for web" in daemon.service("proxy")["note"]
    assert daemon.ctl("status")[0] == 3, "not well while one is not ready"
    answers[0] = 204
    daemon.wait(lambda: state(daemon, "proxy") == "ready", what="both")
    assert daemon.ctl("status")[0] == 0
    assert any("HTTP 204" in why for why in kinds(daemon, "web"))


@pytest.mark.parametrize("how", ["tcp", "unix"])
def test_ready_by_a_connection(nest, how):
    path = nest.tmp / "app.sock"
    listener = socket.socket(socket.AF_UNIX if how == "unix" else socket.AF_INET)
    nest.finally_(listener.close)
    if how == "unix":
        where = f'unix = "{path}"'
    else:
        listener.bind(("127.0.0.1", 0))
        where = f'tcp = "127.0.0.1:{listener.getsockname()[1]}"'
    daemon = nest.daemon(f'[services.web]\ncommand = {FOREVER}\nready = {{ {where}, interval = "20ms" }}\n')
    daemon.wait(lambda: daemon.service("web")["pid"], what="the launch")
    assert state(daemon, "web") == "starting"
    if how == "unix":
        listener.bind(str(path))
    listener.listen(1)
    daemon.wait(lambda: state(daemon, "web") == "ready", what="ready")


def test_ready_by_a_command_and_by_a_line_of_output(nest):
    daemon = nest.daemon(f"""
[services.asked]
command = {FOREVER}
ready = {{ exec = ["test", "-e", "@tmp/up"], interval = "20ms" }}
[services.says]
command = ["sh", "-c", "echo not yet; while [ ! -e @tmp/up ]; do sleep 0.02; done; echo 'worker 7: startup complete'; exec sleep 1000"]
ready = {{ log = "*startup complete*" }}
""")
    daemon.wait(lambda: daemon.service("says")["pid"] and daemon.service("asked")["pid"], what="both launches")
    daemon.wait(lambda: "not yet" in daemon.out_text(), what="its first line")
    assert (state(daemon, "asked"), state(daemon, "says")) == ("starting", "starting")
    (nest.tmp / "up").touch()
    daemon.wait(lambda: state(daemon, "asked") == "ready" and state(daemon, "says") == "ready", what="ready")
    assert "startup complete" in daemon.out_text(), "what it said is passed on all the same"


def test_what_is_not_ready_in_time_is_late_and_left_alone_and_a_start_is_told(nest):
    daemon = nest.daemon(f"""
[services.web]
command = {FOREVER}
ready = {{ exec = ["test", "-e", "@tmp/up"], interval = "20ms", timeout = "300ms" }}
""")
    daemon.wait(lambda: state(daemon, "web") == "late", what="late")
    pid = daemon.service("web")["pid"]
    code, out, err = daemon.ctl("restart", "web")
    assert code == 1 and "late" in out + err
    assert not alive(pid)
    pid = daemon.service("web")["pid"]
    (nest.tmp / "up").touch()
    daemon.wait(lambda: state(daemon, "web") == "ready", what="ready at last")
    assert daemon.service("web")["pid"] == pid, "the same process, it only took its time"


def test_what_is_not_ready_in_time_is_restarted_where_the_plan_says_so(nest):
    daemon = nest.daemon(f"""
[services.web]
command = {FOREVER}
ready = {{ exec = ["test", "-e", "@tmp/up"], interval = "20ms", timeout = "200ms", on_timeout = "restart" }}
backoff = {{ first = "20ms" }}
""")
    daemon.wait(lambda: daemon.service("web")["run"] >= 3, what="the third run")
    (nest.tmp / "up").touch()
    daemon.wait(lambda: state(daemon, "web") == "ready", what="ready")
    assert any("not ready after 200ms" in why for why in kinds(daemon, "web"))


def test_a_task_runs_once_and_what_requires_it_starts_then(nest):
    daemon = nest.daemon(f"""
[services.migrate]
kind = "task"
command = ["sh", "-c", "echo run >> @tmp/runs; while [ ! -e @tmp/go ]; do sleep 0.02; done"]
[services.web]
command = {FOREVER}
requires = ["migrate"]
""")
    daemon.wait(lambda: daemon.service("migrate")["pid"], what="its launch")
    assert (state(daemon, "migrate"), state(daemon, "web")) == ("starting", "starting")
    (nest.tmp / "go").touch()
    daemon.wait(lambda: state(daemon, "web") == "ready", what="the app")
    task = daemon.service("migrate")
    assert (task["state"], task["pid"], task["last_exit"]["code"]) == ("ready", None, 0)
    assert daemon.ctl("status")[0] == 0, "a task that is done is well"
    code, out, _ = daemon.ctl("restart", "migrate")
    assert code == 0 and "done" in out
    assert (nest.tmp / "runs").read_text().split() == ["run", "run"]


def test_a_task_over_its_time_limit_is_ended_with_its_whole_tree(nest):
    daemon = nest.daemon("""
[services.migrate]
kind = "task"
command = ["sh", "-c", "setsid sh -c 'echo $$ > @tmp/pid; exec sleep 1000' & wait"]
time_limit = "300ms"
restart = "never"
stop = { grace = "200ms" }
""")
    pid = int(wait_until(lambda: (nest.tmp / "pid").exists() and (nest.tmp / "pid").read_text(), what="its helper"))
    daemon.wait(lambda: state(daemon, "migrate") == "failed", what="failed")
    assert not alive(pid), "what the task started in a session of its own is ended too"
    assert any("not done after 300ms" in why for why in kinds(daemon, "migrate"))


def test_after_orders_the_start_and_the_stop(nest):
    daemon = nest.daemon("""
[services.first]
command = ["sh", "-c", "trap 'echo first >> @tmp/stops; exit 0' TERM; touch @tmp/armed; while :; do sleep 0.02; done"]
ready = { exec = ["test", "-e", "@tmp/up"], interval = "20ms" }
[services.second]
command = ["sh", "-c", "trap 'sleep 0.3; echo second >> @tmp/stops; exit 0' TERM; touch @tmp/armed2; while :; do sleep 0.02; done"]
after = ["first"]
""")
    daemon.wait(lambda: daemon.service("first")["pid"], what="the first")
    assert "waits its turn after first" in daemon.service("second")["note"]
    (nest.tmp / "up").touch()
    daemon.wait(lambda: state(daemon, "second") == "ready", what="the second")
    wait_until(lambda: (nest.tmp / "armed").exists() and (nest.tmp / "armed2").exists(), what="both traps")
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert (nest.tmp / "stops").read_text().split() == ["second", "first"]


def test_an_engine_that_the_daemon_launches_survives_its_app_and_ends_with_it_for_good(nest):
    daemon = nest.daemon(f"""
[services.bridge]
command = {FOREVER}
engine_of = "web"
[services.web]
command = {FOREVER}
""")
    daemon.wait(lambda: state(daemon, "web") == "ready", what="both")
    engine = daemon.service("bridge")["pid"]
    assert daemon.ctl("restart", "web")[0] == 0
    assert daemon.service("bridge")["pid"] == engine
    assert daemon.ctl("stop", "web")[0] == 0
    daemon.wait(lambda: state(daemon, "bridge") == "stopped", what="the engine's end")
    assert not alive(engine)
    assert daemon.ctl("start", "web")[0] == 0
    assert state(daemon, "bridge") == "ready"


def test_a_stop_goes_by_its_steps(nest):
    daemon = nest.daemon("""
[services.web]
command = ["sh", "-c", "trap 'echo INT >> @tmp/heard' INT; trap 'echo TERM >> @tmp/heard' TERM; trap 'echo QUIT >> @tmp/heard; exit 0' QUIT; touch @tmp/armed; while :; do sleep 0.02; done"]
stop = { steps = [{ signal = "SIGINT", grace = "300ms" }, { signal = "SIGTERM", grace = "300ms" }, { signal = "SIGQUIT", grace = "60s" }] }
""")
    wait_until(lambda: (nest.tmp / "armed").exists(), what="its traps")
    assert daemon.ctl("stop", "web")[0] == 0
    assert (nest.tmp / "heard").read_text().split() == ["INT", "TERM", "QUIT"]
    assert daemon.service("web")["last_exit"]["code"] == 0, "no SIGKILL was needed"


def test_a_drain_is_asked_first_and_its_answer_waited_for(nest):
    daemon = nest.daemon("""
[services.web]
command = ["sh", "-c", "trap 'test -e @tmp/drained && echo after the drain >> @tmp/heard; exit 0' TERM; touch @tmp/armed; while :; do sleep 0.02; done"]
stop = { drain = "drain" }
[services.web.hooks.drain]
to = "service"
exec = ["sh", "-c", "sleep 0.3; touch @tmp/drained"]
""")
    wait_until(lambda: (nest.tmp / "armed").exists(), what="its trap")
    assert daemon.ctl("stop", "web")[0] == 0
    assert (nest.tmp / "heard").read_text() == "after the drain\n"


def test_other_exits_count_as_success_where_the_plan_says_so(nest):
    daemon = nest.daemon("""
[services.batch]
command = ["@programs/crasher", "--exit", "3"]
success = [0, 3, 143]
""")
    daemon.wait(lambda: state(daemon, "batch") == "stopped", what="its rest")
    assert daemon.service("batch")["restarts"] == 0
