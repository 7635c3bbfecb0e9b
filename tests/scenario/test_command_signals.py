"""`plimsolld -- CMD`: signals and terminals, as in front of a command that knows nothing of its supervisor."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import PLIMSOLLD, SLOW, alive, children_of, clean_environment, stat_fields, wait_until

# Says each signal's number; ends with 9 at one of them. (A handler of Python's runs between two steps of the program, so none of
# them may wait without an end.)
TELLER = """
import os, signal, sys, time
def tell(number, frame):
    os.write(1, f"got {number}\\n".encode())
    if number == %d:
        sys.exit(9)
for number in set(range(1, signal.NSIG)) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, 32, 33}:
    signal.signal(number, tell)
print("go", flush=True)
while True:
    time.sleep(0.05)
"""


def teller(nest, *args, ends_at=signal.SIGTERM):
    daemon = nest.daemon(command=["/usr/bin/python3", "-c", TELLER % ends_at], args=list(args))
    daemon.exit_codes = (0, 9)
    wait_until(lambda: "go" in daemon.out_text(), what="its handlers", report=daemon.report)
    return daemon


def got(daemon):
    return [int(line.split()[1]) for line in daemon.out_text().splitlines() if line.startswith("got ")]


def wait_got(daemon, *numbers):
    wait_until(lambda: set(numbers) <= set(got(daemon)), what=f"signals {numbers}", report=daemon.report)


def test_every_signal_that_can_be_caught_arrives_once_real_time_ones_too(nest):
    daemon = teller(nest)
    own = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTERM, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE,
           signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGPIPE}
    wanted = [number for number in range(1, signal.NSIG) if number not in own | {32, 33}]
    assert signal.SIGWINCH in wanted and signal.SIGRTMAX in wanted and signal.SIGTSTP in wanted
    for number in wanted:
        os.kill(daemon.pid, number)
        wait_got(daemon, number)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    assert sorted(got(daemon)) == sorted([*wanted, signal.SIGTERM])


def test_signals_are_rewritten_and_dropped(nest):
    daemon = teller(nest, "--rewrite", "HUP:USR1", "--rewrite", "12:0", "--rewrite", "SIGQUIT:SIGRTMIN+2")
    os.kill(daemon.pid, signal.SIGUSR2)
    os.kill(daemon.pid, signal.SIGHUP)
    os.kill(daemon.pid, signal.SIGQUIT)
    wait_got(daemon, signal.SIGUSR1, signal.SIGRTMIN + 2)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    assert sorted(got(daemon)) == sorted([signal.SIGUSR1, signal.SIGRTMIN + 2, signal.SIGTERM])


def test_sigterm_that_is_rewritten_stops_with_the_other_signal(nest):
    daemon = teller(nest, "--rewrite", "15:2", ends_at=signal.SIGINT)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    assert got(daemon) == [signal.SIGINT]


def test_sigterm_that_is_dropped_stops_nothing_and_what_becomes_sigterm_stops(nest):
    daemon = teller(nest, "--rewrite", "TERM:0", "--rewrite", "INT:TERM", "--rewrite", "HUP:USR1")
    os.kill(daemon.pid, signal.SIGTERM)
    os.kill(daemon.pid, signal.SIGHUP)
    wait_got(daemon, signal.SIGUSR1)
    assert daemon.service(daemon.status()["services"][0]["name"])["state"] == "ready"
    os.kill(daemon.pid, signal.SIGINT)
    assert daemon.wait_exit() == 9
    assert got(daemon) == [signal.SIGUSR1, signal.SIGTERM]


def refused(*args):
    done = subprocess.run([PLIMSOLLD, *args], env=clean_environment(), capture_output=True, text=True, timeout=30 * SLOW,
                          check=False)
    return done.returncode, done.stderr


def test_options_that_cannot_be_are_refused(nest):
    assert refused("--rewrite", "15:KILL", "--", "true")[0] == 64
    code, err = refused("--rewrite", "TREM:2", "--", "true")
    assert code == 64 and "'TREM:2'" in err
    code, err = refused("--exit-ok", "300", "--", "true")
    assert code == 64 and "'300'" in err
    code, err = refused("--to-group", "--config", "/no/such/file")
    assert code == 64 and "behind '--'" in err


@pytest.mark.parametrize("script,codes,expected", [("kill -TERM $$", ["143"], 0), ("exit 7", ["143", "7"], 0), ("exit 8", ["7"], 8)])
def test_exit_codes_are_remapped(nest, script, codes, expected):
    flags = [word for code in codes for word in ("--exit-ok", code)]
    environment = clean_environment({"PLIMSOLL_SOCKET": str(nest.tmp / "run.sock")})
    done = subprocess.run([PLIMSOLLD, *flags, "--", "sh", "-c", script], env=environment, capture_output=True,
                          timeout=60 * SLOW, check=False)
    assert done.returncode == expected


GROUP = """
import os, signal, sys, time
def tell(number, frame):
    os.write(1, f"got {number} {os.getpid()}\\n".encode())
    if number == signal.SIGTERM:
        sys.exit(9)
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, tell)
for session in (False, True):
    if os.fork() == 0:
        if session:
            os.setsid()
        print("go", flush=True)
        while True:
            time.sleep(0.05)
