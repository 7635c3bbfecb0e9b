"""`plimsolld -- CMD`: a container's entrypoint that behaves like the command it runs."""

import os
import signal
import subprocess

import pytest

from apps import ENGINE
from harness import PLIMSOLLCTL, PLIMSOLLD, PROGRAMS, SLOW, alive, children_of, clean_environment, is_zombie, wait_until
from puppets import main_puppet, workers_of


def run(nest, *command, args=(), stdin=b"", deadline=60):
    environment = clean_environment({"PLIMSOLL_SOCKET": str(nest.tmp / "run.sock")})
    done = subprocess.run([PLIMSOLLD, *args, "--", *map(str, command)], input=stdin, capture_output=True,
                          env=environment,
                          timeout=deadline * SLOW, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


@pytest.mark.parametrize("command,code", [
    (["sh", "-c", "exit 7"], 7),
    (["true"], 0),
    (["sh", "-c", "kill -9 $$"], 137),
    (["sh", "-c", "kill -TERM $$"], 143),
    (["no-such-program-anywhere"], 127),
    (["/etc/passwd"], 126),
    (["/tmp"], 126),
], ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_the_commands_exit_code_is_ours(nest, command, code):
    returned, _, err = run(nest, *command)
    assert returned == code, err


def test_stdin_stdout_and_stderr_are_the_commands_own(nest):
    sent = os.urandom(200_000)
    code, out, err = run(nest, "sh", "-c", "cat; echo talk >&2", stdin=sent)
    assert code == 0 and out == sent
    assert "talk" in err.splitlines()


def test_words_after_the_dashes_belong_to_the_command(nest):
    code, out, _ = run(nest, "printf", "%s|", "--config", "-x", "a b", "")
    assert (code, out) == (0, b"--config|-x|a b||")


def test_every_signal_is_forwarded_to_the_command(nest):
    names = ["HUP", "USR1", "USR2", "TTIN", "TTOU", "WINCH", "CONT", "QUIT"]
    script = "".join(f"trap 'echo {name}' {name}; " for name in names)
    daemon = nest.daemon(command=["sh", "-c", f"{script} trap 'echo TERM; exit 9' TERM; echo go; while :; do sleep 0.05; done"])
    wait_until(lambda: "go" in daemon.out_text(), what="its traps", report=daemon.report)
    for name in names:
        os.kill(daemon.pid, getattr(signal, "SIG" + name))
        wait_until(lambda: name in daemon.out_text().splitlines(), what=f"SIG{name} arriving", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    daemon.exit_codes = (9,)


def test_sigint_reaches_the_command_and_its_end_is_ours(nest):
    daemon = nest.daemon(command=["sh", "-c", "trap 'exit 21' INT; echo go; while :; do sleep 0.05; done"])
    wait_until(lambda: "go" in daemon.out_text(), what="its trap")
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait_exit() == 21


def test_zombies_are_reaped_while_it_runs(nest):
    daemon = nest.daemon(command=["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (sleep 0.2 &) ; done; exec sleep 1000"])
    [main] = wait_until(lambda: [pid for pid in children_of(daemon.pid)
                                 if open(f"/proc/{pid}/cmdline", "rb").read() == b"sleep\x001000\x00"], what="the command")
    wait_until(lambda: children_of(daemon.pid) == [main], what="nothing else below the daemon", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 143


def start_app(nest, *flags):
    (nest.tmp / "app").mkdir()
    daemon = nest.daemon(command=[str(PROGRAMS / "app"), "--control", str(nest.tmp / "app"), *flags])
    daemon.exit_codes = (0, 9)
    [main] = wait_until(lambda: children_of(daemon.pid), what="the app")
    return daemon, main_puppet(nest.tmp / "app", main)


def test_engines_are_shown_orphans_ended_and_the_apps_end_is_ours(nest):
    daemon, app = start_app(nest, "--workers", "2", "--replace", "1", "--code", "9", "--engine",
                            f"plain {ENGINE} -p PORT")
    daemon.wait_engines("app", 2)
    victim = wait_until(lambda: len(w := workers_of(app)) == 2 and w, what="two workers")[0]
    [engine] = children_of(victim.pid)
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: not alive(engine), what="the orphan's end", report=daemon.report)
    daemon.wait_engines("app", 2)
    assert daemon.ctl("status")[0] == 0 and daemon.ctl("tree")[0] == 0
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    assert not nest.left()


def test_the_commands_end_ends_everything_that_it_leaves(nest):
    daemon, app = start_app(nest, "--workers", "2", "--term", "die", "--engine", f"plain {ENGINE} -p PORT")
    daemon.wait_engines("app", 2)
    app.tell("exit 9")
    assert daemon.wait_exit() == 9
    assert not nest.left()


def test_a_lost_engine_is_seen_and_left_to_the_app_first(nest):
    daemon, app = start_app(nest, "--workers", "1", "--heal", "300", "--engine", f"plain {ENGINE} -p PORT")
    [engine] = daemon.wait_engines("app", 1)
    os.kill(engine["pid"], signal.SIGKILL)
    daemon.wait_event("engine_lost", pid=engine["pid"])
    daemon.wait(lambda: (e := daemon.wait_engines("app", 1)) and e[0]["pid"] != engine["pid"], what="its successor")
    assert alive(app.pid) and not daemon.ledger("app")


def test_a_lost_engine_that_nobody_heals_is_healed_by_one_restart_and_not_by_two(nest):
    """The mode's own plan, with one second for heal and cool-down in place of minutes."""
    (nest.tmp / "app").mkdir()
    command = [PROGRAMS / "app", "--control", nest.tmp / "app", "--workers", "1", "--engine", f"plain {ENGINE} -p PORT"]
    code, out, err = run(nest, *command, args=["--print-config"])
    assert code == 0 and b'heal = "1m30s"' in out, err
    plan = out.decode().replace('heal = "1m30s"', 'heal = "1s"').replace('cool_down = "5m"', 'cool_down = "1s"')
    daemon = nest.daemon("".join(line for line in plan.splitlines(True) if not line.startswith("name = ")))
    [engine] = daemon.wait_engines("app", 1)
    os.kill(engine["pid"], signal.SIGKILL)
    entry = daemon.wait(lambda: [e for e in daemon.ledger("app") if e["end"]], what="the end of the ladder")[0]
    assert [(rung["rung"], rung["outcome"]) for rung in entry["rungs"]] == [("restart", "worked")], entry
    service = daemon.service("app")
    assert service["run"] == 2 and daemon.running(), "a restart of ours is not the end of an essential service"
    [engine] = daemon.wait_engines("app", 1)
    os.kill(engine["pid"], signal.SIGKILL)
    daemon.wait_event("budget", service="app")
    assert daemon.service("app")["run"] == 2, "at most one per half an hour"
    assert daemon.ctl("status")[0] == 3


def test_set_changes_the_plan_of_a_command_too(nest):
    code, out, err = run(nest, "app", args=["--set", "services.app.heal=1s", "--print-config"])
    assert code == 0 and b'heal = "1s"' in out, out.decode() + err


def test_nothing_is_changed_in_the_environment_but_plimsoll_names(nest):
    code, out, _ = run(nest, "env")
    before = clean_environment({"PLIMSOLL_SOCKET": str(nest.tmp / "run.sock")})
    after = dict(line.split("=", 1) for line in out.decode().splitlines() if "=" in line)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert code == 0 and all(name.startswith("PLIMSOLL_") or name == "_" for name in changed), changed


def test_without_a_place_for_its_socket_it_says_so_and_runs(nest):
    environment = clean_environment({"PLIMSOLL_SOCKET": "/proc/no/such/place.sock"})
    done = subprocess.run([PLIMSOLLD, "--", "sh", "-c", "exit 4"], env=environment, capture_output=True, text=True,
                          timeout=60 * SLOW, check=False)
    assert done.returncode == 4 and "/proc/no/such/place.sock" in done.stderr


def test_its_plan_can_be_printed_and_checked(nest):
    code, out, err = run(nest, "app", "--workers", "2", args=["--print-config"])
    assert code == 0, err
    path = nest.tmp / "printed.toml"
    path.write_bytes(out)
    assert b"essential = true" in out and b'"never"' in out
    checked = subprocess.run([PLIMSOLLD, "--check", str(path)], capture_output=True, text=True, check=False,
                             timeout=30 * SLOW)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_ctl_finds_the_only_daemon_whatever_its_name(nest):
    """As with `docker exec`: a /run of its own, and a daemon that is named after its command."""
    script = 'mount -t tmpfs none /run && exec "$0" -- sh -c \'"$0" status; "$0" --name main status\' "$1"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, PLIMSOLLD, PLIMSOLLCTL], capture_output=True, text=True,
                          env=clean_environment({}), check=False, timeout=60 * SLOW)
    assert "sh 0.1.0, pid" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 4 and "there is: --name sh" in done.stderr, done.stderr


def test_a_file_beside_a_command_is_refused(nest):
    code, _, err = run(nest, "true", args=["--config", "/etc/hostname"])
    assert code == 64 and "without a file" in err, err


def test_observe_only_says_what_it_would_do(nest):
    (nest.tmp / "app").mkdir()
    daemon = nest.daemon(command=[str(PROGRAMS / "app"), "--control", str(nest.tmp / "app"), "--workers", "1",
                                  "--engine", f"plain {ENGINE} -p PORT"], args=["--observe"])
    assert daemon.status()["daemon"]["mode"] == "observe"
    [engine] = daemon.wait_engines("app", 1)
    os.kill(engine["owner_pid"], signal.SIGKILL)
    daemon.wait_event("engine_orphaned", pid=engine["pid"])
    assert daemon.wait(lambda: daemon.ledger(), what="a ledger")[0]["would"]
    assert alive(engine["pid"]) and not is_zombie(engine["pid"])
