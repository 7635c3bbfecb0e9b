"""The soft line: its ladder, the hooks that it asks, and what counts as having worked."""

import pytest

from apps import ENGINE, app_daemon, app_service, main_of, workers_with_engines
from harness import alive, engine_port, wait_until
from hook_server import HookServer
from puppets import Puppet, leak

MIB = 1 << 20
TWO_WORKERS = ["--workers", "2", "--replace", "1", "--engine", f"plain {ENGINE} -p PORT"]
SIGNAL_HOOK = """
[services.app.hooks.reconnect]
signal  = "SIGRTMIN+1"
timeout = "20s"
"""
LINES = 'memory = { soft = "60MiB", for = "300ms", interval = "100ms" }\nexpect = { below = "40MiB", within = "20s" }\n'


def http_hook(port, more="", timeout="20s"):
    return f"""
[services.app.hooks.reconnect]
http    = {{ url = "http://127.0.0.1:{port}/admin/reconnect?engine={{engine_pid}}" }}
timeout = "{timeout}"
{more}
"""


def config(hooks=SIGNAL_HOOK, flags=(), rungs='["reconnect", "worker", "restart"]', more="",
           reconnect="hook:reconnect"):
    return app_service(flags=[*TWO_WORKERS, *flags], hooks=hooks, more='cool_down = "200ms"\nheal = "20s"\n' + more,
                       engine=LINES + f'reconnect = "{reconnect}"\non_soft = {rungs}')


def finished(daemon, pid):
    """The intervention about that engine, once it is over."""
    def ask():
        return [entry for entry in daemon.ledger("app") if entry["pid"] == pid and entry["end"]]
    return daemon.wait(ask, what=f"the end of the ladder of {pid}")[0]


def tried(entry):
    return [(rung["rung"], rung["outcome"]) for rung in entry["rungs"]]


def test_a_reconnect_by_signal_replaces_the_engine_that_crossed_and_leaves_the_other_alone(nest):
    daemon = app_daemon(nest, config(flags=["--reconnect", "SIGRTMIN+1"]))
    pairs = workers_with_engines(nest, daemon, 2)
    (worker, subject), (_, other) = pairs.items()
    owners = {worker.pid for worker in pairs}
    for _ in range(3):
        leak(subject, 80)
        entry = finished(daemon, subject)
        assert (entry["cause"], entry["end"], entry["owner_pid"]) == ("soft", "worked", worker.pid), entry
        assert tried(entry) == [("reconnect", "worked")] or tried(entry) == [("hook:reconnect", "worked")], entry
        assert entry["rss_before_bytes"] >= 60 * MIB and entry["rss_after_bytes"] < 40 * MIB
        assert entry["freed_bytes"] > 30 * MIB
        assert entry["seconds_without_engine"] is not None
        assert not alive(subject) and alive(other)
        shown = daemon.wait_engines("app", 2)
        assert {engine["pid"] for engine in shown} == {other, entry["successor_pid"]}
        assert {engine["owner_pid"] for engine in shown} == owners, "no worker was replaced"
        crossed = daemon.find_event("limit_crossed", pid=subject)
        assert crossed["limit_bytes"] == 60 * MIB and crossed["rss_bytes"] >= 60 * MIB
        subject = entry["successor_pid"]
    assert daemon.service("app")["budget_spent"] == 3
    code, out, _ = daemon.ctl("why", "app")
    assert code == 0 and "reconnect" in out and "worked" in out and "MiB" in out, out


def test_a_hook_that_answers_404_fails_and_the_next_rung_is_taken(nest):
    server = HookServer(lambda request: 404)
    nest.finally_(server.close)
    daemon = app_daemon(nest, config(http_hook(server.port), rungs='["reconnect", "worker"]'))
    pairs = workers_with_engines(nest, daemon, 2)
    (worker, subject), (neighbour, other) = pairs.items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert [outcome for _, outcome in tried(entry)] == ["failed", "worked"], entry
    assert entry["rungs"][1]["rung"] == "worker" and entry["end"] == "worked"
    assert "404" in entry["rungs"][0]["why"], entry
    assert daemon.wait_event("hook", why=lambda why: "404" in why)
    assert server.requests[0]["path"] == f"/admin/reconnect?engine={subject}"
    assert not alive(worker.pid) and not alive(subject)
    assert alive(neighbour.pid) and alive(other)
    shown = daemon.wait_engines("app", 2)
    assert {engine["pid"] for engine in shown} == {other, entry["successor_pid"]}