print("go", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("flags,reached", [([], 1), (["--to-group"], 2)])
def test_signals_go_to_the_command_or_to_its_group(nest, flags, reached):
    """Three processes, one of them in a session of its own."""
    daemon = nest.daemon(command=["/usr/bin/python3", "-c", GROUP], args=flags)
    daemon.exit_codes = (9,)
    wait_until(lambda: daemon.out_text().count("go") == 3, what="three processes", report=daemon.report)
    os.kill(daemon.pid, signal.SIGUSR1)
    wait_until(lambda: daemon.out_text().count("got") >= reached, what="the signal", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
    lines = [line.split() for line in daemon.out_text().splitlines() if line.startswith("got")]
    assert len({pid for _, number, pid in lines if number == str(int(signal.SIGUSR1))}) == reached, lines
    terminated = [pid for _, number, pid in lines if number == str(int(signal.SIGTERM))]
    assert len(terminated) == len(set(terminated)) == 3, f"each was asked to end, and once: {lines}"


def test_a_second_sigterm_is_passed_on_and_a_third_kills(nest):
    daemon = nest.daemon(command=["/usr/bin/python3", "-c", TELLER % signal.SIGUSR2])
    daemon.exit_codes = (137,)

    def asked():
        return [number for number in got(daemon) if number != signal.SIGCONT]  # which goes with every stop signal

    wait_until(lambda: "go" in daemon.out_text(), what="its handlers", report=daemon.report)
    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: asked() == [15], what="the first", report=daemon.report)
    time.sleep(0.15)  # two requests, not one
    os.kill(daemon.pid, signal.SIGINT)
    wait_until(lambda: asked() == [15, 2], what="the second", report=daemon.report)
    assert "asked to stop again: SIGINT" in daemon.log_text()
    time.sleep(0.15)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 137
    assert asked() == [15, 2] and "no grace is left" in daemon.log_text()


def test_a_second_sigterm_shortens_the_grace_of_a_file_too(nest):
    daemon = nest.daemon("""
[services.one]
command = ["@programs/stubborn", "--ready", "@tmp/armed"]
stop = { grace = "1h" }
[daemon]
stop_within = "1h"
""")
    wait_until(lambda: (nest.tmp / "armed").exists(), what="its deaf ears")
    os.kill(daemon.pid, signal.SIGTERM)
    wait_until(lambda: "stopping everything" in daemon.log_text(), what="its stop")
    time.sleep(0.15)
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert "at most 2 s are left" in daemon.log_text()


class Terminal:
    """A pseudo terminal whose session is led by a shell with job control, or by the program itself."""

    def __init__(self, nest, argv):
        self.nest = nest
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = clean_environment({"PLIMSOLL_SOCKET": str(nest.tmp / "run.sock"), "PS1": "$ ", "HISTFILE": None,
                                             "PLIMSOLL_TEST_MARKER": nest.marker})
            os.execvpe(argv[0], argv, environment)
        nest.finally_(self.close)

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                break
        return self.text

    def wait_for(self, pattern):
        return wait_until(lambda: re.search(pattern, self.read()), what=f"{pattern!r} on the terminal", report=self.read)

    def type(self, text):
        os.write(self.fd, text.encode())

    def foreground(self):
        return os.tcgetpgrp(self.fd)

    def wait_exit(self):
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return pid and [os.waitstatus_to_exitcode(status)]
        [code] = wait_until(ended, what="its end", report=self.read)
        self.pid = 0
        return code

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


ASKER = """
import os, select, signal, sys
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
signal.signal(signal.SIGWINCH, lambda *_: print("resized", flush=True))
signal.signal(signal.SIGCONT, lambda *_: print("continued", flush=True))
print("foreground", os.tcgetpgrp(0) == os.getpgrp() == os.getpid(), flush=True)
while True:
    if not select.select([0], [], [], 0.05)[0]:
        continue
    line = os.read(0, 1000).decode().strip()
    print("read", line.upper(), flush=True)
    if line == "end":
        sys.exit(5)
"""


def test_the_command_has_the_terminal_from_its_first_moment_and_signals_of_it_once(nest):
    (nest.tmp / "asker.py").write_text(ASKER)
    terminal = Terminal(nest, [PLIMSOLLD, "--", "/usr/bin/python3", str(nest.tmp / "asker.py")])
    terminal.wait_for("foreground True")
    terminal.type("hello\n")
    terminal.wait_for("read HELLO")
    terminal.type("\x03")
    terminal.wait_for("interrupted")
    terminal.type("more\n")
    terminal.wait_for("read MORE")
    assert terminal.text.count("interrupted") == 1
    terminal.type("end\n")
    assert terminal.wait_exit() == 5


def test_job_control_stops_and_continues_both_under_a_shell(nest):
    (nest.tmp / "asker.py").write_text(ASKER)
    terminal = Terminal(nest, ["bash", "--norc", "--noprofile", "-i"])
    terminal.wait_for(r"\$ ")
    terminal.type(f"{PLIMSOLLD} -- /usr/bin/python3 {nest.tmp}/asker.py\n")
    terminal.wait_for("foreground True")
    [daemon] = wait_until(lambda: children_of(terminal.pid), what="the daemon")
    [command] = wait_until(lambda: children_of(daemon), what="the command")
    for turn in (1, 2):
        terminal.type("\x1a")
        wait_until(lambda: stat_fields(daemon)[0] == "T" and stat_fields(command)[0] == "T", what="both being stopped", report=terminal.read)
        wait_until(lambda: terminal.foreground() == terminal.pid, what="the shell having its terminal", report=terminal.read)
        terminal.type(f"echo shell-$((40+{turn}))\n")
        terminal.wait_for(f"shell-{40 + turn}")
        terminal.type("fg\n")
        wait_until(lambda: terminal.foreground() == command, what="the command in the foreground", report=terminal.read)
        terminal.type(f"again{turn}\n")
        terminal.wait_for(f"read AGAIN{turn}")
    terminal.type("end\n")
    wait_until(lambda: terminal.foreground() == terminal.pid, what="the shell having its terminal", report=terminal.read)
    terminal.type("echo code-$?\n")
    terminal.wait_for("code-5")
    assert not alive(daemon) and not alive(command)


def test_in_a_pipeline_the_terminal_stays_with_the_shell_and_interrupts_both(nest):
    (nest.tmp / "asker.py").write_text(ASKER)
    terminal = Terminal(nest, ["bash", "--norc", "--noprofile", "-i"])
    terminal.wait_for(r"\$ ")
    terminal.type(f"{PLIMSOLLD} -- /usr/bin/python3 {nest.tmp}/asker.py | cat\n")
    terminal.wait_for("foreground False")
    terminal.type("hello\n")
    terminal.wait_for("read HELLO")
    daemon = next(pid for pid in children_of(terminal.pid) if children_of(pid))
    [command] = children_of(daemon)
    assert stat_fields(command)[2] == stat_fields(daemon)[2], "one process group"
    terminal.type("end\n")
    wait_until(lambda: not alive(daemon), what="its end", report=terminal.read)


def test_a_window_that_changes_its_size_is_told_to_the_command(nest):
    (nest.tmp / "asker.py").write_text(ASKER)
    terminal = Terminal(nest, [PLIMSOLLD, "--", "/usr/bin/python3", str(nest.tmp / "asker.py")])
    terminal.wait_for("foreground True")
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 111, 0, 0))
    terminal.wait_for("resized")
    terminal.type("end\n")
    assert terminal.wait_exit() == 5


def test_a_terminal_that_is_hung_up_ends_the_command(nest):
    (nest.tmp / "asker.py").write_text(ASKER)
    terminal = Terminal(nest, [PLIMSOLLD, "--", "/usr/bin/python3", str(nest.tmp / "asker.py")])
    terminal.wait_for("foreground True")
    [command] = wait_until(lambda: children_of(terminal.pid), what="the command")
    os.close(terminal.fd)
    wait_until(lambda: not alive(command), what="the command's end")
    wait_until(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0], what="the daemon's end")
    terminal.pid, terminal.fd = 0, os.open("/dev/null", os.O_RDONLY)


def test_workers_are_added_by_ttin_and_nobody_is_stopped(nest):
    """gunicorn's way: a signal of job control that is caught is one like any other."""
    daemon = teller(nest)
    os.kill(daemon.pid, signal.SIGTTIN)
    os.kill(daemon.pid, signal.SIGTSTP)
    wait_got(daemon, signal.SIGTTIN, signal.SIGTSTP)
    assert daemon.ctl("ping")[0] == 0
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 9
