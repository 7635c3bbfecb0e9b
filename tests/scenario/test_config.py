"""Bad configurations change nothing; good ones can be changed while everything runs."""

import os
import re
import signal
import subprocess

import pytest

from apps import ENGINE, app_daemon, app_service
from harness import PLIMSOLLD, SLOW, alive, clean_environment, wait_until

LONG = '["@programs/crasher", "--after", "1000000"]'
EIGHT = """\
[services.web]
command = "gunicorn"
stop = { signal = "SIGNOTHING", grace = "1s" }
cool_down = "soon"
restrat = "always"
requires = ["nobody"]
[services.web.engines.prisma]
match = ["query-engine*"]
memory = { soft = "800MiB", hard = "4 apples" }
on_soft = ["reconect"]
[[services.web.cycles]]
do = "restart"
cron = "61 * * * *"
"""
WRONG_LINES = [2, 3, 4, 5, 6, 9, 10, 13]  # of EIGHT


def plimsolld(*args):
    done = subprocess.run([PLIMSOLLD, *map(str, args)], capture_output=True, text=True, timeout=30 * SLOW, check=False,
                          env=clean_environment(), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def places(text, path):
    return [(int(line), int(column)) for line, column in re.findall(rf"{re.escape(str(path))}:(\d+):(\d+): ", text)]


def test_eight_mistakes_of_meaning_are_all_told_with_line_and_column(nest):
    path = nest.tmp / "bad.toml"
    path.write_text(EIGHT)
    code, out, err = plimsolld("--check", path)
    assert code == 78
    found = places(out + err, path)
    assert [line for line, _ in found] == WRONG_LINES, out + err
    assert all(column > 0 for _, column in found)
    assert found == sorted(found)
    assert "restart" in next(line for line in (out + err).splitlines()
                             if f"{path}:5:" in line), "the nearest known key is suggested"
    assert "4 apples" in out + err and "SIGNOTHING" in out + err, "the value is shown"


def test_a_daemon_does_not_start_with_a_bad_file_and_says_why(nest):
    daemon = nest.daemon(EIGHT, start=False).launch()
    assert daemon.wait_exit(30) == 78
    assert len(places(daemon.log_text(), daemon.config_path)) == 8, daemon.log_text()


def test_a_syntax_error_is_told_alone(nest):
    path = nest.tmp / "bad.toml"
    path.write_text('[services.web]\ncommand = ["a"\nbogus = 1\n[services.web]\n')
    code, out, err = plimsolld("--check", path)
    assert code == 78 and len(places(out + err, path)) == 1, out + err


@pytest.mark.parametrize("text,word", [
    ('[services.a]\ncommand = ["a"]\nworkers = { w = 1 }\n', "not yet supported"),
    ('[services.a]\ncommand = ["a"]\nmemory = { metric = "pss" }\n', "not yet supported"),
    ('[daemon]\nlisten = "127.0.0.1:1"\n', "not yet supported"),
    ('[services.a]\ncommand = ["a"]\nmemory = { soft = "2GiB", hard = "1GiB" }\n', "soft"),
    ('[services.a]\ncommand = ["a"]\nrequires = ["b"]\n[services.b]\ncommand = ["b"]\nrequires = ["a"]\n', "loop"),
    ('[services.a]\ncommand = ["a"]\non_soft = ["kill"]\n', "kill"),
])
def test_what_cannot_be_is_refused_with_its_place(nest, text, word):
    path = nest.tmp / "bad.toml"
    path.write_text(text)
    code, out, err = plimsolld("--check", path)
    assert code == 78 and word in out + err and places(out + err, path), out + err


def test_a_conf_d_adds_services_and_a_table_in_two_files_is_refused_naming_both(nest):
    path = nest.tmp / "plimsoll.toml"
    path.write_text('[services.a]\ncommand = ["a"]\n')
    more = nest.tmp / "conf.d" / "more.toml"
    more.parent.mkdir()
    more.write_text('[services.b]\ncommand = ["b"]\nrequires = ["a"]\n')
    code, out, err = plimsolld("--check", path)
    assert code == 0, out + err
    code, out, err = plimsolld("--print-config", "--config", path)
    assert code == 0 and "[services.a]" in out and "[services.b]" in out
    more.write_text('[services.a]\ncommand = ["other"]\n')
    code, out, err = plimsolld("--check", path)
    assert code == 78 and f"{more}:1:11: services.a: is in {path}:1 too" in out + err


def test_a_dry_run_says_what_a_reload_does_to_each_service_and_the_reload_does_it(nest):
    daemon = nest.daemon(f"""
[services.command]
command = {LONG}
[services.limit]
command = {LONG}
[services.same]
command = {LONG}
[services.gone]
command = {LONG}
""")
    for name in ("command", "limit", "same", "gone"):
        daemon.wait_ready(name)
    before = {service["name"]: service["pid"] for service in daemon.status()["services"]}
    daemon.write(f"""
[services.command]
command = {LONG}
environment = {{ NEW = "yes" }}
[services.limit]
command = {LONG}
memory = {{ soft = "1GiB" }}
[services.same]
command = {LONG}
[services.new]
command = {LONG}
""")
    code, out, err = daemon.ctl("reload", "--dry-run")
    assert code == 0, err
    expected = ["  command is restarted (environment)", "  gone is stopped, it left the plan",
                "  limit takes it live (memory)", "  new is started", "  same is untouched"]
    assert out.splitlines() == ["a reload would do this:", *expected]
    assert {service["name"]: service["pid"] for service in daemon.status()["services"]} == before
    code, out, err = daemon.ctl("reload")
    assert code == 0 and out.splitlines() == ["reloaded:", *expected]
    daemon.wait(lambda: [service["name"] for service in daemon.status()["services"]] == ["command", "limit", "new", "same"],
                what="the new plan")
    daemon.wait_ready("command")
    after = {service["name"]: service["pid"] for service in daemon.status()["services"]}
    assert after["same"] == before["same"] and after["limit"] == before["limit"]
    assert after["command"] not in (None, before["command"])


def test_a_dry_run_of_a_bad_file_says_what_is_wrong_and_nothing_more_happens(nest):
    daemon = nest.daemon(f"[services.one]\ncommand = {LONG}\n")
    daemon.wait_ready("one")
    mark = daemon.mark()
    daemon.write("[services.one]\ncommand = 3\n")
    code, out, err = daemon.ctl("reload", "--dry-run")
    assert code != 0 and "services.one.command" in out + err
    assert daemon.mark() == mark, "a question is no event"


def test_check_prints_the_next_five_runs_of_each_cron_cycle_offline(nest):
    path = nest.tmp / "good.toml"
    path.write_text('[services.a]\ncommand = ["a"]\n[[services.a.cycles]]\ndo = "restart"\ncron = "30 4 * * *"\nzone = "UTC"\n')
    code, out, err = plimsolld("--check", path)
    assert code == 0 and len(re.findall(r"\b04:30\b", out)) >= 5, out + err
    daemon = nest.daemon("[services.x]\ncommand = " + LONG, start=False)
    code, out, err = daemon.ctl("check", path)  # no daemon runs
    assert code == 0, out + err
    path.write_text(EIGHT)
    code, out, err = daemon.ctl("check", path)
    assert code != 0 and len(places(out + err, path)) == 8, out + err


def test_set_overrides_the_file_and_print_config_shows_the_whole_plan(nest):
    path = nest.tmp / "good.toml"
    path.write_text('[services.a]\ncommand = ["a"]\n')
    code, out, err = plimsolld("--config", path, "--set", "services.a.memory.hard=1GiB", "--set",
                               'services.a.requires=[]', "--print-config")
    assert code == 0 and "1GiB" in out, out + err
    again = nest.tmp / "again.toml"
    again.write_text(out)
    assert plimsolld("--check", again)[0] == 0
    assert plimsolld("--config", again, "--print-config")[1] == out, "printed again it is the same"
    code, out, err = plimsolld("--check", path, "--set", "services.a.memory.hard=many")
    assert code == 78 and re.search(r"--set:1:\d+: ", out + err), out + err


# --- reload -----------------------------------------------------------------------------------------------------------

def reload_by_ctl(daemon):
    code, out, err = daemon.ctl("reload")
    assert code == 0, out + err


def reload_by_hangup(daemon):
    mark = daemon.mark()
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_event("config", mark)


BOTH_WAYS = pytest.mark.parametrize("reload", [reload_by_ctl, reload_by_hangup], ids=["plimsollctl reload", "SIGHUP"])
THREE = f"""
[services.limits]
command = {LONG}
memory = {{ soft = "500MiB", hard = "1GiB" }}
[services.command]
command = {LONG}
[services.same]
command = {LONG}
"""


def pids(daemon):
    return {service["name"]: service["pid"] for service in daemon.status()["services"]}


@BOTH_WAYS
def test_a_reload_changes_limits_live_and_restarts_only_what_has_another_command(nest, reload):
    daemon = nest.daemon(THREE)
    for name in ("limits", "command", "same"):
        daemon.wait_ready(name)
    before = pids(daemon)
    daemon.write(THREE.replace("500MiB", "300MiB").replace(f"[services.command]\ncommand = {LONG}",
                 '[services.command]\ncommand = ["@programs/crasher", "--after", "2000000"]\nenvironment = { NEW = "yes" }'))
    reload(daemon)
    daemon.wait(lambda: pids(daemon)["command"] not in (before["command"], None), what="another run of what changed")
    daemon.wait_ready("command")
    after = pids(daemon)
    assert after["limits"] == before["limits"] and after["same"] == before["same"]
    assert daemon.service("limits")["soft_bytes"] == 300 << 20 and daemon.service("limits")["hard_bytes"] == 1 << 30
    assert b"NEW=yes" in open(f"/proc/{after['command']}/environ", "rb").read().split(b"\0")
    assert not alive(before["command"])


@BOTH_WAYS
def test_a_reload_of_a_bad_file_keeps_the_plan_and_everything_that_runs(nest, reload):
    daemon = nest.daemon(THREE)
    daemon.wait_ready("same")
    before, services = pids(daemon), len(daemon.status()["services"])
    text = daemon.full_text(EIGHT)
    daemon.write(EIGHT)
    if reload is reload_by_ctl:
        code, out, err = daemon.ctl("reload")
        assert code != 0
        before_it = text[:text.index("[services.web]")].count("\n")
        lines = [before_it + line for line in WRONG_LINES]
        assert [line for line, _ in places(out + err, daemon.config_path)] == lines, out + err
    else:
        reload(daemon)
    event = daemon.wait_event("config", why=lambda why: "apples" in why or "8" in why or "keep" in why
                              or "refused" in why)
    assert event
    assert pids(daemon) == before and len(daemon.status()["services"]) == services
    assert daemon.service("limits")["hard_bytes"] == 1 << 30
    daemon.write(THREE)
    reload_by_ctl(daemon)
    assert pids(daemon) == before


def test_a_reload_starts_new_services_and_ends_those_that_are_gone(nest):
    daemon = nest.daemon(THREE)
    daemon.wait_ready("same")
    before = pids(daemon)
    daemon.write(THREE.replace("[services.command]", "[services.new]"))
    reload_by_ctl(daemon)
    daemon.wait_ready("new")
    daemon.wait(lambda: set(pids(daemon)) == {"limits", "new", "same"}, what="the old one being gone")
    assert not alive(before["command"])
    assert pids(daemon)["same"] == before["same"]


def test_what_an_operator_stopped_stays_stopped_over_a_reload(nest):
    daemon = nest.daemon(THREE)
    daemon.wait_ready("command")
    assert daemon.ctl("stop", "command")[0] == 0
    daemon.write(THREE.replace("1GiB", "2GiB").replace("1000000", "3000000"))
    reload_by_ctl(daemon)
    daemon.wait_ready("same")
    assert daemon.service("command")["state"] == "stopped" and daemon.ctl("status")[0] == 0


@pytest.mark.parametrize("key", ["name", "socket"])
def test_another_name_or_socket_is_refused_by_a_reload(nest, key):
    daemon = nest.daemon(THREE)
    daemon.wait_ready("same")
    before = pids(daemon)
    text = daemon.config_path.read_text()
    daemon.config_path.write_text(re.sub(rf'^{key} = "([^"]*)"', rf'{key} = "\1x"', text, count=1, flags=re.M))
    code, out, err = daemon.ctl("reload")
    assert code != 0 and key in out + err
    assert pids(daemon) == before


def test_a_reload_takes_new_hooks_lines_and_rungs_of_an_engine_into_use(nest):
    flags = ["--workers", "1", "--heal", "50", "--engine", f"plain {ENGINE} -p PORT --start 30"]
    daemon = app_daemon(nest, app_service(flags=flags))
    engine = daemon.wait_engines("app", 1)[0]["pid"]
    assert daemon.engines("app")[0].get("soft_bytes") is None
    main = daemon.service("app")["pid"]
    daemon.write(app_service(flags=flags, more='cool_down = "1h"',
                             engine='reconnect = "end"\nexpect = { within = "20s" }\non_soft = ["reconnect"]\n'
                             'memory = { soft = "20MiB", for = "200ms", interval = "100ms" }\n'))
    reload_by_ctl(daemon)
    wait_until(lambda: not alive(engine), what="the new line being acted on", report=daemon.report)
    assert daemon.service("app")["pid"] == main


def test_a_dependency_loop_is_named_with_its_path(tmp_path):
    path = tmp_path / "loop.toml"
    path.write_text('[services.a]\ncommand=["x"]\nafter=["b"]\n[services.b]\ncommand=["x"]\nrequires=["a"]\n')
    code, out, err = plimsolld("--check", path)
    assert code == 78 and "'a -> b -> a'" in out + err