def test_a_hook_that_never_answers_is_given_up_at_its_deadline(nest):
    server = HookServer(lambda request: None)
    nest.finally_(server.close)
    flags = ["--heal", "50"]
    daemon = app_daemon(nest, config(http_hook(server.port, timeout="700ms"), flags, '["reconnect", "end"]'))
    (worker, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert [outcome for _, outcome in tried(entry)] == ["timed_out", "worked"], entry
    assert entry["rungs"][1]["rung"] == "end"
    assert alive(worker.pid), "the worker healed itself"


def test_wrong_answers_are_asked_again_over_fresh_connections_and_counted(nest):
    hooked = {}

    def answers(request):
        if request["number"] < 5:
            return 409
        hooked["worker"].tell("reconnect")
        return 200
    server = HookServer(answers)
    nest.finally_(server.close)
    daemon = app_daemon(nest, config(http_hook(server.port)))
    (hooked["worker"], subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert entry["end"] == "worked" and len(entry["rungs"]) == 1, entry
    assert len(server.requests) == 6 and server.connections == 6
    assert daemon.wait_event("hook", why=lambda why: "5" in why)


def test_only_wrong_answers_end_at_the_deadline_as_timed_out(nest):
    server = HookServer(lambda request: 409)
    nest.finally_(server.close)
    daemon = app_daemon(nest, config(http_hook(server.port, timeout="1s"), ["--heal", "50"], '["reconnect", "end"]'))
    (_, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert [outcome for _, outcome in tried(entry)] == ["timed_out", "worked"], entry
    assert len(server.requests) > 2


def test_a_unix_socket_hook_fills_in_its_placeholders_and_its_secret_header(nest):
    hooks = """
[services.app.hooks.reconnect]
http = { unix = "@tmp/{owner_pid}.hook", path = "/r?engine={engine_pid}&service={service}&rule={rule}&run={run}", method = "PUT", headers = { "X-Token" = { env = "ADMIN_TOKEN" }, "X-Plain" = "yes" } }
"""
    daemon = app_daemon(nest, config(hooks, more='environment = { ADMIN_TOKEN = "hush" }'))
    (worker, subject), _ = workers_with_engines(nest, daemon, 2).items()

    def answers(request):
        worker.tell("reconnect")
        return 204
    server = HookServer(answers, nest.tmp / f"{worker.pid}.hook")
    nest.finally_(server.close)
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert entry["end"] == "worked" and len(entry["rungs"]) == 1, entry
    [request] = server.requests
    assert request["method"] == "PUT"
    assert request["path"] == f"/r?engine={subject}&service=app&rule=prisma&run={daemon.service('app')['run']}"
    assert request["headers"]["X-Token"] == "hush" and request["headers"]["X-Plain"] == "yes"
    everything = daemon.ctl("--json", "why")[1] + daemon.ctl("--json", "events")[1] + daemon.log_text()
    assert "hush" not in everything, "no secret in any answer"


def test_an_exec_hook_runs_its_command_with_the_placeholders_filled_in(nest):
    script = "echo {engine_pid} {owner_pid} > @tmp/asked; kill -35 {owner_pid}"
    hooks = f'[services.app.hooks.reconnect]\nexec = ["/bin/sh", "-c", "{script}"]\n'
    daemon = app_daemon(nest, config(hooks, ["--reconnect", "SIGRTMIN+1"]))
    (worker, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert entry["end"] == "worked" and len(entry["rungs"]) == 1, entry
    assert (nest.tmp / "asked").read_text().split() == [str(subject), str(worker.pid)]


def test_an_exec_hook_that_fails_and_one_that_hangs_lead_to_the_next_rung(nest):
    hooks = """
[services.app.hooks.bad]
exec = ["/bin/sh", "-c", "exit 9"]
[services.app.hooks.slow]
exec = ["/bin/sleep", "600"]
timeout = "500ms"
[services.app.hooks.absent]
exec = ["@tmp/no-such-program"]
"""
    rungs = '["hook:bad", "hook:slow", "hook:absent", "end"]'
    daemon = app_daemon(nest, config(hooks, ["--heal", "50"], rungs, reconnect="end"))
    (_, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert tried(entry) == [("hook:bad", "failed"), ("hook:slow", "timed_out"), ("hook:absent", "failed"),
                            ("end", "worked")]
    assert "9" in entry["rungs"][0]["why"]
    wait_until(lambda: not [pid for pid in nest.left() if "600" in open(f"/proc/{pid}/cmdline").read()],
               what="no sleep left")


def test_a_signal_that_its_target_does_not_catch_is_skipped(nest):
    daemon = app_daemon(nest, config(flags=["--heal", "50"], rungs='["reconnect", "end"]'))
    (worker, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert [outcome for _, outcome in tried(entry)] == ["skipped", "worked"], entry
    assert alive(worker.pid)


def test_a_reconnect_that_brings_no_smaller_engine_fails_and_the_ladder_climbs(nest):
    flags = ["--workers", "1", "--replace", "1", "--reconnect", "SIGRTMIN+1", "--engine",
             f"plain {ENGINE} -p PORT --start 50"]
    daemon = app_daemon(nest, app_service(flags=flags, hooks=SIGNAL_HOOK, more='cool_down = "1m"\nheal = "3s"',
                                          engine='memory = { soft = "60MiB", for = "300ms", interval = "100ms" }\n'
                                                 'expect = { below = "40MiB", within = "2s" }\n'
                                                 'reconnect = "hook:reconnect"\non_soft = ["reconnect", "log"]'))
    (_, subject), = workers_with_engines(nest, daemon, 1).items()
    leak(subject, 30)
    entry = finished(daemon, subject)
    assert tried(entry)[0][1] in ("failed", "timed_out"), entry
    assert not alive(subject)
    assert entry["end"] in ("exhausted", "subsided"), entry


def test_log_and_wait_only_pass_the_time_before_the_next_rung(nest):
    daemon = app_daemon(nest, config(flags=["--reconnect", "SIGRTMIN+1"], rungs='["log", "wait:500ms", "reconnect"]'))
    (_, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    entry = finished(daemon, subject)
    assert [rung["rung"] for rung in entry["rungs"]][:2] == ["log", "wait:500ms"], entry
    assert entry["end"] == "worked"
    assert entry["seconds"] >= 0.5


def test_an_engine_that_its_app_replaced_meanwhile_ends_the_ladder_without_an_act(nest):
    daemon = app_daemon(nest, config(rungs='["wait:3s", "worker"]'))
    (worker, subject), _ = workers_with_engines(nest, daemon, 2).items()
    leak(subject, 80)
    daemon.wait_event("limit_crossed", pid=subject)
    worker.tell("reconnect")
    entry = finished(daemon, subject)
    assert entry["end"] in ("subsided", "healed"), entry
    assert alive(worker.pid)


def test_a_worker_rung_is_skipped_for_an_engine_of_the_app_process(nest):
    flags = ["--main-engine", f"plain {ENGINE} -p PORT"]
    more = 'cool_down = "200ms"\nheal = "20s"'
    daemon = app_daemon(nest, app_service(flags=flags, more=more, engine=LINES + 'on_soft = ["worker", "restart"]'))
    engine = daemon.wait_engines("app", 1)[0]["pid"]
    main, run = main_of(nest, daemon).pid, daemon.service("app")["run"]
    leak(engine, 80)
    entry = finished(daemon, engine)
    assert tried(entry) == [("worker", "skipped"), ("restart", "worked")], entry
    assert not alive(main) and daemon.service("app")["run"] == run + 1


def test_a_services_own_soft_line_is_logged_by_default_and_asked_by_a_hook(nest):
    server = HookServer(lambda request: 200)
    nest.finally_(server.close)
    daemon = nest.daemon(f"""
[services.big]
command = ["@programs/leaker", "--start", "60"]
memory  = {{ soft = "40MiB", for = "200ms", interval = "100ms" }}
[services.asked]
command = ["@programs/leaker", "--start", "60"]
cool_down = "1h"
memory  = {{ soft = "40MiB", for = "200ms", interval = "100ms" }}
on_soft = [{{ do = "hook:free", expect = {{ below = "30MiB", within = "500ms" }} }}, "log"]
[services.asked.hooks.free]
http = {{ url = "http://127.0.0.1:{server.port}/free?pid={{owner_pid}}" }}
to = "service"
""")
    for name in ("big", "asked"):
        crossed = daemon.wait_event("limit_crossed", service=name)
        assert crossed["limit_bytes"] == 40 * MIB and crossed["pid"] == daemon.service(name)["pid"]
    entry = daemon.wait(lambda: [e for e in daemon.ledger("asked") if e["end"]], what="the end of the ladder")[0]
    assert entry["rungs"][0]["outcome"] in ("failed", "timed_out"), "answered, but not below its expectation"
    assert entry["end"] == "exhausted" and len(server.requests) == 1
    assert alive(daemon.service("big")["pid"]) and alive(daemon.service("asked")["pid"])


@pytest.mark.parametrize("of", ["process", "tree"])
def test_a_trees_line_counts_the_children_and_a_processs_does_not(nest, of):
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--engine", f"plain {ENGINE} --start 40"],
                                          more=f'memory = {{ of = "{of}", soft = "70MiB", for = "200ms", interval = "100ms" }}'))
    daemon.wait_engines("app", 2)
    daemon.wait(lambda: daemon.service("app")["tree_rss_bytes"] > 80 * MIB, what="the tree's memory")
    if of == "tree":
        assert daemon.wait_event("limit_crossed", service="app")["limit_bytes"] == 70 * MIB
    else:
        daemon.wait(lambda: daemon.service("app")["engines"][0]["age_seconds"] > 2, what="some samples")
        assert daemon.find_event("limit_crossed") is None


def test_an_operator_can_ask_for_a_reconnect_and_for_a_hook(nest):
    server = HookServer(lambda request: 200)
    nest.finally_(server.close)
    hooks = SIGNAL_HOOK + f"""
[services.app.hooks.flush]
http = {{ url = "http://127.0.0.1:{server.port}/flush" }}
to = "service"
"""
    daemon = app_daemon(nest, config(hooks, ["--reconnect", "SIGRTMIN+1"]))
    before = workers_with_engines(nest, daemon, 2)
    code, out, err = daemon.ctl("reconnect", "app")
    assert code == 0, out + err
    after = workers_with_engines(nest, daemon, 2)
    assert {w.pid for w in before} == {w.pid for w in after}
    assert not set(before.values()) & set(after.values())
    code, out, err = daemon.ctl("do", "flush", "app")
    if code == 2:
        code, out, err = daemon.ctl("do", "flush")
    assert code == 0, out + err
    assert [request["path"] for request in server.requests] == ["/flush"]
    assert daemon.service("app")["budget_spent"] == 0, "what an operator asked for is no intervention"
    assert daemon.find_event("operator", service="app")
    assert engine_port(next(iter(after.values())))


def test_the_hook_reaches_the_owner_by_its_pid(nest):
    """With the signal sent to the wrong worker the wrong engine would be replaced: twice in a row, once for each worker."""
    daemon = app_daemon(nest, config(flags=["--reconnect", "SIGRTMIN+1"]))
    for worker, subject in workers_with_engines(nest, daemon, 2).items():
        leak(subject, 80)
        entry = finished(daemon, subject)
        assert (entry["owner_pid"], entry["end"]) == (worker.pid, "worked")
        engine = next(e for e in daemon.wait_engines("app", 2) if e["pid"] == entry["successor_pid"])
        assert engine["owner_pid"] == Puppet(nest.tmp / "app", worker.pid).pid
